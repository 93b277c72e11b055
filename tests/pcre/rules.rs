//! The patterns of the Core Rule Set, read with a small scan of the rule files, and texts of the corpora.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

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

/// Some `count` texts from each of these corpora, spread evenly over it: targets, their parameters decoded, headers and bodies, at
/// most 400 bytes of each. None if the corpus is not there.
pub fn texts(names: &[&str], count: usize) -> Vec<Vec<u8>> {
    let root = std::env::var_os("FUSEWALL_CORPUS_DIR").map_or("../shared/corpus".into(), PathBuf::from);
    let mut texts = BTreeSet::new();
    for name in names {
        let path = root.join(format!("{name}.jsonl.gz"));
        let Ok(file) = std::fs::File::open(&path) else {
            println!("left out: the texts of {name} ({} is not there)", path.display());
            continue;
        };
        let mut lines = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut lines).expect("a corpus");
        let lines: Vec<&str> = lines.lines().collect();
        let before = texts.len();
        for line in lines.iter().step_by((lines.len() / count).max(1)) {
            let request: serde_json::Value = serde_json::from_str(line).expect("a request");
            let mut add = |text: &[u8]| texts.insert(text[..text.len().min(400)].to_vec());
            for piece in request["uri"].as_str().unwrap_or_default().split(['?', '&']) {
                add(piece.as_bytes());
                add(&percent_decoded(piece.split_once('=').map_or(piece, |(_, value)| value)));
            }
            if let Some(header) = request["headers"].as_array().and_then(|headers| headers.last()) {
                add(header[1].as_str().unwrap_or_default().as_bytes());
            }
            if let Some(body) = request["body_b64"].as_str() {
                add(&BASE64_STANDARD.decode(body).expect("a body"));
            }
            if texts.len() >= before + count {
                break;
            }
        }
    }
    texts.into_iter().collect()
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        rest = match code.filter(|_| byte == b'%') {
            Some(code) => {
                bytes.push(code);
                &after[2..]
            }
            None => {
                bytes.push(if byte == b'+' { b' ' } else { byte });
                after
            }
        };
    }
    bytes
}
