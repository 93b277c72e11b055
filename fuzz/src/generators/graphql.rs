//! GraphQL documents, and what their clients choose in them.

use super::super::oracle::generate::Choices;
use super::one;

/// A name and a value.
type Leaf = (String, String);

const NAMES: &[&str] = &["user", "name", "a", "__typename", "on", "x1", "query"];

/// What is ignored between tokens.
const BLANKS: &[&str] = &[" ", "\n", ",", " # {\"(\n", "\t", " , ", "\r\n"];

/// How deep selections and values nest.
const DEPTH: usize = 4;

/// A document and its leaves in order.
pub fn graphql(from: &mut Choices<'_>) -> (String, Vec<Leaf>) {
    let mut document = Document { from, text: String::new(), leaves: Vec::new() };
    for _ in 0..1 + document.from.below(2) {
        document.operation();
    }
    (document.text, document.leaves)
}

struct Document<'c, 'd> {
    from: &'c mut Choices<'d>,
    text: String,
    leaves: Vec<Leaf>,
}

impl Document<'_, '_> {
    fn write(&mut self, token: &str) {
        self.text.push_str(token);
        let blank = one(self.from, BLANKS);
        self.text.push_str(blank);
    }

    fn leaf(&mut self, name: &str, value: &str) {
        self.leaves.push((name.to_owned(), value.to_owned()));
    }

    /// An operation or a fragment: each word outside of braces is a value.
    fn operation(&mut self) {
        let path = "graphql";
        match self.from.below(3) {
            // With white space in between: a brace and a quote would be JSON.
            0 => {}
            1 => {
                let kind = one(self.from, &["query", "mutation", "subscription"]);
                for word in [kind, "Search"] {
                    self.write(word);
                    self.leaf(path, word);
                }
                if self.from.one_in(2) {
                    self.variables();
                }
                self.directives(path);
            }
            _ => {
                for word in ["fragment", "F", "on", "T"] {
                    self.write(word);
                    self.leaf(path, word);
                }
            }
        }
        self.selection(path, DEPTH);
    }

    /// `($v: Int = 3)`: type and default are values of the variable.
    fn variables(&mut self) {
        self.write("(");
        for name in ["$v", "$w"] {
            self.write(&format!("{name}:"));
            let path = format!("graphql.{name}");
            let marks = one(self.from, &["Int", "String!"]);
            self.write(marks);
            self.leaf(&path, marks.trim_end_matches('!'));
            if self.from.one_in(2) {
                self.write("=");
                self.value(&path, 2);
            }
        }
        self.write(")");
    }

    fn selection(&mut self, path: &str, depth: usize) {
        self.write("{");
        for _ in 0..1 + self.from.below(3) {
            if self.from.one_in(4) {
                self.spread(path, depth);
            } else {
                self.field(path, depth);
            }
        }
        self.write("}");
    }

    fn field(&mut self, path: &str, depth: usize) {
        let alias = if self.from.one_in(3) { one(self.from, NAMES) } else { "" };
        let name = one(self.from, NAMES);
        if !alias.is_empty() {
            self.write(&format!("{alias}:"));
        }
        self.write(name);
        let path = format!("{path}.{name}");
        self.leaf(&path, alias);
        if self.from.one_in(3) {
            self.arguments(&path);
        }
        self.directives(&path);
        if depth > 0 && self.from.one_in(3) {
            self.selection(&path, depth - 1);
        }
    }

    /// `...F`, `... on T { }`. The latter nests: without a bound, deeper than readers go.
    fn spread(&mut self, path: &str, depth: usize) {
        self.write("...");
        if self.from.one_in(2) && depth > 0 {
            for word in ["on", "T"] {
                self.write(word);
                self.leaf(path, word);
            }
            self.selection(path, depth - 1);
        } else {
            self.write("F");
            self.leaf(path, "F");
        }
    }

    fn directives(&mut self, path: &str) {
        for _ in 0..self.from.below(3) {
            let name = one(self.from, &["@include", "@skip", "@a"]);
            self.write(name);
            let path = format!("{path}.{name}");
            self.leaf(&path, "");
            if self.from.one_in(2) {
                self.arguments(&path);
            }
        }
    }

    fn arguments(&mut self, path: &str) {
        self.write("(");
        for _ in 0..1 + self.from.below(2) {
            let name = one(self.from, NAMES);
            self.write(&format!("{name}:"));
            self.value(&format!("{path}.{name}"), DEPTH);
        }
        self.write(")");
    }

    fn value(&mut self, path: &str, depth: usize) {
        match self.from.below(if depth == 0 { 4 } else { 6 }) {
            0 | 1 => {
                let word = one(self.from, &["1", "-2.5e+1", "true", "null", "ENUM", "$v", "0"]);
                self.write(word);
                self.leaf(path, word);
            }
            2 => {
                let (mut text, mut value) = (String::new(), String::new());
                for _ in 0..self.from.below(5) {
                    let (written, meant) = one(self.from, STRING);
                    text.push_str(written);
                    value.push_str(meant);
                }
                self.write(&format!("\"{text}\""));
                self.leaf(path, &value);
            }
            3 => {
                let (mut text, mut value) = (String::new(), String::new());
                for _ in 0..self.from.below(5) {
                    let (written, meant) = one(self.from, BLOCK);
                    text.push_str(written);
                    value.push_str(meant);
                }
                // A quote at the end would be one of those that close.
                self.write(&format!("\"\"\"{text}.\"\"\""));
                self.leaf(path, &(value + "."));
            }
            4 => {
                self.write("[");
                for element in 0..self.from.below(3) {
                    self.value(&format!("{path}.{element}"), depth - 1);
                }
                self.write("]");
            }
            _ => {
                self.write("{");
                for _ in 0..self.from.below(3) {
                    let name = one(self.from, NAMES);
                    self.write(&format!("{name}:"));
                    self.value(&format!("{path}.{name}"), depth - 1);
                }
                self.write("}");
            }
        }
    }
}

/// Pieces of a string, as written and as meant.
const STRING: &[(&str, &str)] = &[
    ("a", "a"),
    ("<script>", "<script>"),
    ("\\\"", "\""),
    ("\\\\", "\\"),
    ("\\/", "/"),
    ("\\n", "\n"),
    ("\\t", "\t"),
    ("\\u0041", "A"),
    ("\\u{1F600}", "\u{1F600}"),
    ("\\uD83D\\uDE00", "\u{1F600}"),
    ("{", "{"),
    ("#", "#"),
    ("\u{e9}", "\u{e9}"),
    ("'", "'"),
    ("\\b", "\u{8}"),
];

/// Pieces of a block string, as written and as meant.
const BLOCK: &[(&str, &str)] = &[
    ("a", "a"),
    ("\n", "\n"),
    ("\\\"\"\"", "\"\"\""),
    ("\\", "\\"),
    ("\"a", "\"a"),
    ("\"\"b", "\"\"b"),
    ("\\n", "\\n"),
    ("}", "}"),
    ("  ", "  "),
];
