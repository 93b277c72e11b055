//! What a release changes among the settings of `crs-setup.conf.example`: the operator's own `crs-setup.conf` stays as it is, so
//! somebody has to say what it lacks.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The settings that differ, with their values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Changes {
    /// Those that are new.
    pub new: BTreeMap<String, String>,
    /// Those that are gone.
    pub gone: BTreeMap<String, String>,
    /// Those with another value: before and now.
    pub changed: BTreeMap<String, (String, String)>,
    /// Whether the text differs at all, comments included.
    pub text_differs: bool,
}

/// Compares two examples.
pub fn changes(before: &str, now: &str) -> Changes {
    let (old, new) = (settings(before), settings(now));
    let mut changes = Changes { text_differs: before != now, ..Changes::default() };
    for (name, value) in &new {
        match old.get(name) {
            None => _ = changes.new.insert(name.clone(), value.clone()),
            Some(other) if other != value => _ = changes.changed.insert(name.clone(), (other.clone(), value.clone())),
            Some(_) => {}
        }
    }
    changes.gone = old.into_iter().filter(|(name, _)| !new.contains_key(name)).collect();
    changes
}

/// Each `setvar:tx.name=value`, in comments as well: there stand those that have a default. The first counts.
fn settings(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (at, start) in text.match_indices("setvar:") {
        let behind = &text[at + start.len()..];
        let (behind, end) = match behind.strip_prefix('\'') {
            Some(behind) => (behind, behind.find(['\'', '\n'])),
            None => (behind, behind.find(|c: char| c == ',' || c == '"' || c.is_whitespace())),
        };
        let setting = behind.get(..end.unwrap_or(behind.len())).unwrap_or_default();
        if let Some((name, value)) = setting.split_once('=') {
            found.entry(name.to_ascii_lowercase()).or_insert_with(|| value.to_owned());
        }
    }
    found
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.new.len() + self.gone.len() + self.changed.len();
        match (count, self.text_differs) {
            (0, false) => return f.write_str("  crs-setup.conf.example is the same as before"),
            (0, true) => f.write_str("  crs-setup.conf.example has the same settings, with other comments")?,
            _ => write!(f, "  crs-setup.conf.example differs; look whether your crs-setup.conf should follow:")?,
        }
        for (name, value) in &self.new {
            write!(f, "\n    new: {name}={value}")?;
        }
        for (name, value) in &self.gone {
            write!(f, "\n    gone: {name}={value}")?;
        }
        for (name, (before, now)) in &self.changed {
            write!(f, "\n    changed: {name}={before} is now {now}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_compared_by_name_in_comments_too() {
        let before = "# setvar:tx.old=1\"\nSecAction \"id:1,setvar:tx.level=1,\\\n setvar:'tx.list=|a| |b|'\"\n";
        let now = "# setvar:tx.fresh=2\"\nSecAction \"id:1,setvar:tx.level=2,\\\n setvar:'tx.list=|a| |b|'\"\n";
        let found = changes(before, now);
        assert_eq!(found.new, [("tx.fresh".to_owned(), "2".to_owned())].into());
        assert_eq!(found.gone, [("tx.old".to_owned(), "1".to_owned())].into());
        assert_eq!(found.changed, [("tx.level".to_owned(), ("1".to_owned(), "2".to_owned()))].into());
        assert_eq!(changes(now, now), Changes::default());
    }
}
