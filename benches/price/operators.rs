//! Operators other than patterns and phrases.

use crate::inputs::{prose, repeat};
use crate::table::Table;
use crate::texts::{SIZE, Text, around, text};
use fusewall::detect;
use fusewall::meter::Meter;
use fusewall::net::{IpSet, parse_address};
use fusewall::ops::{block_list, byte_range, check_digits, numeric, text as texts, validate};
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub fn rows(table: &mut Table) {
    let sql = [
        "1'/**/`\"",
        "1 or 1=1 ",
        "'",
        "\"",
        "`",
        "/*",
        "*/",
        "--",
        "#",
        "/*!0",
        "@@a ",
        "x'41' ",
        "0x4 ",
        "1e9 ",
        "{a b} ",
        "[a] ",
        "$1",
        "$a$",
        "a.b ",
        "<=>",
        "||",
        "\\",
        "\\'",
        "select ",
        "union select ",
        "0b1 ",
        "q'(a)' ",
        "n'a' ",
        "u&'a'",
        "abcdefghijklmnop ",
        ";",
        "(",
        ",",
        "\u{a0}",
    ];
    table.both("@detectSQLi", &prose(SIZE), &around(&sql), |input| {
        let mut meter = Meter::unlimited();
        black_box(detect::sqli(input, &mut meter).expect("unlimited"));
        meter.spent()
    });
    let xss = [
        "<a b=`",
        "<",
        "<a",
        "<a ",
        "</a>",
        "<!--",
        "-->",
        "<!",
        "<?",
        "<%",
        "<a b=c ",
        "<a b='",
        "<a b=\"x\" ",
        "&#x41;",
        "&#65",
        "&",
        "javascript:",
        "<svg/onload=",
        "/",
        ">",
        "=",
        "'",
        "\"",
        "<![CDATA[",
        "]]>",
        "<a/b/c/d",
        "\0",
        "j&#97;v",
        "x",
        " x",
        "<a style=",
    ];
    table.both("@detectXSS", &prose(SIZE), &around(&xss), |input| {
        let mut meter = Meter::unlimited();
        black_box(detect::xss(input, &mut meter).expect("unlimited"));
        meter.spent()
    });
    searches(table);
    validators(table);
    addresses(table);
}

/// What is looked for in a text, and texts for it.
fn searches(table: &mut Table) {
    let needles: [(&str, &[&str]); 4] = [
        ("aaaaaaaaaaaaaaab", &["a", "aaaaaaaaaaaaaaac", "ab", "b"]),
        ("passwd", &["passw", "p", "d", "wd passw", "pas"]),
        ("a", &["b", "ba", "\u{80}"]),
        ("abababababababababc", &["ab", "ababababababababab", "abc"]),
    ];
    type Search = (&'static str, fn(&[u8], &[u8]) -> bool);
    let all: [Search; 3] = [
        ("@contains", texts::contains),
        ("@containsWord", texts::contains_word),
        ("@within", |value, needle| texts::within(needle, value)),
    ];
    for (name, search) in all {
        for (needle, pieces) in needles {
            table.both(&format!("{name} {needle:.8}"), &prose(SIZE), &around(pieces), |input| {
                black_box(search(black_box(input), needle.as_bytes()));
                texts::SEARCH_PRICE.of(input.len() + needle.len())
            });
        }
    }
    let all: [Search; 3] =
        [("@streq", texts::equal), ("@beginsWith", texts::begins_with), ("@endsWith", texts::ends_with)];
    for (name, search) in all {
        table.both(name, &prose(SIZE), &around(&["a"]), |input| {
            let same = black_box(input.to_vec());
            black_box(search(black_box(input), &same));
            texts::COMPARE_PRICE.of(input.len())
        });
    }
}

fn validators(table: &mut Table) {
    let allowed = byte_range::parse("1-255").expect("a range");
    let hostile = around(&["%41", "%zz", "%", "%4", "\u{e9}", "\u{20ac}", "\u{10348}", "\u{7f}", "a", "\0"]);
    table.both("@validateByteRange", &prose(SIZE), &hostile, |input| {
        black_box(validate::outside_byte_range(black_box(input), &allowed));
        validate::BYTE_RANGE_PRICE.of(input.len())
    });
    table.both("@validateUtf8Encoding", &prose(SIZE), &hostile, |input| {
        black_box(validate::invalid_utf8(black_box(input)));
        validate::UTF8_PRICE.of(input.len())
    });
    table.both("@validateUrlEncoding", &prose(SIZE), &hostile, |input| {
        black_box(validate::invalid_url_encoding(black_box(input)));
        validate::URL_ENCODING_PRICE.of(input.len())
    });
    let numbers = around(&["9", "0", "-", " ", "12 ", "1a", "-1"]);
    table.both("@eq", b"42", &numbers, |input| {
        black_box(numeric::integer(black_box(input)));
        numeric::PRICE.of(input.len())
    });
    type Check = (&'static str, fn(&[u8]) -> bool);
    let checks: [Check; 4] = [
        ("@verifyCC", check_digits::luhn),
        ("@verifyCPF", check_digits::cpf),
        ("@verifySSN", check_digits::ssn),
        ("@verifySVNR", check_digits::svnr),
    ];
    for (name, check) in checks {
        table.both(name, b"79927398713", &around(&["7", "79927398713", "1-", "123-45-6789", "9", "a"]), |input| {
            black_box(check(black_box(input)));
            check_digits::PRICE.of(input.len())
        });
    }
}

fn addresses(table: &mut Table) {
    let v4 = |at: u32| IpAddr::V4(Ipv4Addr::from_bits(at));
    let v6 = |at: u128| IpAddr::V6(Ipv6Addr::from_bits(at));
    let values: Vec<Text> = [
        "1.2.3.4",
        "203.0.113.77",
        "255.255.255.255",
        "::1",
        "2001:db8:1:2:3:4:5:6",
        "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
        "::ffff:1.2.3.4",
        "x",
        "1.2.3.4.5.6.7.8",
        "[::1]",
        "",
        ":::::::",
        "fe80::1%eth0",
    ]
    .into_iter()
    .map(|value| text(format!("{value:?}"), value))
    .chain([text("64 KB of digits", repeat("1.", SIZE)), text("64 KB of colons", repeat(":", SIZE))])
    .collect();
    for count in [1, 100, 200_000_u32] {
        let ranges = (0..count).map(|at| at.wrapping_mul(20_000)).map(|at| (v4(at), v4(at + 3)));
        let wide = (0..count).map(|at| u128::from(at) << 90).map(|at| (v6(at), v6(at + 9)));
        let set = IpSet::from_ranges(ranges.chain(wide).collect());
        table.both(&format!("@ipMatch, {} networks", set.len()), b"192.0.2.1", &values, |value| {
            black_box(parse_address(black_box(value)).is_some_and(|address| set.contains(address)));
            set.price().of(value.len())
        });
    }
    table.both("@rbl, the question", b"192.0.2.1", &values, |value| {
        black_box(block_list::query(value, parse_address(value), "dnsbl.example.org", Some("abcdefghijkl")));
        block_list::PRICE.of(value.len())
    });
}
