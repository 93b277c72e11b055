//! `fusewall rollout` against a running `fusewall serve`.

use super::site::rules;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A proxy that runs as a process, with an admin socket.
struct Serving {
    child: Child,
    address: SocketAddr,
    folder: TempDir,
}

impl Serving {
    fn start() -> Serving {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("site.conf"), rules("first")).unwrap();
        let text = format!(
            "listen = ['127.0.0.1:0']\nrules = ['{}']\n[admin]\nsocket = '{}'\nunsigned_uploads = true\n",
            path("site.conf").display(),
            path("admin.sock").display(),
        );
        std::fs::write(path("serve.toml"), text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_fusewall"));
        command.arg("serve").arg("--config").arg(path("serve.toml")).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.find(|line| line.as_ref().unwrap().contains("listening on")).unwrap().unwrap();
        let address = line.split("http://").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        // Whoever does not read holds it up some time.
        std::thread::spawn(move || lines.count());
        Serving { child, address, folder }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn rollout(&self, arguments: &[&str]) -> Output {
        let socket = self.folder.path().join("admin.sock");
        let mut command = Command::new(env!("CARGO_BIN_EXE_fusewall"));
        command.arg("rollout").arg("--socket").arg(socket).args(arguments).output().unwrap()
    }

    /// What a command says that succeeds.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.rollout(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command complains about.
    #[track_caller]
    fn fails(&self, arguments: &[&str], status: i32) -> String {
        let output = self.rollout(arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stderr).unwrap()
    }

    /// The generation in service. Numbers rise by at least one: a promotion that is refused may take one.
    fn generation(&self) -> u64 {
        let status: Value = serde_json::from_str(&self.done(&["status", "--json"])).unwrap();
        status["in_service"]["generation"].as_u64().unwrap()
    }

    fn status(&self, value: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let request = format!("GET /?x={value} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap_or_default().to_owned()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_operator_looks_after_a_running_proxy() {
    let site = Serving::start();
    assert_eq!((site.status("first1").as_str(), site.status("second1").as_str()), ("403", "200"));
    assert!(site.done(&["status"]).starts_with("in service: generation 1 ("));
    let file = site.file("next.conf", &rules("second"));
    let staged: Value = serde_json::from_str(&site.done(&["stage", &file, "--json"])).unwrap();
    let id = staged["id"].as_str().unwrap();
    assert!(site.done(&["status"]).contains(&format!("staged: {id} (2 rules), by uid ")));
    let stale = site.fails(&["promote", id, "--expected", "7"], 1);
    assert!(stale.contains("generation 7 was expected, but generation 1 is in service"), "{stale}");
    let promoted = site.done(&["promote", id]);
    let second = site.generation();
    assert!(promoted.starts_with(&format!("generation {second} (")) && second > 1, "{promoted}");
    assert_eq!((site.status("first1").as_str(), site.status("second1").as_str()), ("200", "403"));
    assert!(site.done(&["rule", "1", "off"]).contains(&format!("1 rules of generation {second} are off")));
    assert_eq!(site.status("second1"), "200");
    site.done(&["rule", "1", "on"]);
    assert!(site.done(&["tag", "OWASP/word list", "off"]).contains("1 rules"));
    assert!(site.done(&["status"]).contains("off: rules tagged owasp/word list"));
    site.done(&["tag", "owasp/word list", "on"]);
    assert!(site.done(&["mode", "off", "--for", "2m"]).contains("off at most, for 120 s more"));
    assert_eq!(site.status("second1"), "200");
    site.done(&["mode", "on"]);
    assert!(site.done(&["rollback"]).contains("rolled back 1"));
    assert_eq!((site.status("first1").as_str(), site.status("second1").as_str()), ("403", "200"));
    let staged: Value = serde_json::from_str(&site.done(&["stage", &file, "--json"])).unwrap();
    let live = site.generation();
    let candidate = (live + 1).to_string();
    let begun = site.done(&["begin", staged["id"].as_str().unwrap()]);
    assert!(begun.contains(&format!("on its way as generation {candidate}")), "{begun}");
    let status = site.done(&["status"]);
    assert!(
        status.contains(&format!("rollout of generation {candidate} over {live}: shadow, 0 networks seen")),
        "{status}"
    );
    assert!(site.done(&["approve"]).contains("shadow -> canary 1 % (approved)"));
    let held = site.done(&["hold", &candidate, "virtual patch"]);
    assert!(held.contains(&format!("held in service: generation {candidate}: virtual patch")), "{held}");
    assert_eq!(site.status("second1"), "403");
    assert!(site.fails(&["rollback"], 1).contains(&format!("generation {candidate} is pinned: virtual patch")));
    site.done(&["release", &candidate]);
    site.done(&["abort"]);
    assert_eq!(site.status("second1"), "200");
    let metrics = site.done(&["metrics"]);
    assert!(
        metrics.contains(&format!("fusewall_ruleset_generation {}\n", site.generation()))
            && metrics.contains("{action=\"deny\"} "),
        "{metrics}"
    );
    assert!(site.done(&["cost"]).contains("64 KiB a value"));
}

#[test]
fn what_is_refused_is_said_with_its_reasons() {
    let site = Serving::start();
    let wrong = site.file("wrong.conf", "SecRuleEngine On\nSecRul x\n");
    let said = site.fails(&["stage", &wrong], 1);
    assert!(said.contains("upload.conf:2: error[E0201]") && said.contains("the rules do not load, 1 errors"), "{said}");
    let output = site.rollout(&["stage", &wrong, "--json"]);
    let problem: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &problem["code"]), (Some(1), &"does-not-load".into()));
    assert!(site.fails(&["promote", "0123"], 1).contains("nothing staged has the id `0123`"));
    assert!(site.fails(&["rollback"], 1).contains("no generation before"));
    let bundle = site.folder.path().join("site.fwb");
    std::fs::write(&bundle, super::site::bundle("second")).unwrap();
    assert!(site.fails(&["stage", bundle.to_str().unwrap()], 2).contains("site.fwb.minisig cannot be read"));
    assert!(site.fails(&["mode", "off", "--for", "2 days"], 2).contains("such as 90s, 15m or 2h"));
    assert!(site.fails(&["stage", "/nowhere.conf"], 2).contains("/nowhere.conf cannot be read"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_fusewall"));
    let output = command.args(["rollout", "--socket", "/nowhere/admin.sock", "status"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.contains("cannot connect to /nowhere/admin.sock"), "{said}");
}
