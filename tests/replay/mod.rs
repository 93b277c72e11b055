//! A fuzz target without a fuzzer: what it starts from and what it has found once (`fuzz/seeds`, `fuzz/regressions`), and some bytes of
//! chance. `PROPTEST_CASES` asks for more of these.

use proptest::collection::vec;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::cell::Cell;
use std::fs;
use std::panic::{catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A target's name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// The targets that somebody asks for with `FUSEWALL_FUZZ_TARGETS`; without it all are tried.
pub fn asked_for() -> Option<Vec<String>> {
    let asked = std::env::var("FUSEWALL_FUZZ_TARGETS").ok()?;
    Some(asked.split_whitespace().map(str::to_owned).collect())
}

/// Whether a target is to be tried.
#[allow(dead_code)] // Whoever has a list of targets picks from it.
pub fn is_asked_for(target: &str) -> bool {
    asked_for().is_none_or(|asked| asked.iter().any(|name| name == target))
}

/// The files of a folder in order; none if there is no folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// Tries what is kept for a target in `package`, the folder `fuzz`; answers how many inputs that are.
pub fn kept(package: &Path, (target, tried): Target) -> usize {
    let folders = ["seeds", "regressions"].map(|folder| files(&package.join(folder).join(target)));
    for file in folders.iter().flatten() {
        let input = fs::read(file).expect("an input");
        if catch_unwind(|| tried(&input)).is_err() {
            panic!("{target} fails with {}", file.display());
        }
    }
    folders.iter().map(Vec::len).sum()
}

/// What a target may take with bytes of chance: those that build rules for each of them try a few only.
const A_WHILE: Duration = Duration::from_millis(150);

/// Tries a target with bytes of chance: as many as somebody asks for, or 200 if that does not take too long.
pub fn any_bytes((target, tried): Target) {
    let asked = std::env::var("PROPTEST_CASES").ok().map(|cases| cases.parse().expect("a number of cases"));
    let config = Config { cases: asked.unwrap_or(200), failure_persistence: None, ..Config::default() };
    let (start, failed, count) = (Instant::now(), Cell::new(false), Cell::new(0));
    let tries = TestRunner::new(config).run(&vec(0u8.., 0..200), |input| {
        // What fails is made smaller, however long that takes.
        if asked.is_some() || failed.get() || start.elapsed() < A_WHILE {
            count.update(|count| count + usize::from(!failed.get()));
            catch_unwind(|| tried(&input)).unwrap_or_else(|panic| {
                failed.set(true);
                resume_unwind(panic)
            });
        }
        Ok(())
    });
    match tries {
        Ok(()) => {}
        Err(TestError::Fail(why, input)) => {
            panic!("{target} fails with bytes of chance, try {}: b\"{}\": {why}", count.get(), input.escape_ascii())
        }
        Err(stopped) => panic!("{target}: {stopped}"),
    }
}
