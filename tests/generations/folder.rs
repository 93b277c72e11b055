//! The history in a folder of the file system.

use super::*;
use fusewall::store::Origin;
use fusewall::{Health, HistoryConfig};
use std::path::Path;

fn start(text: &str, folder: &Path) -> Waf {
    let history = HistoryConfig::new(folder);
    let builder = Waf::builder().env(FixedEnv::default()).rules_text("rules.conf", text).history(history);
    builder.build().expect("it starts")
}

const POISON: &str = "SecRule nonsense";

#[test]
fn a_start_needs_no_source_files() {
    let (sources, history) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let entry = sources.path().join("main.conf");
    std::fs::write(&entry, "SecRuleEngine On\nInclude more.conf\n").unwrap();
    let rule = "SecRule ARGS \"@pmFromFile words.data\" \"id:1,phase:1,deny\"\n";
    std::fs::write(sources.path().join("more.conf"), rule).unwrap();
    std::fs::write(sources.path().join("words.data"), "first7\n").unwrap();
    let build = || Waf::builder().rules_path(&entry).history(HistoryConfig::new(history.path())).build().unwrap();
    let content = build().generation().content;
    std::fs::remove_dir_all(sources.path()).unwrap();
    let waf = build();
    assert!(refuses(&waf, "first"));
    assert_eq!((waf.generation().content, waf.generation().origin), (content, Origin::Restored));
    assert_eq!(waf.generation().number, 2);
}

#[test]
fn two_processes_cannot_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let one = start(&rules("one"), folder.path());
    one.replace(&source("more")).expect("it is the only one");
    let other = start(&rules("other"), folder.path());
    let Health::Degraded { why, generation } = other.health() else { panic!("it has no history") };
    assert!(why.contains("another process"), "{why}");
    assert!(refuses(&other, "other") && generation.number == 1, "its rules are in service all the same");
    assert!(other.replace(&source("more")).is_err(), "but what would be forgotten is refused");
    drop(one);
    let (number, _) = other.replace(&source("more")).expect("the folder is free");
    assert_eq!(number, 3, "above all that the folder knows of");
    assert_eq!(other.health(), Health::Healthy);
    drop(other);
    assert!(refuses(&start(POISON, folder.path()), "more"));
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    drop(start(&rules("first"), folder.path()));
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let waf = start(POISON, folder.path());
    assert_eq!(waf.generation().origin, Origin::Builtin);
    assert!(waf.report().to_string().contains("mode 777"), "{}", waf.report());
}

#[test]
fn whatever_is_in_the_folder_a_process_starts() {
    let folder = tempfile::tempdir().unwrap();
    let waf = start(&rules("first"), folder.path());
    waf.replace(&source("second")).expect("it loads");
    drop(waf);
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| !path.ends_with("lock"));
        files.sort();
        files
    };
    let whole: Vec<_> = files().into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    assert_eq!(whole.len(), 4, "two rulesets, two lists: {:?}", files());
    for (path, bytes) in &whole {
        let mut flipped = bytes.clone();
        flipped[bytes.len() / 3] ^= 4;
        let damages = [Vec::new(), bytes[..bytes.len() / 2].to_vec(), flipped, b"nonsense".repeat(10_000)];
        for damage in damages {
            std::fs::write(path, damage).unwrap();
            let waf = start(POISON, folder.path());
            assert!(refuses(&waf, "first") || refuses(&waf, "second"), "{}", path.display());
            drop(waf);
            files().into_iter().for_each(|path| std::fs::remove_file(path).unwrap());
            whole.iter().for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
        }
    }
}
