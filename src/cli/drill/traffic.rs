//! Requests that mean no harm, made from a seed: pages, searches, forms, API calls, as browsers send them.

use crate::cli::requests::Prepared;
use std::fmt::Write;

const WORDS: &[&str] = &[
    "garden", "winter", "blue", "chair", "order", "delivery", "street", "coffee", "music", "letter", "paper", "green",
    "travel", "summer", "kitchen", "river", "morning", "small", "history", "school", "price", "window", "market",
];
const PATHS: &[&str] =
    &["/", "/shop", "/search", "/blog/2026/11", "/account/settings", "/api/v2/items", "/static/app.js"];
const NAMES: &[&str] = &["q", "page", "sort", "name", "email", "comment", "city", "id", "lang", "category"];

/// A sequence that is always the same (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % most.max(1) as u64).unwrap_or(0)
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.get(self.below(list.len())).copied().unwrap_or_default()
    }

    fn words(&mut self, most: usize, between: &str) -> String {
        (0..=self.below(most)).map(|_| self.of(WORDS)).collect::<Vec<_>>().join(between)
    }

    /// What people write into a field.
    fn value(&mut self) -> String {
        match self.below(6) {
            0 => self.below(10_000).to_string(),
            1 => format!("{}@{}.example", self.of(WORDS), self.of(WORDS)),
            2 => format!("2026-{:02}-{:02}", 1 + self.below(12), 1 + self.below(28)),
            3 => self.words(12, "+"),
            _ => self.words(3, "+"),
        }
    }

    fn form(&mut self, most: usize) -> String {
        let fields = (0..=self.below(most)).map(|_| format!("{}={}", self.of(NAMES), self.value()));
        fields.collect::<Vec<_>>().join("&")
    }

    fn json(&mut self) -> String {
        let mut text = String::from("{");
        for at in 0..=self.below(8) {
            let (name, value) = (self.of(NAMES), self.value().replace('+', " "));
            let comma = if at == 0 { "" } else { "," };
            // Writing to a String cannot fail.
            let _ = write!(text, "{comma}\"{name}{at}\":\"{value}\"");
        }
        text + "}"
    }
}

/// `count` requests, always the same.
pub fn benign(count: usize) -> Vec<Prepared> {
    let mut dice = Dice(2019);
    let request = |at| {
        let id = format!("benign-{at}");
        match dice.below(4) {
            0 => {
                let body = dice.form(8);
                Prepared::new(id, dice.of(PATHS), Some(("application/x-www-form-urlencoded", body.into_bytes())))
            }
            1 => {
                let body = dice.json();
                Prepared::new(id, dice.of(PATHS), Some(("application/json", body.into_bytes())))
            }
            _ => {
                let target = format!("{}?{}", dice.of(PATHS), dice.form(5));
                Prepared::new(id, &target, None)
            }
        }
    };
    (0..count).map(request).collect()
}

/// A form of one body.
pub fn form(body: impl Into<Vec<u8>>) -> Prepared {
    Prepared::new("form".to_owned(), "/", Some(("application/x-www-form-urlencoded", body.into())))
}
