//! I9: a body cut anywhere is the same body.

use crate::attempt::{ATTACK, FORM, JSON, MULTIPART, XML, field, json_string, percent, post, xml_text};
use crate::oracle::exchange::Exchange;
use crate::row::Row;
use crate::rulesets::{BUILTIN, OWN, Target};
use std::sync::LazyLock;

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    let mut row = Row::new(
        "I9",
        "bodies of every kind cut at each byte, byte by byte, and around the parser's blocks; evaluation paused anywhere",
    );
    let short = cfg!(debug_assertions);
    for (what, exchange) in bodies() {
        for target in [&*OWN, &*BUILTIN] {
            if short && std::ptr::eq(target, &*BUILTIN) {
                continue;
            }
            let whole = exchange.evaluate(&target.waf).verdict();
            let length = exchange.body.len();
            for cut in 0..=length.min(600) {
                let mut first = Some(cut.max(1));
                let cut_there =
                    verdict(&exchange, target, &mut || u64::MAX, &mut || first.take().unwrap_or(usize::MAX));
                row.hold(cut_there == whole, || format!("{what}, cut at {cut} ({})", target.name));
            }
            for piece in [1, 2, 3, 7, 4095, 4096, 4097] {
                let pieces = verdict(&exchange, target, &mut || u64::MAX, &mut || piece);
                row.hold(pieces == whole, || format!("{what}, in pieces of {piece} ({})", target.name));
            }
            for fuel in [1, 100, 10_000] {
                let paused = verdict(&exchange, target, &mut || fuel, &mut || 500);
                row.hold(paused == whole, || format!("{what}, in turns of {fuel} fuel ({})", target.name));
            }
        }
    }
    row
});

fn verdict(
    exchange: &Exchange,
    target: &Target,
    fuel: &mut dyn FnMut() -> u64,
    piece: &mut dyn FnMut() -> usize,
) -> Option<fusewall::Verdict> {
    exchange.evaluate_paused(&target.waf, fuel, piece).verdict()
}

/// A small body of each kind, and one whose tokens lie across the edge of a block.
fn bodies() -> Vec<(String, Exchange)> {
    let mut all = Vec::new();
    for before in [0, 4080] {
        let x = "x".repeat(before);
        for (kind, content_type, body) in [
            ("form", FORM, format!("a={x}%41%&q={}&%zz=+", percent(ATTACK))),
            (
                "JSON",
                JSON,
                format!("{{\"a\":\"{x}\\ud83d\\ude00\\u0041é\",\"q\":[1,-2.5e3,null,\"{}\"]}}", json_string(ATTACK)),
            ),
            ("broken JSON", JSON, format!("{{\"a\":\"{x}\\ud83d\\u00\",'q':{}}}", ATTACK)),
            (
                "XML",
                XML,
                format!(
                    "<?xml version='1.0'?>\r\n<a b='{x}\r\n&#65;&lt;'>\r<!-- c --><![CDATA[]]]>é</a><?p i?>{}",
                    xml_text(ATTACK)
                ),
            ),
            (
                "multipart",
                MULTIPART,
                format!(
                    "{}--B\r\nContent-Disposition: form-data; name=\"f\"; filename*=utf-8''%41\r\n\r\n{x}\r\n--Bx\r\n\r--B\n{}\r\n--B--\r\n",
                    field("q", ATTACK),
                    "é"
                ),
            ),
            ("text", "text/plain", format!("{x}{ATTACK}é")),
        ] {
            all.push((format!("{kind} after {before} bytes"), post(content_type, body)));
        }
    }
    all
}

#[test]
fn a_body_in_pieces_is_the_same_body() {
    ROW.assert();
}
