//! What the configuration of `fusewall serve` gives the engine beside rules.

use super::command::Serving;
use std::path::Path;

/// A proxy with these rules and this configuration.
fn start(folder: &Path, rules: &str, config: &str, environment: &[(&str, &str)]) -> Serving {
    let (rules_file, config_file) = (folder.join("rules.conf"), folder.join("fusewall.toml"));
    std::fs::write(&rules_file, format!("SecRuleEngine On\nSecRequestBodyAccess On\n{rules}")).unwrap();
    std::fs::write(&config_file, config).unwrap();
    let files = [rules_file, config_file].map(|file| file.to_str().unwrap().to_owned());
    Serving::start_with(&["--rules", &files[0], "--config", &files[1]], environment)
}

#[test]
fn rules_see_the_environment_variables_that_are_named_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let rules = "SecRule ENV:FUSEWALL_TEST_STAGE \"@streq canary\" \"id:1,phase:1,deny,status:418\"\n\
        SecRule ENV:FUSEWALL_TEST_SECRET \"@unconditionalMatch\" \"id:2,phase:1,deny,status:500\"\n";
    let environment = [("FUSEWALL_TEST_STAGE", "canary"), ("FUSEWALL_TEST_SECRET", "x")];
    let named =
        start(folder.path(), rules, "environment = ['FUSEWALL_TEST_STAGE', 'FUSEWALL_TEST_UNSET']", &environment);
    assert_eq!(named.status("/"), "418");
    drop(named);
    assert_eq!(start(folder.path(), rules, "", &environment).status("/"), "200");
}

#[test]
fn block_lists_are_asked_if_they_may_be() {
    let folder = tempfile::tempdir().unwrap();
    // Every resolver knows that the names below `localhost` are loopback addresses, or that there are none (RFC 6761): both are
    // answers, and the first look-up is none.
    let rules = "SecRule REMOTE_ADDR \"@rbl lists.localhost\" \"id:1,phase:1,pass,nolog,setvar:tx.listed=1\"\n\
        SecRule FUSEWALL_UNINSPECTED \"@streq name look-up\" \"id:2,phase:1,deny,status:418\"\n";
    let check = |config: &str| start(folder.path(), rules, config, &[]).status("/");
    assert_eq!(check(""), "200", "never asked");
    assert_eq!(check("block_lists = 1"), "418", "asked, and not answered yet");
}

#[test]
fn uploads_are_stored_as_the_rules_say() {
    let (folder, uploads) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let rules = format!("SecUploadDir {}\nSecUploadKeepFiles On\n", uploads.path().display());
    let site = start(folder.path(), &rules, "allow_empty = true", &[]);
    let body =
        "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"../../evil\"\r\n\r\nthe content\r\n--B--\r\n";
    let request = format!(
        "POST /up HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(site.answer(&request), "200");
    let files: Vec<_> = std::fs::read_dir(uploads.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    assert_eq!(std::fs::read(&files[0]).unwrap(), b"the content");
}

#[test]
fn messages_have_the_names_of_their_descriptors() {
    let folder = tempfile::tempdir().unwrap();
    // A file with the message type `Note`, whose field 1 is the string `text`.
    let set = folder.path().join("note.pb");
    std::fs::write(&set, b"\x0a\x14\x22\x12\x0a\x04Note\x12\x0a\x0a\x04text\x18\x01\x28\x09").unwrap();
    let rules = "SecAction \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=PROTOBUF\"\n\
        SecRule ARGS:protobuf.text \"@streq hello\" \"id:2,phase:2,deny,status:418\"\n";
    let request = "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/x-protobuf; type=Note\r\n\
        Content-Length: 7\r\n\r\n\x0a\x05hello";
    let config = format!("descriptors = ['{}']", set.display());
    assert_eq!(start(folder.path(), rules, &config, &[]).answer(request), "418");
    assert_eq!(start(folder.path(), rules, "", &[]).answer(request), "200");

    let broken = folder.path().join("broken.pb");
    std::fs::write(&broken, "message Note {}").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_fusewall"));
    let output = command.args(["check", "--descriptors"]).arg(&broken).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && errors.contains("broken.pb") && errors.contains("no descriptor set"),
        "{errors}"
    );
}
