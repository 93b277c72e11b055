//! The rules that come with the binary.

use crate::files::MemoryFiles;

/// A file of the folder `rules`, by its name there.
macro_rules! rules {
    ($($name:literal)*) => {
        [$((concat!("rules/", $name), include_str!(concat!("../../rules/", $name)))),*]
    };
}

const FILES: [(&str, &str); 14] = rules!(
    "fusewall.conf" "body.conf" "code.conf" "command.conf" "files.conf" "lookup.conf" "protocol.conf" "remote.conf"
    "response.conf" "scanners.conf" "scanners.data" "sql.conf" "system-files.data" "xss.conf"
);

/// The built-in ruleset: its entry file and the files that it includes.
pub fn builtin_files() -> (&'static str, MemoryFiles) {
    let files = FILES.iter().fold(MemoryFiles::new(), |files, (name, text)| files.with(*name, *text));
    ("rules/fusewall.conf", files)
}
