//! Rules that follow their files, on a real disk, in each way in which editors and deployments change them.

use fusewall::Waf;
use fusewall::host::serve::{Followed, WatchConfig, Watching};
use fusewall::store::{RuleSource, WatchedFiles};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How long something may take that has to happen, on a machine that has other work.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long nothing has to happen: many times as long as files need to settle.
const QUIET: Duration = Duration::from_millis(700);

/// A site whose rules are watched.
struct Site {
    folder: tempfile::TempDir,
    waf: Waf,
    told: Receiver<Followed>,
    _watching: Watching,
}

fn rule(id: u64) -> String {
    format!("SecRuleEngine On\nSecAction \"id:{id},phase:1,pass\"\n")
}

/// Without events there is only the clock; with them the clock must not be what helps.
fn config(events: bool) -> WatchConfig {
    let poll = if events { PATIENCE } else { Duration::from_millis(50) };
    WatchConfig { settle: Duration::from_millis(40), poll, events }
}

/// For files that are written in several steps: so long nobody puts a writer aside in the middle.
fn patient(events: bool) -> WatchConfig {
    WatchConfig { settle: Duration::from_secs(1), ..config(events) }
}

impl Site {
    /// With files made by `make`, whose rules begin at `start`.
    fn new(config: WatchConfig, start: &str, make: impl FnOnce(&Path)) -> Site {
        let folder = tempfile::tempdir().expect("a folder");
        make(folder.path());
        let source = RuleSource::Paths(vec![folder.path().join(start)]);
        let files = WatchedFiles::default();
        let waf = Waf::builder().files(files.clone()).rules_path(folder.path().join(start)).build().expect("it loads");
        let (tell, told) = channel();
        let tell = move |followed| tell.send(followed).expect("somebody listens");
        let watching = Watching::start(waf.clone(), source, files, config, tell).expect("it starts");
        Site { folder, waf, told, _watching: watching }
    }

    /// With a single file.
    fn simple(config: WatchConfig) -> Site {
        Site::new(config, "rules.conf", |folder| fs::write(folder.join("rules.conf"), rule(1)).expect("a file"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file there at once.
    fn write(&self, name: &str, text: &str) {
        let new = self.path(".new");
        fs::write(&new, text).expect("a file");
        fs::rename(new, self.path(name)).expect("renamed");
    }

    /// The ids of the rules in service.
    fn ids(&self) -> Vec<u64> {
        self.waf.loaded().program().ruleset.rules.iter().map(|rule| rule.id.0).collect()
    }

    fn next(&self) -> Followed {
        self.told.recv_timeout(PATIENCE).expect("something comes of it")
    }

    #[track_caller]
    fn promotes(&self, ids: &[u64]) {
        let next = self.next();
        assert!(matches!(next, Followed::Promoted(..)), "{next:?}");
        assert_eq!(self.ids(), ids);
    }

    #[track_caller]
    fn refuses(&self) {
        let next = self.next();
        assert!(matches!(next, Followed::Refused(_)), "{next:?}");
    }

    #[track_caller]
    fn stays_quiet(&self) {
        let next = self.told.recv_timeout(QUIET);
        assert!(matches!(next, Err(RecvTimeoutError::Timeout)), "{next:?}");
    }
}

#[test]
fn a_file_that_is_written_anew() {
    for events in [true, false] {
        let site = Site::simple(patient(events));
        fs::write(site.path("rules.conf"), rule(2)).expect("a file");
        site.promotes(&[2]);
        assert_eq!(site.waf.generation().number, 2);
    }
}

#[test]
fn a_file_that_is_replaced_by_another_one_as_editors_save() {
    for events in [true, false] {
        let site = Site::simple(config(events));
        site.write("rules.conf", &rule(2));
        site.promotes(&[2]);
        // The watched name has another file behind it now.
        site.write("rules.conf", &rule(3));
        site.promotes(&[3]);
    }
}

#[test]
fn a_folder_behind_a_link_as_kubernetes_swaps_it() {
    let make = |folder: &Path, name: &str, id: u64| {
        fs::create_dir(folder.join(name)).expect("a folder");
        fs::write(folder.join(name).join("rules.conf"), rule(id)).expect("a file");
    };
    for events in [true, false] {
        let site = Site::new(config(events), "rules.conf", |folder| {
            make(folder, "..2026_01", 1);
            symlink("..2026_01", folder.join("..data")).expect("a link");
            symlink("..data/rules.conf", folder.join("rules.conf")).expect("a link");
        });
        for (before, name, id) in [("..2026_01", "..2026_02", 2), ("..2026_02", "..2026_03", 3)] {
            make(site.folder.path(), name, id);
            symlink(name, site.path("..data_tmp")).expect("a link");
            fs::rename(site.path("..data_tmp"), site.path("..data")).expect("renamed");
            fs::remove_dir_all(site.path(before)).expect("removed");
            site.promotes(&[id]);
        }
    }
}

#[test]
fn a_file_that_is_written_in_pieces_is_loaded_once_it_is_whole() {
    let site = Site::simple(patient(true));
    let mut file = fs::File::create(site.path("rules.conf")).expect("a file");
    use std::io::Write;
    for piece in ["SecRuleEngine On\n", "SecAction \"id:2,", "phase:1,pass\"\nSecAction \"id:3", ",phase:1,pass\"\n"] {
        file.write_all(piece.as_bytes()).expect("written");
        std::thread::sleep(Duration::from_millis(10));
    }
    site.promotes(&[2, 3]);
    site.stays_quiet();
}

#[test]
fn what_does_not_load_is_told_once_and_tried_again_when_it_changes() {
    let site = Site::simple(config(true));
    site.write("rules.conf", "SecRule nonsense");
    site.refuses();
    site.stays_quiet();
    assert_eq!((site.ids(), site.waf.generation().number), (vec![1], 1));
    // Half mended is not mended.
    site.write("rules.conf", "SecRule nonsense once more");
    site.refuses();
    site.write("rules.conf", &rule(2));
    site.promotes(&[2]);
}

#[test]
fn a_change_that_is_taken_back_loads_nothing() {
    let site = Site::simple(config(true));
    site.write("rules.conf", "SecRule nonsense");
    site.refuses();
    site.write("rules.conf", &rule(1));
    let next = site.next();
    assert!(matches!(next, Followed::Same), "{next:?}");
    assert_eq!(site.waf.generation().number, 1);
}

#[test]
fn the_same_content_again_is_no_change() {
    let site = Site::simple(config(true));
    site.write("rules.conf", &rule(1));
    site.write("beside.conf", "SecRule nonsense");
    site.stays_quiet();
    assert_eq!(site.waf.generation().number, 1);
}

#[test]
fn a_burst_is_one_load() {
    let site = Site::simple(patient(true));
    for id in 2..=60 {
        fs::write(site.path("rules.conf"), rule(id)).expect("a file");
    }
    site.promotes(&[60]);
    site.stays_quiet();
    assert_eq!(site.waf.generation().number, 2);
}

#[test]
fn included_files_data_files_and_files_that_come_and_go() {
    for events in [true, false] {
        let site = Site::new(config(events), "main.conf", |folder| {
            let main = "SecRuleEngine On\nInclude parts/*.conf\nIncludeOptional local.conf\n";
            fs::create_dir(folder.join("parts")).expect("a folder");
            let list = "SecRule ARGS \"@pmFromFile words.data\" \"id:1,phase:2,deny\"\n";
            let files = [("main.conf", main), ("parts/a.conf", list), ("parts/words.data", "alpha\n")];
            files.iter().for_each(|(name, text)| fs::write(folder.join(name), text).expect("a file"));
        });
        site.write("parts/words.data", "alpha\nbeta\n");
        site.promotes(&[1]);
        site.write("parts/b.conf", "SecAction \"id:2,phase:1,pass\"\n");
        site.promotes(&[1, 2]);
        site.write("local.conf", "SecAction \"id:3,phase:1,pass\"\n");
        site.promotes(&[1, 2, 3]);
        fs::remove_file(site.path("parts/b.conf")).expect("removed");
        site.promotes(&[1, 3]);
        // What is needed and gone is an error, and no reason to serve without it.
        fs::remove_file(site.path("parts/words.data")).expect("removed");
        site.refuses();
        assert_eq!(site.ids(), [1, 3]);
        site.write("parts/words.data", "gamma\n");
        site.promotes(&[1, 3]);
    }
}

#[test]
fn a_folder_that_goes_and_comes_back() {
    for events in [true, false] {
        let site = Site::new(config(events), "rules/rules.conf", |folder| {
            fs::create_dir(folder.join("rules")).expect("a folder");
            fs::write(folder.join("rules/rules.conf"), rule(1)).expect("a file");
        });
        fs::remove_dir_all(site.path("rules")).expect("removed");
        site.refuses();
        assert_eq!(site.ids(), [1]);
        fs::create_dir(site.path("rules")).expect("a folder");
        site.write("rules/rules.conf", &rule(2));
        site.promotes(&[2]);
        // The new folder is listened to, too.
        site.write("rules/rules.conf", &rule(3));
        site.promotes(&[3]);
    }
}

#[test]
fn what_others_have_put_into_service_is_left_there_until_the_files_change() {
    let site = Site::simple(config(true));
    site.write("rules.conf", &rule(2));
    site.promotes(&[2]);
    site.waf.roll_back().expect("there is one before");
    site.stays_quiet();
    assert_eq!(site.ids(), [1]);
    site.write("rules.conf", &rule(3));
    site.promotes(&[3]);
}
