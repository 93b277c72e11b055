//! Where a condition looks.

use super::{Pattern, Variable};

/// A variable, which of its members, and whether their number is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// The variable.
    pub variable: Variable,
    /// Which members.
    pub selector: Selector,
    /// `&VARIABLE`: the number of members instead of their values.
    pub count: bool,
}

/// Which members of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// All of them; also used for scalars, for `XML:/*` and for `XML://@*` (their variables are [`Variable::Xml`] and
    /// [`Variable::XmlAttributes`]).
    All,
    /// The member of this name. Compared as the variable asks: see [`Variable::folds_case`].
    Key(Box<[u8]>),
    /// The members whose name the pattern finds, without case, as v2 and v3 do. Its text is never lower-cased.
    Regex(Pattern),
}
