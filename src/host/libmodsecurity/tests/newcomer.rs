//! The commands of docs/nginx.md, in a folder instead of the system: the library takes the place of the package's, and gives it back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const DOCS: &str = include_str!("../../../../docs/nginx.md");
const LDCONFIG: &str = "/sbin/ldconfig";

/// The commands below a heading.
fn commands(heading: &str) -> Vec<&'static str> {
    let section = DOCS.split(heading).nth(1).expect("the section");
    let block = section.split("```console\n").nth(1).and_then(|rest| rest.split("```").next()).expect("its commands");
    block.lines().map(|line| line.strip_prefix("$ ").expect("a command")).collect()
}

/// Runs a command of the docs in the folder; what builds or restarts is left out.
fn run(command: &str, root: &Path) {
    let library = std::env::current_exe().expect("the path of this test").with_file_name("libmodsecurity.so");
    let root = root.display().to_string();
    let done = command
        .replace("sudo ", "")
        .replace("target/release/libmodsecurity.so", &library.display().to_string())
        .replace("/usr/local/lib/", &format!("{root}/usr/local/lib/"))
        .replace("/etc/ld.so.conf.d/", &format!("{root}/etc/ld.so.conf.d/"))
        .replace("ldconfig", &format!("{LDCONFIG} -X -f {root}/etc/ld.so.conf -C {root}/etc/ld.so.cache"));
    let ran = Command::new("sh").args(["-ec", &done]).output().expect("a shell");
    assert!(ran.status.success(), "{done}\n{}", String::from_utf8_lossy(&ran.stderr));
}

/// The libmodsecurity that a program would get which starts now.
fn loaded(root: &Path) -> PathBuf {
    let cache = root.join("etc/ld.so.cache");
    let listed = Command::new(LDCONFIG).arg("-C").arg(cache).arg("-p").output().expect("ldconfig");
    let listed = String::from_utf8(listed.stdout).expect("paths");
    let first = listed.lines().find(|line| line.trim().starts_with("libmodsecurity.so.3 ")).expect("a library");
    first.rsplit(" => ").next().expect("a path").into()
}

#[test]
fn five_commands_there_and_two_back() {
    if !Path::new(LDCONFIG).exists() {
        eprintln!("left out: no {LDCONFIG}");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    // As Debian has it, with the library of the package.
    let packaged = root.join("usr/lib/x86_64-linux-gnu");
    fs::create_dir_all(&packaged).expect("a folder");
    fs::create_dir_all(root.join("etc/ld.so.conf.d")).expect("a folder");
    fs::write(root.join("etc/ld.so.conf"), format!("include {}/etc/ld.so.conf.d/*.conf\n", root.display()))
        .expect("it");
    fs::write(root.join("etc/ld.so.conf.d/x86_64-linux-gnu.conf"), packaged.display().to_string()).expect("it");
    let own = std::env::current_exe().expect("the path of this test").with_file_name("libmodsecurity.so");
    // Any library of that name: what is in it does not matter here.
    std::os::unix::fs::symlink(own, packaged.join("libmodsecurity.so.3")).expect("a link");
    run("ldconfig", root);
    assert_eq!(loaded(root), packaged.join("libmodsecurity.so.3"));

    let there = commands("## Into place");
    assert_eq!(there.len(), 5);
    assert!(there[0].starts_with("cargo build") && there[4].contains("nginx -t"), "{there:?}");
    there[1..4].iter().for_each(|command| run(command, root));
    assert_eq!(loaded(root), root.join("usr/local/lib/fusewall/libmodsecurity.so.3"));

    let back = commands("## And back");
    assert_eq!(back.len(), 2);
    assert!(back[1].contains("restart nginx"), "{back:?}");
    run(back[0], root);
    assert_eq!(loaded(root), packaged.join("libmodsecurity.so.3"));
}
