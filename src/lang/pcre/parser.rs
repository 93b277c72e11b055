//! The frame of the grammar: sequences, branches, quantifiers. Open groups are kept on a stack of our own.

use std::collections::HashMap;

use super::{Construct, Error};
use crate::byteset::ByteSet;
use crate::limits::Limits;
use crate::scan::backtrack::{Look, Tree};

/// PCRE's bound on a counted repeat.
const MAX_REPEAT: u32 = 65_535;

/// How to read a pattern.
pub(super) struct Options<'a> {
    /// Begin with `(?i)`.
    pub fold_case: bool,
    pub limits: &'a Limits,
}

/// A pattern that was read.
pub(super) struct Parsed {
    pub tree: Tree,
    /// What no automaton does, in the order of the text.
    pub constructs: Vec<Construct>,
}

/// Reads a pattern into its tree.
pub(super) fn parse(pattern: &[u8], options: &Options<'_>) -> Result<Parsed, Error> {
    let limit = options.limits.pattern_bytes;
    if pattern.len() > limit {
        return Err(Error::new(
            0,
            pattern.len(),
            format!("the pattern has {} bytes, the limit is {limit}", pattern.len()),
        ));
    }
    Parser::new(pattern, options).run()
}

/// The modes that letters after `(?` switch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    /// `i`
    pub fold: bool,
    /// `m`
    pub multi_line: bool,
    /// `s`
    pub dot_all: bool,
    /// `x`: blanks and `#` comments between items do not count.
    pub extended: bool,
    /// `xx`: nor do spaces and tabs in classes.
    pub extended_class: bool,
    /// `n`: plain parentheses do not capture.
    pub no_capture: bool,
    /// `U`: quantifiers are lazy, and `?` makes them greedy.
    pub ungreedy: bool,
    /// `J`: names may repeat.
    pub duplicate_names: bool,
}

/// What an open group becomes when it closes.
pub(super) enum Kind {
    Plain,
    Capture(u32),
    Atomic,
    Around { behind: bool, negative: bool },
}

/// A group whose end has not been read yet; the first one is the pattern itself.
struct Frame {
    kind: Kind,
    /// Where its parenthesis stands.
    at: usize,
    /// The flags outside, which come back when it closes.
    outer: Flags,
    /// The finished branches.
    branches: Vec<Tree>,
    /// The branch being read.
    items: Vec<Tree>,
    /// Whether a quantifier may follow.
    quantifiable: bool,
    /// The `\Z` that the branch being read ends in.
    end: Option<usize>,
    /// The `\Z` that one of the finished branches ends in.
    branch_end: Option<usize>,
}

impl Frame {
    fn new(kind: Kind, at: usize, outer: Flags) -> Self {
        Frame {
            kind,
            at,
            outer,
            branches: Vec::new(),
            items: Vec::new(),
            quantifiable: false,
            end: None,
            branch_end: None,
        }
    }

    fn finish_branch(&mut self) {
        self.branches.push(Tree::concat(std::mem::take(&mut self.items)));
        self.branch_end = self.branch_end.or(self.end.take());
        self.quantifiable = false;
    }
}

pub(super) struct Parser<'a> {
    pub pattern: &'a [u8],
    /// The next byte to read.
    pub at: usize,
    pub flags: Flags,
    depth: usize,
    /// Capturing groups opened so far.
    pub captures: u32,
    /// The groups of each name.
    pub names: HashMap<&'a [u8], Vec<u32>>,
    /// What no automaton does.
    pub constructs: Vec<Construct>,
    /// The largest group that a back-reference names, and where it does.
    pub largest: Option<(u32, Construct)>,
    /// The innermost open group; the others wait in `outer`.
    frame: Frame,
    outer: Vec<Frame>,
}

impl<'a> Parser<'a> {
    fn new(pattern: &'a [u8], options: &Options<'_>) -> Self {
        let flags = Flags { fold: options.fold_case, dot_all: true, ..Flags::default() };
        Parser {
            pattern,
            at: 0,
            flags,
            depth: usize::try_from(options.limits.pattern_depth).unwrap_or(usize::MAX),
            captures: 0,
            names: HashMap::new(),
            constructs: Vec::new(),
            largest: None,
            frame: Frame::new(Kind::Plain, 0, flags),
            outer: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Parsed, Error> {
        while let Some(byte) = self.peek() {
            if self.skip_unread()? {
                continue;
            }
            match byte {
                b'\\' => self.escape()?,
                b'[' => self.class()?,
                b'(' => self.open_group()?,
                b')' => self.close_group()?,
                b'|' => {
                    self.at += 1;
                    self.frame.finish_branch();
                }
                b'*' | b'+' | b'?' => self.quantifier()?,
                b'{' if self.counts().is_some() => self.quantifier()?,
                b'^' => self.look(if self.flags.multi_line { Look::LineStart } else { Look::Start }, 1)?,
                b'$' => self.look(if self.flags.multi_line { Look::LineEnd } else { Look::End }, 1)?,
                b'.' => {
                    self.at += 1;
                    let newline = if self.flags.dot_all { ByteSet::EMPTY } else { ByteSet::of(b"\n") };
                    self.push(Tree::Set(newline.complement()))?;
                }
                _ => {
                    self.at += 1;
                    self.literal(byte)?;
                }
            }
        }
        if !self.outer.is_empty() {
            return Err(Error::new(self.frame.at, 1, "this parenthesis is never closed"));
        }
        if let Some((number, at)) = self.largest.filter(|(number, _)| *number > self.captures) {
            return Err(Error::new(at.offset, at.len, format!("there is no group {number}")).help(
                "groups are counted by their opening parentheses; three octal digits stand for a byte: `\\001`",
            ));
        }
        self.frame.finish_branch();
        Ok(Parsed { tree: Tree::alternate(self.frame.branches), constructs: self.constructs })
    }

    // ---- reading ---------------------------------------------------------------------------------------------------------

    /// The next byte.
    pub fn peek(&self) -> Option<u8> {
        self.pattern.get(self.at).copied()
    }

    /// Whether the rest begins so.
    pub fn looking_at(&self, text: &[u8]) -> bool {
        self.pattern.get(self.at..).is_some_and(|rest| rest.starts_with(text))
    }

    /// Reads `text` if it comes next.
    pub fn take(&mut self, text: &[u8]) -> bool {
        let found = self.looking_at(text);
        if found {
            self.at += text.len();
        }
        found
    }

    /// Reads bytes as long as they please.
    pub fn take_while(&mut self, accept: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.pattern.get(self.at..).unwrap_or_default();
        let len = rest.iter().position(|&byte| !accept(byte)).unwrap_or(rest.len());
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }

    /// Notes a construct that no automaton does, from `from` to the present place.
    pub fn note(&mut self, from: usize, what: &'static str) -> Construct {
        let construct = Construct { offset: from, len: self.at.saturating_sub(from), what };
        self.constructs.push(construct);
        construct
    }

    /// An error about everything from `from` to the present place.
    pub fn error(&self, from: usize, message: impl Into<String>) -> Error {
        Error::new(from, self.at.min(self.pattern.len()).saturating_sub(from), message)
    }

    /// Skips what is no part of the pattern: comments, a lone `\E`, blanks in extended mode. Says whether there was any.
    fn skip_unread(&mut self) -> Result<bool, Error> {
        let start = self.at;
        if self.looking_at(b"(?#") {
            self.take_while(|byte| byte != b')');
            if !self.take(b")") {
                return Err(self.error(start, "this comment is never closed"));
            }
        } else if !self.take(b"\\E") && self.flags.extended {
            self.take_while(|byte| matches!(byte, b'\t'..=b'\r' | b' ' | 0x85));
            if self.take(b"#") {
                self.take_while(|byte| byte != b'\n');
            }
        }
        Ok(self.at > start)
    }

    // ---- building --------------------------------------------------------------------------------------------------------

    /// A byte that stands for itself, or for its other case too.
    pub fn literal(&mut self, byte: u8) -> Result<(), Error> {
        let node = if self.flags.fold && byte.is_ascii_alphabetic() {
            Tree::Set(ByteSet::of(&[byte.to_ascii_lowercase(), byte.to_ascii_uppercase()]))
        } else {
            Tree::Byte(byte)
        };
        self.push(node)
    }

    /// Adds an item that a quantifier may follow.
    pub fn push(&mut self, node: Tree) -> Result<(), Error> {
        self.nothing_after_end()?;
        self.frame.items.push(node);
        self.frame.quantifiable = true;
        Ok(())
    }

    /// Adds a condition, written in `len` bytes from here.
    pub fn look(&mut self, look: Look, len: usize) -> Result<(), Error> {
        self.nothing_after_end()?;
        if look == Look::EndOrNewline {
            self.frame.end = Some(self.at);
        }
        self.at += len;
        self.frame.items.push(Tree::Look(look));
        self.frame.quantifiable = false;
        Ok(())
    }

    /// `\Z` consumes the final newline here, so nothing may come after it.
    fn nothing_after_end(&self) -> Result<(), Error> {
        match self.frame.end {
            Some(at) => Err(Error::new(at, 2, "`\\Z` is possible only at the end of the pattern")
                .help("write `\\n?$` or `$`, whichever is meant")),
            None => Ok(()),
        }
    }

    /// Opens a group whose parenthesis stands at `at`; the present place is behind its head.
    pub fn open(&mut self, kind: Kind, at: usize, inner: Flags) -> Result<(), Error> {
        self.nothing_after_end()?;
        if self.outer.len() >= self.depth {
            return Err(Error::new(at, 1, format!("groups are nested deeper than {}", self.depth)));
        }
        let frame = Frame::new(kind, at, self.flags);
        self.outer.push(std::mem::replace(&mut self.frame, frame));
        self.flags = inner;
        Ok(())
    }

    fn close_group(&mut self) -> Result<(), Error> {
        let Some(outer) = self.outer.pop() else {
            return Err(
                Error::new(self.at, 1, "there is no parenthesis to close").help("write `\\)` for the character")
            );
        };
        self.at += 1;
        let mut frame = std::mem::replace(&mut self.frame, outer);
        frame.finish_branch();
        self.flags = frame.outer;
        let tree = Tree::alternate(frame.branches);
        match frame.kind {
            Kind::Plain => self.push(tree)?,
            Kind::Capture(index) => self.push(Tree::Capture { index, tree: Box::new(tree) })?,
            Kind::Atomic => self.push(Tree::Atomic(Box::new(tree)))?,
            Kind::Around { behind, negative } => {
                if behind && !tree.is_of_fixed_length() {
                    return Err(self
                        .error(
                            frame.at,
                            "what is looked for behind a place must have one length in each of its branches",
                        )
                        .help("write a branch for each length: `(?<=a|bc)` instead of `(?<=a(?:b|))`"));
                }
                return self.push(Tree::Around { behind, negative, tree: Box::new(tree) });
            }
        }
        self.frame.end = frame.branch_end;
        Ok(())
    }

    /// Flags that hold from here to the end of the group.
    pub fn set_flags(&mut self, flags: Flags) {
        self.flags = flags;
        self.frame.quantifiable = false;
    }

    // ---- quantifiers -----------------------------------------------------------------------------------------------------

    /// The counts of `{n}`, `{n,}`, `{n,m}` that begin here, and their length. Anything else in braces is literal text.
    /// Numbers too large for a `u32` come back as its largest value.
    pub fn counts(&self) -> Option<(u32, Option<u32>, usize)> {
        let rest = self.pattern.get(self.at..)?;
        let (min, rest_min) = number(rest.strip_prefix(b"{")?)?;
        let (max, after) = match rest_min.strip_prefix(b",") {
            None => (Some(min), rest_min),
            Some(after) if after.starts_with(b"}") => (None, after),
            Some(after) => number(after).map(|(max, after)| (Some(max), after))?,
        };
        let after = after.strip_prefix(b"}")?;
        Some((min, max, rest.len() - after.len()))
    }

    fn quantifier(&mut self) -> Result<(), Error> {
        let start = self.at;
        let (min, max) = match self.peek() {
            Some(b'*') => (0, None),
            Some(b'+') => (1, None),
            Some(b'?') => (0, Some(1)),
            _ => self.counts().map_or((1, Some(1)), |(min, max, len)| {
                self.at += len - 1;
                (min, max)
            }),
        };
        self.at += 1;
        if min > MAX_REPEAT || max.is_some_and(|max| max > MAX_REPEAT) {
            return Err(self.error(start, format!("a count is above {MAX_REPEAT}")));
        }
        if max.is_some_and(|max| max < min) {
            return Err(self.error(start, "the counts are in the wrong order"));
        }
        if !self.frame.quantifiable {
            return Err(self
                .error(start, "there is nothing here that this quantifier could repeat")
                .help("escape it with a backslash if the character is meant; put a repeated item in `(?:...)` to repeat it again"));
        }
        while self.skip_unread()? {}
        let lazy = self.take(b"?");
        let possessive = !lazy && self.take(b"+");
        if possessive {
            self.note(start, "possessive quantifier");
        }
        if let Some(at) = self.frame.end.filter(|_| max != Some(1)) {
            return Err(Error::new(at, 2, "`\\Z` cannot be repeated"));
        }
        let Some(item) = self.frame.items.pop() else { return Ok(()) };
        let greedy = possessive || lazy == self.flags.ungreedy;
        let repeat = Tree::repeat(item, min, max, greedy);
        self.frame.items.push(if possessive { Tree::Atomic(Box::new(repeat)) } else { repeat });
        self.frame.quantifiable = false;
        Ok(())
    }
}

/// The decimal number at the front, and what follows it.
fn number(text: &[u8]) -> Option<(u32, &[u8])> {
    let len = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(len).filter(|_| len > 0)?;
    let value =
        digits.iter().fold(0u32, |value, digit| value.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
    Some((value, rest))
}
