//! What hosts say: rules and facts, from so few choices that requests meet their rules.

use super::super::choices::Choices;
use std::ffi::{CStr, CString};

/// Rules that can be read. None of them keeps anything beyond a request, so that the same calls always have the same answers.
pub const RULES: &[&CStr] = &[
    cr#"
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 40
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html
SecRule REQBODY_ERROR "!@eq 0" "id:1,phase:2,deny,status:400,nolog"
SecRule ARGS|REQUEST_HEADERS "@contains attack" "id:2,phase:2,deny,status:406,log,msg:'an attack'"
"#,
    cr#"SecRule ARGS "@rx ." "id:10,phase:1,pass,log,msg:'an argument'""#,
    cr#"SecRule RESPONSE_HEADERS:X-Leak "@rx ." "id:11,phase:3,redirect:https://www.example/%{MATCHED_VAR},log""#,
    cr#"SecRule RESPONSE_BODY "@contains leak" "id:12,phase:4,deny,status:502,nolog"
SecAction "id:13,phase:5,pass,log,msg:'the end'""#,
    cr#"SecRule REQUEST_HEADERS:X-Drop "@rx ." "id:14,phase:1,drop,log""#,
    cr#"SecRule REQUEST_METHOD "@streq PUT" "id:15,phase:1,pass,nolog,ctl:requestBodyAccess=Off,ctl:ruleRemoveById=2""#,
    c"SecRuleEngine DetectionOnly",
    c"SecRuleEngine Off",
    c"SecRequestBodyLimitAction ProcessPartial",
    c"SecRuleRemoveById 2",
    // Patterns are read when rules are compiled.
    cr#"SecRule ARGS "@rx (" "id:20,phase:1,deny""#,
    c"",
];

/// Rules that cannot.
pub const NO_RULES: &[&CStr] = &[c"SecRules On", c"SecAction id:x", c"SecRuleEngine \xff"];

const ADDRESSES: &[&CStr] = &[c"192.0.2.1", c"2001:db8::1", c"[::1]", c"unix:", c"", c"192.0.2.256"];
const TARGETS: &[&CStr] = &[c"/", c"/?q=attack", c"/?a=1&b=2", c"http://www.example/%61?", c""];
const METHODS: &[&CStr] = &[c"GET", c"POST", c"PUT", c""];
const VERSIONS: &[&CStr] = &[c"1.1", c"HTTP/1.0", c"HTTP 2.0", c"", c"HTTP"];
const NAMES: &[&CStr] = &[
    c"Content-Type",
    c"Content-Length",
    c"X-Leak",
    c"X-Drop",
    c"Host",
    c"Content-Encoding",
    c"content-length",
    c"Transfer-Encoding",
];
const VALUES: &[&CStr] = &[
    c"application/x-www-form-urlencoded",
    c"text/plain",
    c"7",
    c"30",
    c"18446744073709551616",
    c"gzip",
    c"attack",
    c"text/event-stream",
    c"a\r\nb",
    c"",
];
const BODIES: &[&CStr] = &[c"a=b", c"q=attack", c"a leak", c"0123456789012345678901234567890123456789", c""];
const CONNECTORS: &[&CStr] = &[c"nginx v1.22.1", c"\xff", c""];

/// What a text is about.
#[derive(Debug, Clone, Copy)]
pub enum About {
    Address,
    Target,
    Method,
    Version,
    Name,
    Value,
    Body,
    Connector,
}

impl About {
    fn known(self) -> &'static [&'static CStr] {
        match self {
            About::Address => ADDRESSES,
            About::Target => TARGETS,
            About::Method => METHODS,
            About::Version => VERSIONS,
            About::Name => NAMES,
            About::Value => VALUES,
            About::Body => BODIES,
            About::Connector => CONNECTORS,
        }
    }
}

/// A text: mostly a known one, sometimes any bytes, sometimes none.
pub fn text(from: &mut Choices<'_>, about: About) -> Option<CString> {
    match from.below(12) {
        11 => None,
        9 | 10 => {
            let mut bytes = any_bytes(from);
            bytes.retain(|byte| *byte != 0);
            CString::new(bytes).ok()
        }
        _ => Some(from.one(about.known()).to_owned()),
    }
}

/// The same as bytes, which may have zeros among them and are not ended by one.
pub fn bytes(from: &mut Choices<'_>, about: About) -> Option<Vec<u8>> {
    match from.below(12) {
        11 => None,
        9 | 10 => Some(any_bytes(from)),
        8 => Some([from.one(about.known()).to_bytes(), b"\0"].concat()),
        _ => Some(from.one(about.known()).to_bytes().to_vec()),
    }
}

fn any_bytes(from: &mut Choices<'_>) -> Vec<u8> {
    let count = from.below(48);
    from.bytes(count).to_vec()
}
