//! Trying Fusewall on recorded traffic and switching to it: `fusewall replay`, `fusewall crs install`, and the page that tells how.

mod crs;
mod engines;
mod libmodsecurity;
mod page;
mod sources;

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with files, and the command run in it.
struct Setting {
    folder: tempfile::TempDir,
}

impl Setting {
    fn new(files: &[(&str, &str)]) -> Setting {
        let setting = Setting { folder: tempfile::tempdir().expect("a folder") };
        files.iter().for_each(|(name, text)| setting.write(name, text));
        setting
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fusewall"));
        command.current_dir(self.folder.path()).args(arguments).output().expect("it runs")
    }

    /// What `replay --json` answers, and its exit status.
    fn replay(&self, arguments: &[&str]) -> (Value, Option<i32>) {
        let output = self.command(&[&["replay", "--rules", "rules.conf", "--json"], arguments].concat());
        let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        (answer, output.status.code())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The ids of the rules that were logged, each with the number of requests.
fn rules(answer: &Value) -> Vec<(u64, u64)> {
    let pair = |rule: &Value| (rule["id"].as_u64().expect("an id"), rule["requests"].as_u64().expect("a number"));
    let mut all: Vec<_> = answer["rules"].as_array().expect("rules").iter().map(pair).collect();
    all.sort_unstable();
    all
}

/// Where the project is.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
