//! The rules that come with the binary: everything below `rules/` but its tests, so that a fresh installation protects without
//! a download.

use crate::files::MemoryFiles;

/// The folder of the built-in rules, as diagnostics name it.
const FOLDER: &str = "rules";

/// Each embedded file; the first one includes the others.
const FILES: &[(&str, &str)] = &[
    ("fusewall.conf", include_str!("../../rules/fusewall.conf")),
    ("body.conf", include_str!("../../rules/body.conf")),
    ("protocol.conf", include_str!("../../rules/protocol.conf")),
    ("scanners.conf", include_str!("../../rules/scanners.conf")),
    ("scanners.data", include_str!("../../rules/scanners.data")),
    ("files.conf", include_str!("../../rules/files.conf")),
    ("system-files.data", include_str!("../../rules/system-files.data")),
    ("sql.conf", include_str!("../../rules/sql.conf")),
    ("xss.conf", include_str!("../../rules/xss.conf")),
    ("command.conf", include_str!("../../rules/command.conf")),
    ("code.conf", include_str!("../../rules/code.conf")),
    ("lookup.conf", include_str!("../../rules/lookup.conf")),
    ("remote.conf", include_str!("../../rules/remote.conf")),
    ("response.conf", include_str!("../../rules/response.conf")),
];

/// The built-in ruleset: its entry file and the files that it includes.
///
/// ```
/// use fusewall::files::Files;
/// let (entry, files) = fusewall::store::builtin_files();
/// assert_eq!(entry, "rules/fusewall.conf");
/// assert!(files.read(entry.as_ref()).is_ok());
/// ```
pub fn builtin_files() -> (&'static str, MemoryFiles) {
    let files =
        FILES.iter().fold(MemoryFiles::new(), |files, (name, text)| files.with(format!("{FOLDER}/{name}"), *text));
    ("rules/fusewall.conf", files)
}
