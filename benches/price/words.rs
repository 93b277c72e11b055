//! The search for words, for windows and for phrases.

use crate::chance::Chance;
use crate::inputs::prose;
use crate::scanners::rulesets;
use crate::table::Table;
use crate::texts::{SIZE, Text, around, random, shuffled, text};
use fusewall::byteset::ByteSet;
use fusewall::meter::Meter;
use fusewall::scan::require::{PLACES, Place, Window};
use fusewall::scan::{Literals, Phrases, Windows};

pub fn rows(table: &mut Table) {
    let few =
        ["union", "select", "<script", "/etc/passwd", "aaaa", "aa!", "onload", "cmd.exe", "${jndi"].map(str::to_owned);
    literals(table, "words: grams", &few);
    phrases(table, "@pm, 9 phrases", &few);
    let nested: Vec<String> = (1..=200).map(|length| "a".repeat(length)).collect();
    literals(table, "words: nested, an automaton", &nested);
    literals(table, "words: a short one, an automaton", &["ab", "union", "b;"].map(str::to_owned));
    for count in [1_000, 20_000] {
        let list = made(count);
        literals(table, &format!("words: {count}"), &list);
        phrases(table, &format!("@pm, {count} phrases"), &list);
    }
    windows(table);
    for (name, loaded) in rulesets() {
        let words: Vec<String> =
            loaded.program().literals.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        if let Some(search) = loaded.literals(false) {
            let mut hits = vec![0; search.len().div_ceil(64)];
            let texts = of_words(&words);
            table.both(&format!("words of {name}"), &prose(SIZE), &texts, |text| {
                let mut meter = Meter::unlimited();
                hits.fill(0);
                search.scan(text, &mut hits, &mut meter).expect("unlimited");
                meter.spent()
            });
        }
        if let Some(search) = loaded.windows(1) {
            table.both(&format!("windows of {name}"), &prose(SIZE), &of_words(&words), |text| {
                let mut meter = Meter::unlimited();
                std::hint::black_box(search.scan(text, &mut meter).expect("unlimited"));
                meter.spent()
            });
        }
    }
}

/// Words that are not alike.
fn made(count: usize) -> Vec<String> {
    let mut chance = Chance::new(count as u64);
    (0..count)
        .map(|_| {
            let length = 4 + chance.below(12);
            (0..length).map(|_| char::from(*chance.pick(b"abcdefghijklmnopqrstuvwxyz0123456789_-./ "))).collect()
        })
        .collect()
}

/// Texts for a search for words: the words, whole, without an end, without a beginning, in an order of chance.
fn of_words(words: &[String]) -> Vec<Text> {
    let few: Vec<&str> = words.iter().map(String::as_str).take(12).collect();
    let mut texts = around(&few);
    let all: Vec<&str> = words.iter().map(String::as_str).collect();
    let cut =
        |from: fn(&str) -> &str| all.iter().map(|word| from(word)).filter(|word| !word.is_empty()).collect::<Vec<_>>();
    let ends = cut(|word| word.get(1..).unwrap_or(word));
    let starts = cut(|word| word.get(..word.len() - 1).unwrap_or(word));
    let fours = cut(|word| word.get(..4).unwrap_or(word));
    let middles = cut(|word| word.get(word.len() / 2..).unwrap_or(word));
    for (name, pieces) in [
        ("words", &all),
        ("words without a beginning", &ends),
        ("words without an end", &starts),
        ("four letters of words", &fours),
        ("halves of words", &middles),
    ] {
        if !pieces.is_empty() {
            texts.push(text(format!("{name} by chance"), shuffled(pieces, SIZE)));
            texts.push(text(format!("{name} by chance, 40 bytes"), shuffled(pieces, 40)));
        }
    }
    texts
}

fn literals(table: &mut Table, name: &str, words: &[String]) {
    let numbered: Vec<_> = words.iter().map(String::as_bytes).zip(0..).collect();
    let literals = Literals::build(&numbered, words.len()).expect("small");
    let mut hits = vec![0; literals.len().div_ceil(64)];
    table.both(name, &prose(SIZE), &of_words(words), |text| {
        let mut meter = Meter::unlimited();
        hits.fill(0);
        literals.scan(text, &mut hits, &mut meter).expect("unlimited");
        meter.spent()
    });
}

fn phrases(table: &mut Table, name: &str, words: &[String]) {
    let phrases: Vec<Box<[u8]>> = words.iter().map(|word| word.as_bytes().into()).collect();
    let phrases = Phrases::build(&phrases).expect("small");
    let mut texts = of_words(words);
    // A phrase that is found ends the search.
    let alphabet: Vec<u8> = b"abcdefghijklmnopqrstuvwxyz0123456789_-./ ".to_vec();
    texts.push(text("their letters by chance", random(&alphabet, SIZE)));
    table.both(name, &prose(SIZE), &texts, |text| {
        let mut meter = Meter::unlimited();
        std::hint::black_box(phrases.find(text, &mut meter).expect("unlimited"));
        meter.spent()
    });
}

/// As many windows as one search may have, of bytes by chance.
fn windows(table: &mut Table) {
    let mut chance = Chance::new(3);
    let mut place =
        || Place { bytes: (0..20).fold(ByteSet::EMPTY, |set, _| set.with(chance.below(256) as u8)), end: false };
    let all: Vec<Window> =
        (0..Windows::MOST).map(|_| Window(std::array::from_fn::<_, PLACES, _>(|_| place()))).collect();
    let windows = Windows::new(&all);
    table.both("windows", &prose(SIZE), &around(&["a", "../", "'or'", "\u{e9}", "()<>"]), |text| {
        let mut meter = Meter::unlimited();
        std::hint::black_box(windows.scan(text, &mut meter).expect("unlimited"));
        meter.spent()
    });
}
