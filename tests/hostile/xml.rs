//! I10: XML that says more than it seems to.

use crate::attempt::{ATTACK, Attempt, Expected, XML, post, xml_text};
use crate::json::encodings;
use crate::row::Row;
use std::sync::LazyLock;

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    Row::of(
        "I10",
        "XML: document types, entities, CDATA, attributes, namespaces, instructions, encodings, depth 100,000",
        attempts(),
    )
});

/// `@` stands for the attack as text.
const DOCUMENTS: &[(&str, Expected)] = &[
    ("<a>@</a>", Expected::Found),
    ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<a>@</a>\r\n", Expected::Found),
    ("<a><b/><c></c><d>@</d></a>", Expected::Found),
    ("<a b='@'/>", Expected::Found),
    ("<a b=\"@\" c='x'/>", Expected::Found),
    ("<a\n\tb\n=\n'@'\n/>", Expected::Found),
    ("<n:a xmlns:n='urn:x' n:b='@'/>", Expected::Found),
    ("<a xmlns='@'/>", Expected::Found),
    ("<a xmlns:n='@'/>", Expected::Found),
    ("<a>x<!-- c -->@</a>", Expected::Found),
    ("<a><?pi @?></a>", Expected::Found),
    ("<?xml-stylesheet href=\"@\"?><a/>", Expected::Found),
    ("<a>&amp;@</a>", Expected::Found),
    ("<a>\r\n@\r\n</a>", Expected::Found),
    // Not well-formed, and read all the same.
    ("<a b='x' b='@'/>", Expected::FoundAndRefused),
    ("<a b='@' b='x'/>", Expected::FoundAndRefused),
    ("<a b=@ />", Expected::FoundAndRefused),
    ("<a b>@</a>", Expected::FoundAndRefused),
    ("<a>@</b>", Expected::FoundAndRefused),
    ("<a>@", Expected::FoundAndRefused),
    ("<a b='@", Expected::FoundAndRefused),
    ("<a>x</a>@", Expected::FoundAndRefused),
    ("@<a>x</a>", Expected::FoundAndRefused),
    ("<a/><b>@</b>", Expected::FoundAndRefused),
    ("</a>@", Expected::FoundAndRefused),
    ("<a>\0@</a>", Expected::FoundAndRefused),
    ("<a>\u{1}@</a>", Expected::FoundAndRefused),
    ("<a>&undeclared;@</a>", Expected::FoundAndRefused),
    ("<a>&#0;@</a>", Expected::FoundAndRefused),
    ("<a>&#x110000;@</a>", Expected::FoundAndRefused),
    ("<a>& @</a>", Expected::FoundAndRefused),
    ("<a>1 < 2 @</a>", Expected::FoundAndRefused),
    ("<a><![CDATA[x]]</a>@", Expected::Refused),
    ("<a><!-- @</a>", Expected::Refused),
    ("<a><!NOTHING @></a>", Expected::Refused),
    ("<?xml version='1.0' encoding='UTF-7'?><a>@</a>", Expected::FoundAndRefused),
    ("<?xml version='1.0' encoding='ibm037'?><a>@</a>", Expected::FoundAndRefused),
    ("<?xml version='1.0' encoding='utf-16'?><a>@</a>", Expected::FoundAndRefused),
    // Entities and document types: nothing is expanded, nothing fetched, everything told.
    ("<!DOCTYPE a><a>@</a>", Expected::Found),
    ("<!DOCTYPE a><a>x</a>", Expected::Flagged),
    ("<!DOCTYPE a SYSTEM \"http://evil.example/x.dtd\"><a>x</a>", Expected::Flagged),
    ("<!DOCTYPE a PUBLIC \"-//x\" 'file:///etc/passwd'><a>x</a>", Expected::Flagged),
    ("<!doctype a SYSTEM 'x'><a>x</a>", Expected::Refused),
    ("<!DOCTYPE a [<!ENTITY e '@'>]><a>&e;</a>", Expected::Refused),
    ("<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>", Expected::Refused),
    ("<!DOCTYPE a [<!ENTITY % e SYSTEM 'http://evil.example/x'> %e;]><a>x</a>", Expected::Refused),
    ("<!DOCTYPE a [<!ATTLIST a b CDATA '@'>]><a/>", Expected::Refused),
    (
        "<!DOCTYPE a [<!ENTITY a 'lol'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]><a>&c;</a>",
        Expected::Refused,
    ),
    // Harmless.
    (
        "<?xml version='1.0' encoding='utf-8' standalone='yes'?><a xmlns='urn:x' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:nil='true'>x &lt; y &#233;</a>",
        Expected::Nothing,
    ),
    ("<?xml version='1.0' encoding='iso-8859-1'?><a>x</a>", Expected::Nothing),
    (
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><b a='1'/></s:Body></s:Envelope>",
        Expected::Nothing,
    ),
    ("", Expected::Nothing),
];

fn attempts() -> Vec<Attempt> {
    let mut attempts = Vec::new();
    let numbers: String = ATTACK.bytes().map(|byte| format!("&#{byte};")).collect();
    let hexadecimal: String = ATTACK.bytes().map(|byte| format!("&#x{byte:04X};")).collect();
    for (document, expected) in DOCUMENTS {
        for spelling in [xml_text(ATTACK), numbers.clone(), hexadecimal.clone()] {
            // Instructions know no references.
            let no_references = document.contains("<?pi") || document.contains("<?xml-style");
            if no_references && spelling.starts_with("&#") {
                continue;
            }
            for content_type in [XML, "text/xml; charset=utf-8", "application/soap+xml"] {
                let document = document.replace('@', &spelling);
                attempts.push(Attempt::new(document.clone(), post(content_type, document), *expected));
            }
            if *expected == Expected::Nothing {
                break;
            }
        }
    }
    // The attack in pieces that the recipient's reader puts together.
    for document in [
        "<a><![CDATA[attack<script>alert(1)</script>]]></a>",
        "<a>att<![CDATA[ack<script>]]>alert(1)&lt;/script></a>",
        "<a>att<!-- c -->ack&lt;script>alert(1)&lt;/script></a>",
        "<a>att<?c ?>ack&lt;script>alert(1)&lt;/script></a>",
        "<a>att&#97;ck&lt;script>alert(1)&lt;/script></a>",
        "<a><b>att</b>ack&lt;script>alert(1)&lt;/script></a>",
    ] {
        attempts.push(Attempt::new(document, post(XML, document), Expected::Found));
    }
    for (name, bytes) in encodings(&format!("<a>{}</a>", xml_text(ATTACK))) {
        attempts.push(Attempt::new(format!("XML in {name}"), post(XML, bytes), Expected::Refused));
    }
    for broken in [&b"\xff"[..], b"\xc0\xaf", b"\xe2\x82", b"\xed\xa0\x80"] {
        let body = [b"<a>", broken, xml_text(ATTACK).as_bytes(), b"</a>"].concat();
        attempts.push(Attempt::new(
            format!("not UTF-8: {}", body.escape_ascii()),
            post(XML, body.clone()),
            Expected::FoundAndRefused,
        ));
        let told = [b"<?xml version='1.0' encoding='ISO-8859-1'?>", body.as_slice()].concat();
        attempts.push(Attempt::new("told to be ISO-8859-1", post(XML, told), Expected::Found));
    }
    for depth in [10, 512, 513, 100_000] {
        let (inside, after) = ("<a>".repeat(depth), "</a>".repeat(depth));
        let expected = if depth <= 512 { Expected::Found } else { Expected::Refused };
        attempts.push(Attempt::new(
            format!("{depth} deep"),
            post(XML, format!("{inside}{}{after}", xml_text(ATTACK))),
            expected,
        ));
        let attributes = format!("{}<a b='{}'>{after}", "<a>".repeat(depth - 1), xml_text(ATTACK));
        attempts.push(Attempt::new(format!("an attribute {depth} deep"), post(XML, attributes), expected));
    }
    attempts
}

#[test]
fn nothing_is_expanded_and_everything_is_seen() {
    ROW.assert();
}
