//! The folder that remembers what took long to compile.

use super::*;
use fusewall::Verification;
use std::fs;
use std::path::Path;

/// A folder that only this user can write to.
pub fn private_folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

/// What is in it.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn cached(files: MemoryFiles, folder: &Path) -> Waf {
    builder()
        .rules_path("site/main.conf")
        .files(files)
        .cache(folder)
        .build()
        .unwrap_or_else(|report| panic!("{report}"))
}

/// Whether its automata came from the cache.
fn was_ready(waf: &Waf) -> bool {
    matches!(waf.verify(), Verification::Same { .. })
}

#[test]
fn the_second_load_finds_what_the_first_has_made() {
    let folder = private_folder();
    let (first, second) = (cached(rules(), folder.path()), cached(rules(), folder.path()));
    assert!(!was_ready(&first) && was_ready(&second));
    assert_alike(&plain(), &first);
    assert_alike(&plain(), &second);
    assert_eq!(plain().report().render(false), second.report().render(false));
    assert_eq!(files(folder.path()).len(), 1, "nothing else is left there");
}

#[test]
fn whatever_rules_depend_on_is_part_of_the_name() {
    let folder = private_folder();
    drop(cached(rules(), folder.path()));
    let changes: [(&str, MemoryFiles); 3] = [
        ("a rule file", rules().with("site/more/b.conf", "SecRule ARGS \"@rx zz+\" \"id:12,phase:1,deny\"")),
        ("one more file", rules().with("site/more/c.conf", "SecRule ARGS \"@rx y+y\" \"id:12,phase:1,deny\"")),
        ("a data file", rules().with("site/words.data", "hello\n")),
    ];
    for (number, (what, files_now)) in changes.into_iter().enumerate() {
        let waf = cached(files_now.clone(), folder.path());
        assert!(!was_ready(&waf), "{what}");
        assert_eq!(files(folder.path()).len(), number + 2, "{what}");
        assert!(was_ready(&cached(files_now, folder.path())), "{what}");
    }
    let mut limits = fusewall::Limits::default();
    limits.dense_dfa_bytes /= 2;
    let other = builder().rules_path("site/main.conf").files(rules()).cache(folder.path()).limits(limits).build();
    assert!(!was_ready(&other.unwrap()), "limits");
    let mut limits = fusewall::Limits::default();
    limits.arguments = 7;
    let same = builder().rules_path("site/main.conf").files(rules()).cache(folder.path()).limits(limits).build();
    assert!(was_ready(&same.unwrap()), "a limit of requests changes no automaton");
}

#[test]
fn damaged_files_are_written_anew() {
    let folder = private_folder();
    drop(cached(rules(), folder.path()));
    let path = files(folder.path()).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let mut damages: Vec<Vec<u8>> = (0..8).map(|cut| whole[..whole.len() * cut / 8].to_vec()).collect();
    for at in [0, 8, 20, whole.len() / 2, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        damages.push(flipped);
    }
    // One that fits, but not here.
    damages.push(bundle_of(&rules().with("site/words.data", "hello\n")));
    for (number, damage) in damages.into_iter().enumerate() {
        fs::write(&path, damage).unwrap();
        let waf = cached(rules(), folder.path());
        assert!(waf.report().diagnostics.has("W0910"), "{number}");
        assert!(!was_ready(&waf), "{number}");
        assert_alike(&plain(), &waf);
        assert_eq!(fs::read(&path).unwrap(), whole, "{number}");
    }
}

#[test]
fn only_so_many_rulesets_are_remembered() {
    let folder = private_folder();
    fs::write(folder.path().join("mine.fwb"), "no bundle").unwrap();
    for number in 0..20 {
        drop(cached(rules().with("site/words.data", format!("word{number}\n")), folder.path()));
    }
    let left = files(folder.path());
    assert!(left.len() <= 17, "{}", left.len());
    assert!(left.iter().any(|path| path.ends_with("mine.fwb")), "files of others stay");
}

#[test]
fn a_cache_is_no_source_of_rules() {
    let folder = private_folder();
    drop(cached(rules(), folder.path()));
    let path = files(folder.path()).pop().unwrap();
    let report = Waf::builder().rules_path(&path).cache(folder.path()).build().unwrap_err();
    assert!(report.diagnostics.has("E0907"), "{report}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let folder = private_folder();
    drop(cached(rules(), folder.path()));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o770)).unwrap();
    let waf = cached(rules(), folder.path());
    assert!(!was_ready(&waf));
    assert!(waf.report().render(false).contains("mode 770"), "{}", waf.report());
    assert!(waf.report().diagnostics.has("W0910"));

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let waf = cached(rules(), &file);
    assert!(waf.report().diagnostics.has("W0910"));
    let made = folder.path().join("made/for/it");
    assert!(
        was_ready(&{
            drop(cached(rules(), &made));
            cached(rules(), &made)
        }),
        "a folder is made"
    );
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o777, 0o700);
}
