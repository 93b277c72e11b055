//! A host written in C compiles against the headers, links with the library and passes requests through it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The shared library that was built with this test.
fn library() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this test");
    own.with_file_name("libmodsecurity.so")
}

#[test]
fn a_host_in_c() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("host");
    let compiled = Command::new("cc")
        .args(["-std=c11", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Werror", "-I"])
        .arg(here.join("include"))
        .arg(here.join("tests/host.c"))
        .arg(library())
        .arg("-o")
        .arg(&program)
        .output()
        .expect("a C compiler");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    // The program asks for the library by the name that is in it, not by that of the file.
    std::os::unix::fs::symlink(library(), folder.path().join("libmodsecurity.so.3")).expect("a link");
    let run = Command::new(&program).env("LD_LIBRARY_PATH", folder.path()).output().expect("it runs");
    assert!(run.status.success(), "{:?}\n{}", run.status, String::from_utf8_lossy(&run.stderr));
}

#[test]
fn the_headers_declare_what_is_there() {
    let header = include_str!("../include/modsecurity/modsecurity.h");
    let code = header.lines().filter(|line| line.contains('(') && !line.trim_start().starts_with(['*', '/']));
    let declared = |line: &str| {
        let name = line.split('(').next()?.rsplit([' ', '*']).next()?;
        name.starts_with("msc_").then(|| name.to_owned())
    };
    let mut declared: Vec<String> = code.filter_map(declared).collect();
    let listed = Command::new("nm").args(["-D", "--defined-only"]).arg(library()).output().expect("nm");
    let listed = String::from_utf8(listed.stdout).expect("names");
    let mut exported: Vec<String> =
        listed.lines().filter_map(|line| Some(line.split(' ').nth(2)?.to_owned())).collect();
    declared.sort();
    exported.sort();
    assert_eq!(declared, exported);
}
