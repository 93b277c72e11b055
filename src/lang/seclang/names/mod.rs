//! Every name of the ModSecurity v2 and v3 reference manuals and of Coraza, and what becomes of it here. Nothing falls through silently: a
//! name is supported, accepted with a stated "no effect because", or refused with the reason and the alternative.

pub(super) mod actions;
pub(super) mod directives;
#[cfg(test)]
mod document;
pub(super) mod operators;
#[cfg(test)]
mod peers;
pub(super) mod rights;
pub(super) mod variables;

/// What becomes of a name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Support<T> {
    /// It does what the manual says.
    Yes(T),
    /// Accepted without effect, and nothing is lost (a note says why).
    Ignored(&'static str),
    /// Accepted without effect, and the author should know (a warning says why).
    NoEffect(&'static str),
    /// `Off` (or `0`) is what happens anyway; any other value is refused.
    OnlyOff(&'static str),
    /// Refused: why, and what to do instead.
    Refused(&'static str, &'static str),
}

/// One row of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name<T: 'static> {
    pub name: &'static str,
    pub support: Support<T>,
}

/// The row of a name, without case.
pub(super) fn find<T: Copy>(table: &'static [Name<T>], name: &[u8]) -> Option<&'static Name<T>> {
    table.iter().find(|row| row.name.as_bytes().eq_ignore_ascii_case(name))
}

/// The names of a table that a help text may propose.
pub(super) fn offered<T>(table: &'static [Name<T>]) -> impl Iterator<Item = &'static str> {
    table.iter().filter(|row| !matches!(row.support, Support::Refused(..))).map(|row| row.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names<T>(table: &'static [Name<T>]) -> Vec<String> {
        table.iter().map(|row| row.name.to_ascii_lowercase()).collect()
    }

    #[test]
    fn no_name_stands_twice() {
        for mut names in [
            names(directives::TABLE),
            names(actions::TABLE),
            names(actions::CTL),
            names(operators::TABLE),
            variables::SPECIAL.iter().map(|row| row.0.to_ascii_lowercase()).collect(),
        ] {
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
