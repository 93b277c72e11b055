//! The CRS regression suite against the request builder and the HTTP/1 front end, without any rules: every stage can be built,
//! and the requests that are refused are those that the suite says a server refuses.

use std::path::{Path, PathBuf};

use super::request;
use super::suite::Suite;
use crate::host::http1::{BodyDecoder, HeadLimits, Parsed, parse_head};

/// Refused here although the suite does not say so, and why.
const ALSO_REFUSED: [(&str, &str); 4] = [
    (
        "920100-7",
        "a fragment in the target: Apache refuses it as in 920100-8 and 920610-2, the test asks for nothing that tells",
    ),
    ("920181-1", "Transfer-Encoding and Content-Length together: a smuggling shape that Apache mends and we refuse"),
    ("920290-2", "`Host: %00`: no host, as in 920270-4 and 920274-1; the test asks for nothing that tells"),
    ("920430-4", "version `HTTP/2` without a minor number: malformed (RFC 9112, section 2.3)"),
];

#[test]
fn the_front_end_refuses_what_the_suite_says_a_server_refuses() {
    let near = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance");
    let root = std::env::var_os("FUSEWALL_CONFORMANCE_DIR").map_or_else(near, PathBuf::from);
    let tests = root.join("crs/tests/regression/tests");
    if !tests.is_dir() {
        eprintln!("left out: the CRS regression suite is not at {}", tests.display());
        return;
    }
    let suite = Suite::load(&tests).expect("every test file can be read");
    let (mut stages, mut expected_refusals) = (0, 0);
    let mut differences = Vec::new();
    for test in &suite.tests {
        for stage in &test.stages {
            stages += 1;
            let name = test.name();
            let bytes = request::build(&stage.input).unwrap_or_else(|error| panic!("{name}: {error:#}"));
            let refused = refusal(&bytes);
            let is_expected = stage.output.is_about_front_end();
            expected_refusals += usize::from(is_expected);
            let is_known = ALSO_REFUSED.iter().any(|(known, _)| *known == name);
            if refused.is_some() != (is_expected || is_known) {
                differences.push(format!("{name}: {}", refused.unwrap_or("not refused")));
            }
        }
    }
    assert_eq!(differences, Vec::<String>::new());
    assert_eq!((stages, expected_refusals), (4363, 23));
}

fn refusal(bytes: &[u8]) -> Option<&'static str> {
    match parse_head(bytes, &HeadLimits::default()) {
        Err(refused) => Some(refused.reason),
        Ok(Parsed::Partial) => Some("the head does not end"),
        Ok(Parsed::Complete { head, consumed }) => {
            match BodyDecoder::new(head.framing).decode(&bytes[consumed..], &mut Vec::new()) {
                Err(refused) => Some(refused.reason),
                Ok((_, false)) => Some("the body does not end"),
                Ok((_, true)) => None,
            }
        }
    }
}
