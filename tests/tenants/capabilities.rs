//! What rules of tenants cannot do: read outside of their folder, write, ask other machines, decide for the host. That no name of the
//! language is forgotten is tested where the names are (`src/lang/seclang/names/rights.rs`).

use crate::{builder, text};
use fusewall::files::MemoryFiles;
use fusewall::store::{Capabilities, RuleSource};
use fusewall::{NotAdded, Tenants, Waf};
use std::fs;
use std::path::Path;

/// The findings in a tenant's rules, as text; nothing if they load.
fn findings(rules: &str) -> String {
    let files = MemoryFiles::new()
        .with("/srv/tenants/a/in.conf", "SecAction \"id:90,phase:1,pass\"\n")
        .with("/srv/tenants/a/in.data", "word\n")
        .with("/srv/tenants/a/in.addresses", "192.0.2.1\n")
        .with("/srv/tenants/b/in.conf", "SecAction \"id:91,phase:1,pass\"\n")
        .with("/etc/passwd", "root\n");
    let waf = Waf::builder().files(files).capabilities(Capabilities::tenant("/srv/tenants/a")).allow_empty();
    match waf.rules_text("site.conf", rules).build() {
        Ok(_) => String::new(),
        Err(report) => report.to_string(),
    }
}

#[test]
fn what_writes_asks_or_decides_for_the_host_is_refused_with_file_line_and_reason() {
    let refused = [
        ("E0207", "SecRuleEngine Off"),
        ("E0207", "SecAuditLog /var/log/audit.log"),
        ("E0207", "SecAuditLog2 /var/log/audit.log"),
        ("E0207", "SecAuditLogStorageDir /var/log"),
        ("E0207", "SecAuditLogDir /var/log"),
        ("E0207", "SecAuditEngine On"),
        ("E0207", "SecDataDir /tmp"),
        ("E0207", "SecTmpDir /tmp"),
        ("E0207", "SecUploadDir /tmp"),
        ("E0207", "SecUploadKeepFiles On"),
        ("E0207", "SecTmpSaveUploadedFiles On"),
        ("E0207", "SecRemoteRules key https://rules.example/a.conf"),
        ("E0207", "SecRemoteRulesFailAction Warn"),
        ("E0207", "SecRequestBodyLimit 1073741824"),
        ("E0207", "SecHttpBlKey abcdefghijkl"),
        ("E0408", "SecRule REMOTE_ADDR \"@rbl list.example\" \"id:1,phase:1,deny\""),
        ("E0402", "SecRule FILES_TMPNAMES \"@inspectFile /bin/sh\" \"id:1,phase:2,deny\""),
        ("E0512", "SecAction \"id:1,phase:1,pass,setenv:PATH=/tmp\""),
        ("E0502", "SecAction \"id:1,phase:1,pass,exec:/bin/sh\""),
        ("E0513", "SecAction \"id:1,phase:1,pass,ctl:ruleEngine=Off\""),
        ("E0513", "SecAction \"id:1,phase:1,pass,ctl:auditEngine=Off\""),
        ("E0513", "SecAction \"id:1,phase:1,pass,ctl:requestBodyLimit=1073741824\""),
        ("E0202", "SecRuleScript /tmp/a.lua"),
        ("E0202", "SecChrootDir /tmp"),
        ("E0202", "SecGuardianLog |/bin/sh"),
    ];
    for (code, line) in refused {
        let told = findings(&format!("# first\n{line}\n"));
        assert!(told.contains(code) && told.contains("site.conf:2"), "{line}: {told}");
        assert!(told.contains("help"), "{line}: {told}");
    }
    // An update of a rule is no way around.
    let told = findings("SecAction \"id:1,phase:1,pass\"\nSecRuleUpdateActionById 1 \"setenv:A=b\"\n");
    assert!(told.contains("E0512"), "{told}");
    // The key stays out of findings.
    assert!(!findings("SecRemoteRules s3cret https://rules.example/a.conf").contains("s3cret"));
}

#[test]
fn what_concerns_the_own_requests_is_allowed() {
    let rules = r#"
        SecRequestBodyAccess On
        SecResponseBodyAccess On
        SecResponseBodyMimeType text/html
        SecDefaultAction "phase:2,log,auditlog,pass"
        SecComponentSignature "MINE/1"
        SecCollectionTimeout 600
        SecWebAppId mine
        Include in.conf
        IncludeOptional missing/*.conf
        SecRule ARGS "@pmFromFile in.data" "id:1,phase:2,deny,ctl:auditLogParts=+E,setvar:tx.a=1,initcol:ip=%{REMOTE_ADDR}"
        SecRule REMOTE_ADDR "@ipMatchFromFile in.addresses" "id:2,phase:1,allow,ctl:ruleRemoveById=1"
        SecRule REQUEST_HEADERS:Content-Type "@contains json" "id:3,phase:1,pass,ctl:requestBodyProcessor=JSON"
        SecRuleRemoveById 90
    "#;
    assert_eq!(findings(rules), "");
}

#[test]
fn no_path_leads_out_of_the_folder() {
    let out = [
        "/etc/passwd",
        "../b/in.conf",
        "x/../../b/in.conf",
        "./../b/in.conf",
        "/srv/tenants/a/in.conf",
        "../../../etc/passwd",
        "../b/*.conf",
        "/etc/*",
    ];
    for path in out {
        for line in [format!("Include {path}"), format!("IncludeOptional {path}")] {
            let told = findings(&line);
            assert!(told.contains("E0112") && told.contains("confined"), "{line}: {told}");
            assert!(!told.contains("root"), "{line}: {told}");
        }
        if path.contains('*') {
            continue;
        }
        for line in [
            format!("SecRule ARGS \"@pmFromFile {path}\" \"id:1,phase:1,deny\""),
            format!("SecRule REMOTE_ADDR \"@ipMatchFromFile {path}\" \"id:1,phase:1,deny\""),
            format!("SecGeoLookupDb {path}"),
            format!("SecUnicodeMapFile {path} 20127"),
        ] {
            let told = findings(&line);
            assert!(told.contains("E0112"), "{line}: {told}");
        }
    }
    // Nor where reading begins.
    let files = MemoryFiles::new().with("/etc/passwd", "root\n");
    let tenants = builder().files(files).build().expect("a thread");
    for path in ["/etc/passwd", "../../etc/passwd", "../a"] {
        match tenants.add("a", &RuleSource::Paths(vec![path.into()])) {
            Err(NotAdded::Rules(report)) => assert!(report.to_string().contains("E0112"), "{path}: {report}"),
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[cfg(unix)]
#[test]
fn no_link_leads_out_of_the_folder() {
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().expect("a folder");
    let (a, b) = (root.path().join("a"), root.path().join("b"));
    for folder in [&a, &b] {
        fs::create_dir(folder).expect("a folder");
        fs::write(folder.join("real.conf"), "SecAction \"id:1,phase:1,pass\"\n").expect("a file");
    }
    symlink(b.join("real.conf"), a.join("file.conf")).expect("a link");
    symlink(&b, a.join("folder")).expect("a link");
    symlink(a.join("real.conf"), a.join("within.conf")).expect("a link");
    let add = |rules: &str| -> Result<Waf, NotAdded> {
        let tenants = Tenants::builder(root.path()).base(crate::base()).build().expect("a thread");
        tenants.add("a", &text("site.conf", rules))
    };
    for path in ["file.conf", "folder/real.conf", "folder/*.conf", "fold*/*.conf", "folder"] {
        let refused = add(&format!("Include {path}\n")).expect_err("it leads out").to_string();
        assert!(refused.contains("E0112"), "{path}: {refused}");
    }
    add("Include within.conf\n").expect("a link that stays inside");
    add("Include real.conf\n").expect("a file of its own");
    assert!(Path::new("/").exists());
}

#[test]
fn the_base_reads_files_of_the_host() {
    let files = MemoryFiles::new()
        .with("/etc/waf/base.conf", "SecRuleEngine On\nInclude more.conf\n")
        .with("/etc/waf/more.conf", "SecRule ARGS \"@pmFromFile words.data\" \"id:100,phase:1,deny\"\n")
        .with("/etc/waf/words.data", "evil\n")
        .with("/srv/tenants/a/site.conf", "SecAction \"id:1,phase:1,pass,nolog\"\n");
    let base = RuleSource::Paths(vec!["/etc/waf/base.conf".into()]);
    let tenants = Tenants::builder("/srv/tenants").files(files).base(base).build().expect("a thread");
    let a = tenants.add("a", &RuleSource::Paths(vec![".".into()])).expect("it loads");
    assert!(crate::is_refused(&a, "/?q=evil"));
    assert_eq!(a.loaded().program().ruleset.rules.len(), 2);
}
