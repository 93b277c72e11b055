//! What a process remembers of the rules it has loaded: the automata of their patterns, packed. Rules that are loaded again with a
//! change in them compile what has changed.

use crate::limits::Limits;
use crate::plan::Artefacts;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The automata of the ruleset that was loaded last: one or two megabytes for the OWASP Core Rule Set.
///
/// ```
/// use fusewall::files::MemoryFiles;
/// use fusewall::store::{Loading, Remembered, RuleSource, load};
/// use std::sync::Arc;
/// let loading = Loading { remembered: Some(Arc::new(Remembered::default())), ..Loading::default() };
/// for text in ["SecRule ARGS \"@rx a+b\" id:1", "SecRule ARGS \"@rx a+b\" id:1\nSecRule ARGS \"@rx c+d\" id:2"] {
///     let source = RuleSource::Text { name: "site.conf".into(), text: text.into() };
///     load(&source, &MemoryFiles::new(), &loading).expect("they load");
/// }
/// assert_eq!(loading.remembered.expect("some").patterns(), 2);
/// ```
#[derive(Debug, Default)]
pub struct Remembered {
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    /// Under which limits they were made: under others there would be others.
    limits: Option<Arc<Limits>>,
    artefacts: Artefacts,
}

impl Remembered {
    /// Patterns that are remembered.
    pub fn patterns(&self) -> usize {
        self.last().artefacts.len()
    }

    /// What is of use under these limits.
    pub(super) fn recall(&self, limits: &Limits) -> Artefacts {
        let last = self.last();
        last.limits.as_deref().filter(|made| *made == limits).map(|_| last.artefacts.clone()).unwrap_or_default()
    }

    /// Remembers the automata of these rules instead of those before.
    pub(super) fn keep(&self, limits: &Arc<Limits>, artefacts: Artefacts) {
        let before = std::mem::replace(&mut *self.last(), Last { limits: Some(limits.clone()), artefacts });
        drop(before);
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::MemoryFiles;
    use crate::store::{Loading, RuleSource, load};

    const RULES: [&str; 3] = [
        "SecRule ARGS \"@rx a+b\" id:1",
        "SecRule ARGS \"@rx (?i)(?:union|select)[^x]{20,60}from\\W\" \"id:2,t:none,t:lowercase\"",
        "SecRule ARGS \"@rx (\\w+) \\1\" \"id:3,capture\"",
    ];

    fn source(rules: &[&str]) -> RuleSource {
        RuleSource::Text { name: "site.conf".into(), text: rules.join("\n") }
    }

    #[test]
    fn what_is_remembered_makes_the_same_program() {
        let remembered = Arc::new(Remembered::default());
        let loading = Loading { remembered: Some(remembered.clone()), ..Loading::default() };
        for rules in [&RULES[..2], &RULES, &RULES[1..], &RULES] {
            let again = load(&source(rules), &MemoryFiles::new(), &loading).expect("it loads");
            let anew = load(&source(rules), &MemoryFiles::new(), &Loading::default()).expect("it loads");
            assert_eq!(again.0.program(), anew.0.program());
            assert_eq!(again.1.render(false), anew.1.render(false));
            assert_eq!(remembered.patterns(), rules.len());
        }
    }

    #[test]
    fn under_other_limits_nothing_is_remembered() {
        let remembered = Arc::new(Remembered::default());
        let loading = Loading { remembered: Some(remembered.clone()), ..Loading::default() };
        load(&source(&RULES), &MemoryFiles::new(), &loading).expect("it loads");
        assert_eq!(remembered.recall(&Limits::default()).len(), 3);
        let fewer = Limits { dense_dfa_bytes: 1 << 10, ..Limits::default() };
        assert!(remembered.recall(&fewer).is_empty());
    }
}
