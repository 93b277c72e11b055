//! What an opening parenthesis begins: groups, names, flags; and all that is refused there.

use super::Error;
use super::parser::{Flags, Kind, Parser};

/// The longest group name that PCRE2 takes.
const MAX_NAME: usize = 32;

impl<'a> Parser<'a> {
    /// Reads the head of a group.
    pub fn open_group(&mut self) -> Result<(), Error> {
        let start = self.at;
        self.at += 1;
        if self.take(b"*") {
            let name = self.take_while(|byte| byte != b')');
            self.take(b")");
            let error = self.error(start, format!("`(*{}` is not supported", name.escape_ascii()));
            return Err(error.help("verbs steer a backtracking matcher; write `(\\*` for the characters"));
        }
        if !self.take(b"?") {
            let kind = if self.flags.no_capture { Kind::Plain } else { self.next_capture() };
            return self.open(kind, start, self.flags);
        }
        if self.take(b">") {
            self.note(start, "atomic group");
            return self.open(Kind::Atomic, start, self.flags);
        }
        if let Some((behind, negative)) = self.take_look_around() {
            self.note(start, if behind { "look-behind" } else { "look-ahead" });
            return self.open(Kind::Around { behind, negative }, start, self.flags);
        }
        if self.take(b"P=") {
            return self.named_reference(start, b")");
        }
        self.refuse(start)?;
        match self.peek() {
            Some(b':') => {
                self.at += 1;
                self.open(Kind::Plain, start, self.flags)
            }
            Some(b'P' | b'<' | b'\'') => {
                let name = self.name(start)?;
                let kind = self.next_capture();
                self.names.entry(name).or_default().push(self.captures);
                self.open(kind, start, self.flags)
            }
            _ => self.flag_letters(start),
        }
    }

    fn next_capture(&mut self) -> Kind {
        self.captures += 1;
        Kind::Capture(self.captures)
    }

    /// `=`, `!`, `<=`, `<!`: whether it looks behind, and whether it is negative.
    fn take_look_around(&mut self) -> Option<(bool, bool)> {
        [(&b"="[..], false, false), (b"!", false, true), (b"<=", true, false), (b"<!", true, true)]
            .into_iter()
            .find(|(text, ..)| self.take(text))
            .map(|(_, behind, negative)| (behind, negative))
    }

    /// What is refused: all that changes groups or the matcher itself.
    fn refuse(&mut self, start: usize) -> Result<(), Error> {
        let rest = self.pattern.get(self.at..).unwrap_or_default();
        let (len, what, help) = match rest {
            [b'|', ..] => (
                1,
                "groups that reset the numbers of their branches are not supported",
                "write `(?:` and count the groups in all branches",
            ),
            [b'(', ..] => (1, "conditional groups are not supported", "write the two cases as branches: `(?:...|...)`"),
            [b'C', ..] => (1, "callouts are not supported", "take it out"),
            [b'R' | b'&' | b'0'..=b'9', ..] => {
                (1, "recursion is not supported", "write the pattern out to the depth that is needed")
            }
            [b'+' | b'-', b'0'..=b'9', ..] | [b'P', b'>', ..] => {
                (2, "recursion is not supported", "write the pattern out to the depth that is needed")
            }
            [b'*', ..] => (1, "non-atomic look-around is not supported", "write `(?=` or `(?<=`"),
            [b'<', b'*', ..] => (2, "non-atomic look-around is not supported", "write `(?=` or `(?<=`"),
            _ => return Ok(()),
        };
        self.at += len;
        Err(self.error(start, what).help(help))
    }

    /// `P<name>`, `<name>`, `'name'`.
    fn name(&mut self, start: usize) -> Result<&'a [u8], Error> {
        let close: &[u8] = if self.take(b"P<") || self.take(b"<") {
            b">"
        } else if self.take(b"'") {
            b"'"
        } else {
            self.at += 2;
            return Err(self.error(start, "what stands after `(?P` begins no group"));
        };
        let name_at = self.at;
        let name = self.take_while(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if name.is_empty() {
            return Err(self.error(start, "a group name is missing"));
        }
        let message = match name {
            [b'0'..=b'9', ..] => "a group name cannot begin with a digit",
            _ if name.len() > MAX_NAME => "a group name has at most 32 characters",
            _ if !self.looking_at(close) => "a group name consists of letters, digits and `_`",
            _ if self.names.contains_key(name) && !self.flags.duplicate_names => "two groups have this name",
            _ => {
                self.at += 1;
                return Ok(name);
            }
        };
        Err(self.error(name_at, message))
    }

    /// `i m s x n U J`, `^` to begin with none, `-` before those to switch off; then `)` or `:`.
    fn flag_letters(&mut self, start: usize) -> Result<(), Error> {
        let mut flags = self.flags;
        let unset = self.take(b"^");
        if unset {
            flags = Flags { ungreedy: flags.ungreedy, duplicate_names: flags.duplicate_names, ..Flags::default() };
        }
        let mut on = true;
        loop {
            let Some(letter) = self.peek() else {
                return Err(self.error(start, "this parenthesis is never closed"));
            };
            let letter_at = self.at;
            self.at += 1;
            match letter {
                b')' => {
                    self.set_flags(flags);
                    return Ok(());
                }
                b':' => return self.open(Kind::Plain, start, flags),
                b'-' if on && !unset => on = false,
                b'i' => flags.fold = on,
                b'm' => flags.multi_line = on,
                b's' => flags.dot_all = on,
                b'x' => {
                    flags.extended_class = on && self.take(b"x");
                    flags.extended = on;
                }
                b'n' => flags.no_capture = on,
                b'U' => flags.ungreedy = on,
                b'J' => flags.duplicate_names = on,
                _ => {
                    return Err(self
                        .error(letter_at, "what stands after `(?` is neither a group nor a flag")
                        .help("flags are i, m, s, x, n, U and J; write `(\\?` for the characters"));
                }
            }
        }
    }
}
