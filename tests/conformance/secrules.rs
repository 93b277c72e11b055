//! The unit cases of the SecLang test suite: one test per file. Transformations are asked directly, operators through a rule.

use crate::unusable::Reason;
use fusewall::engine::Event;
use fusewall::net::IpSet;
use fusewall::ops::byte_range;
use fusewall::plan::Options;
use fusewall::transform::{Changed, Context, Transformation};
use fusewall::{Transaction, Waf};
use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Case {
    input: String,
    #[serde(default)]
    output: String,
    #[serde(default)]
    param: String,
    #[serde(default)]
    re_groups: Vec<String>,
    #[serde(default)]
    resource: Option<String>,
    ret: i32,
}

/// Judged by what stands before the first NUL, because the suite's own runner takes the JSON strings for C strings. In the case
/// that needs it the rest was garbled when it was converted from ModSecurity's own tests: `\0` followed by two spaces, a CSS escape
/// that swallows one of them, became a backslash, a NUL byte and two spaces, yet still expects one.
const JUDGED_BEFORE_NUL: &str = "cssDecode";

/// The tests of both parts of the suite; how many cases they hold, and why others cannot be used.
pub fn trials(folder: &Path) -> (Vec<Trial>, usize, Vec<Reason>) {
    let (mut trials, mut usable, mut reasons) = (Vec::new(), 0, Vec::new());
    for part in ["transformations", "operators"] {
        for file in files(&folder.join(part)) {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let (folder, title) = (folder.to_path_buf(), format!("secrules::{part}::{name}"));
            let cases: Vec<Case> = match read(&file) {
                Ok(cases) => cases,
                Err(why) => {
                    trials.push(Trial::test(title, move || Err(why.into())));
                    continue;
                }
            };
            let unusable = cases.iter().filter_map(|case| case.reason(&name));
            reasons.extend(unusable);
            let cases: Vec<_> = cases.into_iter().filter(|case| case.reason(&name).is_none()).collect();
            usable += cases.len();
            trials.push(Trial::test(title, move || {
                let judge = |case: &Case| match part {
                    "transformations" => transformation(&name, case),
                    _ => operator(&name, case, &folder),
                };
                let wrong = |(at, case)| judge(case).err().map(|why| format!("[{at}] {why}"));
                let wrong: Vec<_> = cases.iter().enumerate().filter_map(wrong).collect();
                if wrong.is_empty() { Ok(()) } else { Err(Failed::from(wrong.join("\n"))) }
            }));
        }
    }
    (trials, usable, reasons)
}

fn read(file: &Path) -> Result<Vec<Case>, String> {
    serde_json::from_slice(&std::fs::read(file).map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}

impl Case {
    /// Why the case says nothing about an engine like ours.
    fn reason(&self, name: &str) -> Option<Reason> {
        match self.resource.as_deref() {
            Some("geoip") => return Some(Reason::LegacyGeoIp),
            Some("ssdeep") => return Some(Reason::Ssdeep),
            _ => {}
        }
        // v3 makes something of it when a request comes.
        let refused = match name {
            "validateByteRange" => byte_range::parse(&self.param).is_err(),
            "ipMatch" => self.param.split(',').any(|network| IpSet::parse_entry(network).is_err()),
            _ => false,
        };
        refused.then_some(Reason::OrderOfLaw("an argument that is no list of bytes or no network does not load"))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    files.sort();
    files
}

/// The bytes that the suite means: `\xNN` and `\uNNNN` that are still in the text after JSON has been read are one byte each. The
/// suite's own runner takes any letters for N and lets `sscanf` find what number it can; so the value is that of the hexadecimal
/// digits in front.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let width = match rest {
            [b'\\', b'x', ..] => 2,
            [b'\\', b'u', ..] => 4,
            _ => 0,
        };
        let digits = rest.get(2..2 + width).filter(|digits| width > 0 && digits.iter().all(u8::is_ascii_alphanumeric));
        match digits {
            Some(digits) => {
                let number = digits.iter().map_while(|&byte| char::from(byte).to_digit(16));
                bytes.push(number.fold(0, |value, digit| value << 4 | digit) as u8);
                rest = &rest[2 + width..];
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    bytes
}

fn transformation(name: &str, case: &Case) -> Result<(), String> {
    let transformation = Transformation::from_name(name).ok_or("no such transformation")?;
    let cut = name == JUDGED_BEFORE_NUL;
    let read = |text: &str| bytes(text.split('\0').next().filter(|_| cut).unwrap_or(text));
    let (input, expected) = (read(&case.input), read(&case.output));
    let mut out = Vec::new();
    let changed = transformation.apply(&input, &mut out, &Context::default());
    let got = if changed == Changed::Yes { &out } else { &input };
    // `ret` says "changed", but for some transformations it is always 1: the bytes decide.
    if *got == expected && (changed == Changed::Yes) == (input != expected) {
        return Ok(());
    }
    let show = |bytes: &[u8]| bytes.escape_ascii().to_string();
    Err(format!("\"{}\" -> \"{}\", expected \"{}\"", show(&input), show(got), show(&expected)))
}

fn operator(name: &str, case: &Case, folder: &Path) -> Result<(), String> {
    let waf = load(name, &case.param, folder)?;
    let mut transaction = waf.transaction();
    transaction.record_trace();
    transaction.process_request_line(b"GET", b"/", b"HTTP/1.1");
    transaction.add_request_header(b"Value", &bytes(&case.input));
    let matched = transaction.process_request_headers().is_some();
    if matched != (case.ret == 1) {
        return Err(format!("{:?} on {:?} gives {matched}, expected {}", case.param, case.input, case.ret));
    }
    groups(name, &transaction, &case.re_groups)
}

/// `re_groups` lists what the first match captures, then (of `@rxGlobal`) the next ones. Empty matches between others are listed by
/// one engine and left out by another.
fn groups(name: &str, transaction: &Transaction, expected: &[String]) -> Result<(), String> {
    let tested = transaction.trace().iter().find_map(|event| match event {
        Event::Tested(test) => Some(test),
        _ => None,
    });
    let Some(tested) = tested.filter(|_| !expected.is_empty()) else { return Ok(()) };
    let global = name == "rxGlobal";
    let wanted = |text: &[u8]| !global || !text.is_empty();
    let value = tested.tested();
    let found: Vec<_> =
        tested.spans.iter().map(|&(start, end)| &value[start..end]).filter(|text| wanted(text)).collect();
    let expected: Vec<_> = expected.iter().map(String::as_bytes).filter(|text| wanted(text)).collect();
    if found.starts_with(&expected) && (global || found.len() == expected.len()) {
        return Ok(());
    }
    Err(format!("captured {found:?}, expected {expected:?}"))
}

/// A rule that refuses a request whose header `Value` the operator matches.
fn load(name: &str, parameter: &str, folder: &Path) -> Result<Waf, String> {
    // A line feed ends a directive; in a pattern it can be written as an escape.
    let parameter =
        parameter.replace('\n', "\\n").replace("test-cases/secrules-language-tests", &folder.to_string_lossy());
    let mut argument = String::new();
    for (at, char) in parameter.char_indices() {
        let next = parameter[at + char.len_utf8()..].chars().next();
        if char == '"' || char == '\\' && next.is_none_or(|next| next == '\\' || next == '"') {
            argument.push('\\');
        }
        argument.push(char);
    }
    let rule = format!("SecRule REQUEST_HEADERS:Value \"@{name} {argument}\" \"id:1,phase:1,deny,capture,t:none\"");
    let options = Options { spans: true, ..Options::default() };
    let waf = Waf::builder().planner(options).rules_text("unit.conf", format!("SecRuleEngine On\n{rule}\n"));
    waf.build().map_err(|report| report.to_string())
}
