//! The text format of Prometheus, version 0.0.4.

use std::fmt::{self, Write as _};

/// Its media type.
pub const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A text that grows by one family of series after the other.
///
/// ```
/// use fusewall::governor::Exposition;
/// let mut text = Exposition::default();
/// text.family("requests_total", "counter", "Requests.").sample(&[("path", "a\"b")], 7);
/// assert_eq!(text.finish(), "# HELP requests_total Requests.\n# TYPE requests_total counter\nrequests_total{path=\"a\\\"b\"} 7\n");
/// ```
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// The family that grows.
#[derive(Debug)]
pub struct Family<'e> {
    text: &'e mut String,
    name: &'static str,
}

impl Exposition {
    /// Begins a family: its name, `counter` or `gauge`, and what it is, on one line.
    pub fn family(&mut self, name: &'static str, kind: &'static str, help: &'static str) -> Family<'_> {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family { text: &mut self.text, name }
    }

    /// A gauge without labels.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, value: impl fmt::Display) {
        self.family(name, "gauge", help).sample(&[], value);
    }

    /// A histogram without labels: upper bounds and how many are up to each, the last one `+Inf`; and the sum of all.
    pub fn histogram(&mut self, name: &'static str, help: &'static str, buckets: &[(String, u64)], sum: f64) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} histogram");
        for (bound, count) in buckets {
            let _ = writeln!(self.text, "{name}_bucket{{le=\"{bound}\"}} {count}");
        }
        let count = buckets.last().map_or(0, |(_, count)| *count);
        let _ = writeln!(self.text, "{name}_sum {sum}\n{name}_count {count}");
    }

    /// The text.
    pub fn finish(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// One series, with its labels.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl fmt::Display) -> &mut Self {
        self.text.push_str(self.name);
        for (at, (name, value)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{name}=\"{}\"", escaped(value));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
        self
    }
}

/// A label's value, as the format wants it.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
