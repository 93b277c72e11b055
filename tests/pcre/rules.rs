//! The patterns of the Core Rule Set, read with a small scan of the rule files, and texts of the corpora.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The distinct `@rx` patterns, and how many operators they come from; none if the rules are not there.
pub fn patterns() -> Option<(BTreeSet<Vec<u8>>, usize)> {
    let root = std::env::var_os("FUSEWALL_CONFORMANCE_DIR").map_or("../shared/conformance".into(), PathBuf::from);
    let Ok(files) = std::fs::read_dir(root.join("crs/rules")) else {
        println!("left out: the patterns of the Core Rule Set ({} is not there)", root.display());
        return None;
    };
    let (mut patterns, mut count) = (BTreeSet::new(), 0);
    for file in files.flatten().filter(|file| file.path().extension().is_some_and(|ext| ext == "conf")) {
        let text = std::fs::read_to_string(file.path()).expect("a rule file");
        let text: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
        let text = text.join("\n").replace("\\\n", "");
        for (at, start) in text.match_indices("\"@rx ").chain(text.match_indices("\"!@rx ")) {
            patterns.insert(argument(&text[at + start.len()..]));
            count += 1;
        }
    }
    Some((patterns, count))
}

/// Up to the closing quotation mark; a backslash before one is not part of the pattern.
fn argument(text: &str) -> Vec<u8> {
    let (mut pattern, mut bytes) = (Vec::new(), text.bytes().peekable());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' if bytes.peek() == Some(&b'"') => continue_with(&mut pattern, bytes.next()),
            b'\\' => {
                pattern.push(byte);
                continue_with(&mut pattern, bytes.next());
            }
            _ => pattern.push(byte),
        }
    }
    pattern
}

fn continue_with(pattern: &mut Vec<u8>, byte: Option<u8>) {
    pattern.extend(byte);
}
