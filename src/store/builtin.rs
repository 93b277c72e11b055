//! The rules that come with the binary.

use crate::files::MemoryFiles;

/// The built-in ruleset: its entry file and the files that it includes.
pub fn builtin_files() -> (&'static str, MemoryFiles) {
    let files = MemoryFiles::new().with("rules/fusewall.conf", include_str!("../../rules/fusewall.conf"));
    ("rules/fusewall.conf", files)
}
