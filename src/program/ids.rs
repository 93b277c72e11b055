//! Newtypes for every index, so that a node is never taken for a rule.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u32);

        impl $name {
            /// From a position. Limits keep tables far below 2^32 entries; a larger one saturates and finds nothing.
            pub fn new(at: usize) -> Self {
                Self(u32::try_from(at).unwrap_or(u32::MAX))
            }

            /// The position.
            pub const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

ids! {
    /// A rule, by its position in load order.
    RuleIx;
    /// A selection.
    SelectionId;
    /// A node of the pipeline tree.
    NodeId;
    /// A test.
    TestId;
    /// A pattern.
    PatternId;
    /// A list of phrases.
    PhrasesId;
    /// A TX key.
    KeyId;
    /// A set of rules.
    RuleSetId;
    /// A slot of the sieve of a phase.
    SlotId;
}

impl NodeId {
    /// The untransformed value.
    pub const ROOT: NodeId = NodeId(0);
}
