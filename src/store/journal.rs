//! The events of a rollout on disk, line by line, so that its decisions can be made again.

use super::rollout::{Contest, Decision, Event, Gates, Plan, Rollout};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

/// Bytes after which a journal takes no more: a rollout on a busy site comes to some 100 MB.
const MOST: u64 = 1 << 30;

/// What stands on the first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beginning {
    plan: Plan,
    gates: Gates,
    contest: Contest,
}

/// Takes the events that count. What cannot be written is told once, and ends the journal, never the rollout.
#[derive(Debug)]
pub struct Journal {
    out: BufWriter<File>,
    bytes: u64,
}

impl Journal {
    /// A new file; one that exists is left alone.
    ///
    /// # Errors
    /// The file exists, or cannot be made.
    pub fn create(path: &Path, plan: &Plan, gates: &Gates, contest: Contest) -> io::Result<Journal> {
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        let mut journal = Journal { out: BufWriter::new(file), bytes: 0 };
        journal.line(&Beginning { plan: plan.clone(), gates: gates.clone(), contest })?;
        journal.flush()?;
        Ok(journal)
    }

    /// Adds an event.
    ///
    /// # Errors
    /// The disk, or the journal is full.
    pub fn add(&mut self, event: &Event) -> io::Result<()> {
        self.line(event)
    }

    /// Writes what waits.
    ///
    /// # Errors
    /// The disk.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    fn line(&mut self, what: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(what)?;
        line.push(b'\n');
        self.bytes += line.len() as u64;
        if self.bytes > MOST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("the journal has {MOST} bytes")));
        }
        self.out.write_all(&line)
    }
}

/// Makes the decisions again that a journal led to. A last line that was not written to its end is left out.
///
/// # Errors
/// The file cannot be read, or is no journal: the message names the line.
pub fn replay(path: &Path) -> io::Result<Vec<Decision>> {
    let mut lines = BufReader::new(File::open(path)?).lines().enumerate();
    let bad = |at: usize, problem: &dyn std::fmt::Display| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}, line {}: {problem}", path.display(), at + 1))
    };
    let Some((_, first)) = lines.next() else { return Err(bad(0, &"a journal begins with its plan")) };
    let Beginning { plan, gates, contest } = serde_json::from_str(&first?).map_err(|problem| bad(0, &problem))?;
    let mut rollout = Rollout::new(plan, gates, contest).map_err(|problem| bad(0, &problem))?;
    let mut decisions = Vec::new();
    let mut torn = None;
    for (at, line) in lines {
        if let Some(problem) = torn {
            return Err(problem);
        }
        match serde_json::from_str::<Event>(&line?) {
            Ok(event) => decisions.extend(rollout.take(&event).decision),
            Err(problem) => torn = Some(bad(at, &problem)),
        }
    }
    Ok(decisions)
}
