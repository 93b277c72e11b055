//! Gives the shared library the name that hosts were linked against, and keeps it loaded: its threads may outlive the module that
//! has asked for it.

fn main() {
    for argument in ["-soname,libmodsecurity.so.3", "-z,nodelete"] {
        println!("cargo:rustc-cdylib-link-arg=-Wl,{argument}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
