//! Conversations that are right or nearly: frames with messages, and what becomes of each message.

use super::super::choices::Choices;
use super::agent::{SITE, WAITS};
use super::wire::{ABORT, FIN, Frame, Message, Typed, on_the_wire, put_message, put_number, put_pair};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a message comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comes {
    /// Nothing is said of it.
    ToNothing,
    /// It cannot be judged.
    ToAnError,
    Passes,
    /// With this action, this status and this rule.
    Refused(&'static str, u64, u64),
}

/// What a peer sends, and what becomes of the messages of those frames that are answered.
#[derive(Default)]
pub struct Script {
    pub sent: Vec<u8>,
    /// By the payload: each has messages with ids of their own.
    pub comes: BTreeMap<Vec<u8>, Vec<Comes>>,
}

/// Requests by their query strings.
const QUERIES: &[(&[u8], Comes)] = &[
    (b"q=1", Comes::Passes),
    (b"q=an+attack", Comes::Refused("deny", 406, 10)),
    (b"away=b", Comes::Refused("redirect", 302, 11)),
    (b"gone=1", Comes::Refused("drop", 403, 12)),
    (b"", Comes::Passes),
];

/// A conversation.
pub fn script(from: &mut Choices<'_>) -> Script {
    let mut script = Script { sent: hello(from), ..Script::default() };
    let mut number = 0;
    while !from.0.is_empty() && number < 40 {
        number += 1;
        match from.below(16) {
            0 => odd_frame(from, number, &mut script.sent),
            1 => {
                let bytes = from.below(20);
                script.sent.extend_from_slice(from.bytes(bytes));
            }
            2 => {
                // More is announced than ever comes.
                let length = from.one(&[6u32, 7, 300, 16_380, 16_381, 1 << 20, u32::MAX]);
                script.sent.extend(length.to_be_bytes());
            }
            _ => notify(from, number, &mut script),
        }
    }
    script
}

fn hello(from: &mut Choices<'_>) -> Vec<u8> {
    let text = |text: &str| Typed::Text(text.as_bytes().to_vec());
    let right = !from.one_in(4);
    let mut pick = |usual: Typed, others: &[Option<Typed>]| match right {
        true => Some(usual),
        false => others[from.below(others.len())].clone(),
    };
    let versions = pick(text("2.0"), &[Some(text("1.0, 2.1")), Some(text("3.0")), Some(Typed::Null), None]);
    let sizes =
        [Some(Typed::Number(256)), Some(Typed::Number(255)), Some(Typed::Number(1 << 32)), Some(text("9")), None];
    let size = pick(Typed::Number(16_380), &sizes);
    let capabilities = pick(text("pipelining"), &[Some(Typed::Binary(Vec::new())), Some(Typed::Bool(true)), None]);
    let looks = pick(Typed::Bool(false), &[Some(Typed::Bool(true)), Some(Typed::Number(1)), None]);
    let mut payload = Vec::new();
    let pairs = [("supported-versions", versions), ("max-frame-size", size), ("capabilities", capabilities)];
    for (name, value) in pairs.into_iter().chain([("healthcheck", looks), ("engine-id", Some(text("e")))]) {
        value.iter().for_each(|value| put_pair(&mut payload, name.as_bytes(), value));
    }
    let flags = if right { FIN } else { from.one(&[FIN, 0, FIN | 4]) };
    on_the_wire(&Frame { kind: 1, flags, stream: 0, number: 0, payload }.written())
}

/// A frame of another kind, or one of messages whose head is wrong somewhere.
fn odd_frame(from: &mut Choices<'_>, number: u64, sent: &mut Vec<u8>) {
    let kind = from.one(&[0, 1, 2, 3, 4, 103, 255]);
    let flags = from.one(&[FIN, 0, ABORT, FIN | ABORT, u32::MAX]);
    let length = from.below(40);
    let payload = from.bytes(length).to_vec();
    let mut frame = Frame { kind, flags, stream: u64::MAX, number, payload }.written();
    if from.one_in(4) {
        let end = frame.len() - from.below(frame.len());
        frame.truncate(end);
    }
    sent.extend(on_the_wire(&frame));
}

/// Messages in one frame or in several.
fn notify(from: &mut Choices<'_>, number: u64, script: &mut Script) {
    let stream = from.one(&[0, 1, 240, u64::MAX]);
    let (mut payload, mut comes) = (Vec::new(), Vec::new());
    for _ in 0..from.below(4) {
        let (message, outcomes) = message(from);
        message.iter().for_each(|message| put_message(&mut payload, message));
        comes.extend(outcomes);
    }
    if from.one_in(16) {
        // A length in it that is not there, or one more than there may be.
        match from.one_in(2) {
            true => put_number(&mut payload, 1 << 40),
            false => payload.extend(b"\x01m\x00".repeat(62 + from.below(4))),
        }
    }
    let pieces = from.one(&[1, 1, 1, 2, 3]);
    let size = payload.len() / pieces + 1;
    let mut rest = &payload[..];
    for piece in 0..pieces {
        let (part, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let kind = if piece == 0 { 3 } else { 0 };
        let mut flags = if piece + 1 == pieces { FIN } else { 0 };
        if from.one_in(16) {
            flags |= ABORT;
        }
        let frame = Frame { kind, flags, stream, number, payload: part.to_vec() };
        script.sent.extend(on_the_wire(&frame.written()));
    }
    if !comes.is_empty() {
        script.comes.insert(payload, comes);
    }
}

/// A message, or a request and its response, and what becomes of them.
fn message(from: &mut Choices<'_>) -> (Vec<Message>, Vec<Comes>) {
    // An id that no other message of this process has: who waits is found by it. All are of one length, so that
    // a script is as long as the same one with other ids.
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let id = format!("id-{:08}", NEXT.fetch_add(1, Ordering::Relaxed));
    let (query, comes) = from.one(QUERIES);
    let padding = b"x".repeat(from.one(&[0, 0, 0, 40, 3000, 20_000]));
    match from.below(9) {
        0 => (vec![(b"other".to_vec(), request(SITE, &id, query, &padding))], vec![Comes::ToNothing]),
        1 => (vec![(b"coraza-req".to_vec(), request("nobody", &id, query, &padding))], vec![Comes::ToAnError]),
        2 => {
            // What a request cannot do without.
            let without = from.one(&[&b"method"[..], b"path", b"headers"]);
            let mut arguments = request(SITE, &id, query, b"");
            arguments.retain(|(name, _)| name != without);
            (vec![(b"coraza-req".to_vec(), arguments)], vec![Comes::ToAnError])
        }
        3 => (vec![(b"coraza-res".to_vec(), response(from.one(&[SITE, WAITS]), &id, false))], vec![Comes::ToAnError]),
        4 | 5 => {
            let leaks = from.one_in(2);
            let second = match comes {
                Comes::Passes if leaks => Comes::Refused("deny", 502, 13),
                Comes::Passes => Comes::Passes,
                _ => Comes::ToAnError,
            };
            let request = (b"coraza-req".to_vec(), request(WAITS, &id, query, &padding));
            (vec![request, (b"coraza-res".to_vec(), response(WAITS, &id, leaks))], vec![comes, second])
        }
        _ => (vec![(b"coraza-req".to_vec(), request(SITE, &id, query, &padding))], vec![comes]),
    }
}

fn text(bytes: impl AsRef<[u8]>) -> Typed {
    Typed::Text(bytes.as_ref().to_vec())
}

fn named(arguments: Vec<(&str, Typed)>) -> Vec<(Vec<u8>, Typed)> {
    arguments.into_iter().map(|(name, value)| (name.as_bytes().to_vec(), value)).collect()
}

fn request(application: &str, id: &str, query: &[u8], padding: &[u8]) -> Vec<(Vec<u8>, Typed)> {
    named(vec![
        ("app", text(application)),
        ("id", text(id)),
        ("src-ip", Typed::Address([192, 0, 2, 1].into())),
        ("src-port", Typed::Number(5000)),
        ("method", text("GET")),
        ("path", text("/")),
        ("query", text(query)),
        ("version", text("1.1")),
        ("headers", text([b"host: www.example\r\nx-padding: ", padding, b"\r\n\r\n"].concat())),
    ])
}

fn response(application: &str, id: &str, leaks: bool) -> Vec<(Vec<u8>, Typed)> {
    named(vec![
        ("app", text(application)),
        ("id", text(id)),
        ("status", Typed::Number(200)),
        ("version", text("1.1")),
        ("headers", text(if leaks { "content-length: 0\r\nx-leak: 1\r\n" } else { "content-length: 0\r\n" })),
        ("body", Typed::Null),
    ])
}
