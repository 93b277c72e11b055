//! Rule texts that are right or nearly.

use super::super::oracle::generate::{Choices, ruleset};
use super::one;

/// What is put where something else stood: words and marks of the language, each of them somewhere right.
const SCRAPS: &[&str] = &[
    "\"",
    "'",
    "\\",
    "\n",
    "\\\n",
    "#",
    "|",
    "!",
    "&",
    "@",
    "%{",
    "}",
    ",",
    ":",
    "=",
    " ",
    "\t",
    "\r",
    "\0",
    "\u{e9}",
    "-1",
    "0",
    "99999999999999999999",
    "SecRule",
    "SecAction",
    "SecMarker",
    "SecDefaultAction",
    "SecRuleUpdateTargetById",
    "SecRuleUpdateActionById",
    "SecRuleRemoveByTag",
    "SecRuleRemoveByMsg",
    "SecRuleScript",
    "Include",
    "IncludeOptional",
    "<IfModule",
    "</IfModule>",
    "id:1",
    "id:",
    "phase:2",
    "phase:9",
    "chain",
    "skipAfter:",
    "ctl:",
    "setvar:",
    "t:",
    "t:none",
    "t:nothing",
    "ARGS",
    "ARGS:",
    "ARGS:/",
    "/a/",
    "TX:0",
    "XML:",
    "FILES",
    "@rx ",
    "@rx (",
    "@pm ",
    "@pmFromFile words.data",
    "@pmFromFile none",
    "@within",
    "@ipMatch 1.2.3.4/33",
    "@ipMatchFromFile nets.data",
    "@validateByteRange 1-",
    "@rx [",
    "msg:'",
    "logdata:",
    "tag:",
    "severity:11",
    "exec:/bin/sh",
    "SecRequestBodyLimit",
    "SecArgumentsLimit",
    "SecRuleEngine Off",
    "SecUnicodeMapFile",
    "xmlns:",
    "SecFusewallNestedDecoding",
    "SecRemoteRules k https://h/",
    "SecComponentSignature \"a\"",
    "SecAuditLogParts ABZ",
    "Include rules.conf",
    "Include more/*.conf",
];

/// Settings, one of which may stand first.
const SETTINGS: &[&str] = &[
    "",
    "SecArgumentSeparator ;\n",
    "SecCookieFormat 1\n",
    "SecRequestBodyLimit 1000\n",
    "SecAuditEngine RelevantOnly\n",
    "SecAuditLogRelevantStatus \"^(?:5|4(?!04))\"\n",
    "SecResponseBodyMimeType text/plain text/html\n",
    "SecPcreMatchLimit 1000\n",
    "SecUploadKeepFiles RelevantOnly\n",
    "SecCollectionTimeout 60\n",
    "SecComponentSignature \"a/1.0\"\n",
    "SecAuditLogFormat JSON\n",
    "SecRequestBodyNoFilesLimit 100\n",
    "SecParseXmlIntoArgs On\n",
    "SecDebugLogLevel 3\n",
    "SecUnknown On\n",
    "\u{feff}",
    "# none\n",
];

/// A generated ruleset in which some places have been changed.
pub fn rules(from: &mut Choices<'_>) -> Vec<u8> {
    let changes = one(from, &[0, 0, 1, 1, 2, 3, 8]);
    let edits: Vec<(usize, usize, &str)> =
        (0..changes).map(|_| (from.below(256) << 8 | from.below(256), from.below(12), one(from, SCRAPS))).collect();
    let mut text = format!("{}{}", one(from, SETTINGS), ruleset(from, 4)).into_bytes();
    for (place, len, scrap) in edits {
        let start = place % (text.len() + 1);
        let end = (start + len).min(text.len());
        text.splice(start..end, scrap.bytes());
    }
    text
}
