//! I1: floods of arguments, the attack first, in the middle or last.

use crate::attempt::{
    ATTACK, Attempt, Expected, FORM, JSON, MULTIPART, XML, field, get, json_string, percent, post, xml_text,
};
use crate::oracle::exchange::Exchange;
use crate::row::Row;
use std::sync::LazyLock;

/// Makes a request of names and values.
type Container = fn(&[(String, String)]) -> Exchange;

const CONTAINERS: &[(&str, Container)] = &[
    ("query", |pairs| get(&format!("/?{}", urlencoded(pairs)))),
    ("form", |pairs| post(FORM, urlencoded(pairs))),
    ("query and form", |pairs| {
        let (query, form) = pairs.split_at(pairs.len() / 2);
        Exchange { target: format!("/?{}", urlencoded(query)).into(), ..post(FORM, urlencoded(form)) }
    }),
    ("JSON object", |pairs| {
        let members: Vec<_> =
            pairs.iter().map(|(n, v)| format!("\"{}\":\"{}\"", json_string(n), json_string(v))).collect();
        post(JSON, format!("{{{}}}", members.join(",")))
    }),
    ("JSON array of objects", |pairs| {
        let members: Vec<_> =
            pairs.iter().map(|(n, v)| format!("{{\"{}\":\"{}\"}}", json_string(n), json_string(v))).collect();
        post(JSON, format!("[{}]", members.join(",")))
    }),
    ("multipart", |pairs| {
        let parts: String = pairs.iter().map(|(n, v)| field(n, v)).collect();
        post(MULTIPART, parts + "--B--\r\n")
    }),
    ("cookies", |pairs| {
        let cookies: Vec<_> = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect();
        get("/").header("Cookie", &cookies.join("; "))
    }),
    ("cookie headers", |pairs| {
        pairs.iter().fold(get("/"), |request, (n, v)| request.header("Cookie", &format!("{n}={v}")))
    }),
    ("XML elements", |pairs| {
        let elements: String = pairs.iter().map(|(n, v)| format!("<i>{} {}</i>", xml_text(n), xml_text(v))).collect();
        post(XML, format!("<r>{elements}</r>"))
    }),
    ("XML attributes", |pairs| {
        let elements: String =
            pairs.iter().map(|(n, v)| format!("<i a='{}' b='{}'/>", xml_text(n), xml_text(v))).collect();
        post(XML, format!("<r>{elements}</r>"))
    }),
];

fn urlencoded(pairs: &[(String, String)]) -> String {
    let pairs: Vec<_> = pairs
        .iter()
        .map(
            |(name, value)| {
                if value == ATTACK { format!("{name}={}", percent(value)) } else { format!("{name}={value}") }
            },
        )
        .collect();
    pairs.join("&")
}

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    let mut row = Row::new(
        "I1",
        "floods of arguments in query, form, JSON, multipart, cookies and XML, the attack first, in the middle, last",
    );
    for (name, container) in CONTAINERS {
        for count in [10, 999, 1000, 1001, 1002, 10_000] {
            for place in [0, count / 2, count - 1] {
                for in_name in [false, true] {
                    let pairs: Vec<_> = (0..count)
                        .map(|at| match (at == place, in_name) {
                            (true, false) => (format!("a{at}"), ATTACK.to_owned()),
                            (true, true) => ("attack".to_owned(), "<svg onload=alert(1)>".to_owned()),
                            (false, _) => (format!("a{at}"), "v".to_owned()),
                        })
                        .collect();
                    let exchange = container(&pairs);
                    // The limits of arguments, of parts and of headers.
                    let within = count <= 1000 && exchange.headers.len() <= 1000;
                    let expected = if within { Expected::Found } else { Expected::Seen };
                    let what = format!("{name}, {count} arguments, the attack at {place}, in the name: {in_name}");
                    row.take(&Attempt::new(what, exchange, expected));
                }
            }
        }
    }
    row
});

#[test]
fn an_attack_among_many_arguments_is_seen() {
    ROW.assert();
}
