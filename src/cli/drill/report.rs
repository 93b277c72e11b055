//! What a drill has found, for people and for machines.

use super::Drill;
use crate::cli::say;
use serde::{Serialize, Serializer};
use serde_json::Value;

/// Reasons that are told; a drill that fails everywhere need not say so a thousand times.
const REASONS: usize = 5;

/// What a drill has measured, and what did not hold.
#[derive(Debug, Default)]
pub struct Findings {
    measured: Vec<(&'static str, Value)>,
    broken: Vec<String>,
}

impl Findings {
    /// Of a drill that could not be run to its end.
    pub fn failed(error: &anyhow::Error) -> Findings {
        Findings { measured: Vec::new(), broken: vec![format!("{error:#}")] }
    }

    /// Notes a figure; its name ends in its unit where it has one.
    pub fn note(&mut self, name: &'static str, figure: impl Into<Value>) {
        self.measured.push((name, figure.into()));
    }

    /// How much did not hold so far.
    pub fn broken(&self) -> usize {
        self.broken.len()
    }

    /// What must hold. If it does not, `why` says so with figures.
    pub fn hold(&mut self, holds: bool, why: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(why());
        }
    }
}

/// The answer of one drill.
#[derive(Debug, Serialize)]
pub struct Answer {
    name: &'static str,
    /// Whether everything held.
    pub held: bool,
    #[serde(serialize_with = "in_order")]
    measured: Vec<(&'static str, Value)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl Answer {
    /// What a drill's findings come to.
    pub fn new(drill: &Drill, found: Findings) -> Answer {
        let Findings { measured, broken } = found;
        let more = broken.len().saturating_sub(REASONS);
        let mut why = broken.iter().take(REASONS).cloned().collect::<Vec<_>>().join("; ");
        if more > 0 {
            why += &format!("; and {more} more");
        }
        Answer { name: drill.name, held: broken.is_empty(), measured, why: (!broken.is_empty()).then_some(why) }
    }

    /// Prints it for people.
    ///
    /// # Errors
    /// An output that cannot be written to.
    pub fn print(&self, drill: &Drill) -> std::io::Result<()> {
        say(format_args!("{:<4} {:<9} {}", self.name, if self.held { "held" } else { "NOT HELD" }, drill.outage))?;
        say(format_args!("     injected  {}", drill.injected))?;
        say(format_args!("     must hold {}", drill.must_hold))?;
        let figures = self.measured.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            value => format!("{name} {value}"),
        });
        say(format_args!("     measured  {}", figures.collect::<Vec<_>>().join(", ")))?;
        self.why.iter().try_for_each(|why| say(format_args!("     because   {why}")))
    }
}

/// As an object whose keys keep their order.
fn in_order<S: Serializer>(measured: &[(&'static str, Value)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(measured.iter().map(|(name, value)| (name, value)))
}
