//! Gives the shared library the name that hosts were linked against, and keeps it loaded: its threads may outlive the module that
//! has asked for it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // Other linkers have other words for it, and no such hosts.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
        for argument in ["-soname,libmodsecurity.so.3", "-z,nodelete"] {
            println!("cargo:rustc-cdylib-link-arg=-Wl,{argument}");
        }
    }
}
