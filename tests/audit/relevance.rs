//! Which transactions belong into the audit log.

use crate::traffic::{Traffic, waf};

/// Whether a request to `/?a=x` is relevant under `RelevantOnly` and these rules.
fn relevant(rules: &str) -> bool {
    let waf = waf(&format!("SecAuditEngine RelevantOnly\n{rules}"));
    Traffic::get(b"/?a=x").run(&waf).audit_record(200).is_some()
}

#[test]
fn a_match_counts_unless_the_rule_says_no() {
    for (actions, expected) in [
        ("pass", true),
        ("pass,log", true),
        ("pass,nolog", false),
        ("pass,nolog,auditlog", true),
        ("pass,log,noauditlog", false),
        ("pass,noauditlog,log", false),
        ("pass,nolog,log", false),
        ("deny,nolog", false),
        ("deny", true),
        ("phase:5,pass", true),
    ] {
        assert_eq!(relevant(&format!("SecRule ARGS x \"id:1,{actions}\"")), expected, "{actions}");
    }
    assert!(!relevant("SecRule ARGS y \"id:1,deny\""));
    // One rule's noauditlog does not speak for another.
    assert!(relevant("SecRule ARGS x \"id:1,pass,noauditlog\"\nSecRule ARGS x \"id:2,pass\""));
}

#[test]
fn ctl_and_status() {
    assert!(!relevant("SecRule ARGS x \"id:1,pass,ctl:auditEngine=Off\""));
    assert!(relevant("SecRule ARGS x \"id:1,pass,nolog,ctl:auditEngine=On\""));
    assert!(!relevant("SecRule ARGS x \"id:1,pass,ctl:ruleEngine=Off\""));
    let waf = waf("SecAuditEngine RelevantOnly\nSecAuditLogRelevantStatus \"^(?:5|4(?!04))\"");
    let tx = Traffic::get(b"/").run(&waf);
    assert_eq!([200, 403, 404, 503].map(|status| tx.audit_record(status).is_some()), [false, true, false, true]);
}

#[test]
fn what_the_engine_itself_refuses_counts() {
    let waf = waf("SecAuditEngine RelevantOnly\nSecRequestBodyLimit 4");
    let record = Traffic::post(b"text/plain", b"12345").record(&waf);
    assert_eq!(record.interruption.map(|ended| ended.status), Some(413));
}

#[test]
fn a_rule_that_only_audits_stands_in_the_record_and_not_in_the_error_log() {
    let waf = waf("SecRule ARGS x \"id:1,pass,nolog,auditlog,msg:m\"");
    let tx = Traffic::get(b"/?a=x").run(&waf);
    assert!(tx.error_log_lines(0).is_empty());
    assert_eq!(tx.audit_record(200).unwrap().messages.len(), 1);
}
