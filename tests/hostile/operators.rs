//! I14: numbers, addresses and ranges that are none, too large, or empty.

use crate::attempt::percent;
use crate::oracle::compare::Forms;
use crate::oracle::exchange::Exchange;
use crate::row::Row;
use fusewall::Waf;
use std::sync::LazyLock;

/// What a value may be where a number or an address is expected.
const VALUES: &[&str] = &[
    "",
    " ",
    "0",
    "-0",
    "1",
    "-1",
    "+1",
    " 1",
    "1 ",
    "01",
    "1.5",
    "1e3",
    "0x10",
    "abc",
    "-",
    "--1",
    "99999999999",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "1000000000000000000000000000000000000000",
    "-1000000000000000000000000000000000000000",
    "1\0",
    "\0",
    "\u{661}",
    "NaN",
    "inf",
    "1.2.3.4",
    "1.2.3",
    "256.1.1.1",
    "1.2.3.4.5",
    "::1",
    "::",
    ":::",
    "fe80::1%eth0",
    "1.2.3.4/33",
    "::ffff:1.2.3.4",
    "01.02.03.04",
    "4111111111111111",
    "4111 1111 1111 1111",
    "123-45-6789",
    "%",
    "%z",
    "%41",
    "%4",
    "\u{ff}\u{fe}",
    "é",
    "\u{7f}",
];

/// Operators and parameters that load.
const OPERATORS: &[&str] = &[
    "@eq 0",
    "@ge 0",
    "@gt -1",
    "@le 99999999999999999999",
    "@lt -99999999999999999999",
    "@eq %{tx.none}",
    "@gt %{tx.big}",
    "@ge abc",
    "@ipMatch 0.0.0.0/0",
    "@ipMatch ::/0",
    "@ipMatch 1.2.3.4,::1,10.0.0.0/8",
    "@ipMatch 1.2.3.4/32",
    "@ipMatch ::ffff:1.2.3.4",
    "@validateByteRange 0-255",
    "@validateByteRange 32-126",
    "@validateByteRange 10",
    "@validateUrlEncoding",
    "@validateUtf8Encoding",
    "@verifyCC \\d{13,16}",
    "@verifySSN \\d{3}-?\\d{2}-?\\d{4}",
    "@verifyCPF [0-9.-]{5,14}",
    "@within abc 1 2",
    "@within %{tx.none}",
    "@beginsWith %{tx.none}",
    "@endsWith 1",
    "@contains ",
    "@containsWord 1",
    "@streq ",
    "@strmatch 1",
    "@rx ",
    "@rx ^$",
    "@pm 1 2 3",
    "@detectSQLi",
    "@detectXSS",
    "@unconditionalMatch",
    "@noMatch",
];

/// Rules that must not load.
const BAD: &[&str] = &[
    "SecRule ARGS \"@ipMatch 1.2.3.4/33\" id:1",
    "SecRule ARGS \"@ipMatch 1.2.3\" id:1",
    "SecRule ARGS \"@ipMatch 300.1.1.1\" id:1",
    "SecRule ARGS \"@ipMatch ::1/129\" id:1",
    "SecRule ARGS \"@ipMatch 1.2.3.4/-1\" id:1",
    "SecRule ARGS \"@ipMatch 1.2.3.4/\" id:1",
    "SecRule ARGS \"@ipMatch x\" id:1",
    "SecRule ARGS \"@validateByteRange 256\" id:1",
    "SecRule ARGS \"@validateByteRange 10-5\" id:1",
    "SecRule ARGS \"@validateByteRange -1\" id:1",
    "SecRule ARGS \"@validateByteRange a-b\" id:1",
    "SecRule ARGS \"@rx (\" id:1",
    "SecRule ARGS \"@rx a{5,2}\" id:1",
    "SecRule ARGS \"@rx a{99999999999}\" id:1",
    "SecRule ARGS \"@verifyCC (\" id:1",
    "SecAction id:99999999999999999999999",
    "SecAction \"id:1,phase:99\"",
    "SecAction \"id:1,status:99999\"",
    "SecAction \"id:1,phase:2,severity:300\"",
    "SecArgumentsLimit -1",
    "SecArgumentsLimit 99999999999999999999999999",
    "SecRequestBodyLimit x",
];

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    let mut row =
        Row::new("I14", "numeric, address and range operators on overflow, empty and short input; bad parameters");
    for operator in OPERATORS {
        for negated in ["", "!"] {
            let rules = format!(
                "SecRuleEngine On\nSecAction \"id:1,phase:1,pass,nolog,setvar:tx.big=99999999999999999999\"\n\
                 SecRule ARGS|REQUEST_HEADERS:X|&ARGS \"{negated}{operator}\" \"id:2,phase:1,pass,log,setvar:tx.n=+9223372036854775807,setvar:tx.m=-9223372036854775808\"\n"
            );
            let forms = match Forms::of_text(&rules) {
                Ok(forms) => forms,
                Err(error) => {
                    row.hold(false, || format!("{operator}: {error}"));
                    continue;
                }
            };
            for value in VALUES {
                let exchange = Exchange::get(&format!("/?q={}&p={0}", percent(value))).header("X", value);
                let agreed = forms.agree(&exchange);
                row.hold(agreed.is_ok(), || format!("{negated}{operator} on {value:?}: {agreed:?}"));
            }
        }
    }
    for rule in BAD {
        let loaded = Waf::builder().rules_text("bad.conf", *rule).build();
        row.hold(loaded.is_err(), || format!("{rule} loads"));
    }
    row
});

#[test]
fn operators_take_anything() {
    ROW.assert();
}
