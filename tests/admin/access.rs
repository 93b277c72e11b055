//! Who may ask what, on the socket.

use super::log::{logged, logged_if};
use super::site::{Site, problem};
use fusewall::host::admin::{Admin, AdminConfig, AdminError, Caller, Match, Role, Roles, routes};
use std::os::unix::fs::PermissionsExt;

/// A target of a route's form.
fn target(path: &str) -> String {
    path.replace("{id}", "7").replace("{tag}", "word")
}

#[test]
fn a_route_asks_for_its_role_before_anything_else() {
    for role in Role::ALL {
        let site = Site::with(|config| config.owner_roles = Roles::of([role]));
        let before = site.waf.generation();
        for (method, path, wanted) in routes() {
            let reply = site.send(method, &target(path), &[], b"{");
            let may = wanted == Role::Read || wanted == role;
            let refused = reply.status == 403 && reply.json()["code"] == "role";
            assert_eq!(refused, !may, "{method} {path} with {role:?}: {} {}", reply.status, reply.text());
            if refused {
                assert_eq!(reply.json()["role"], wanted.name());
            }
        }
        assert_eq!(site.waf.generation(), before);
        assert_eq!(site.waf.switched_off().0, [], "nothing was done");
    }
}

#[test]
fn who_has_no_role_gets_no_answer_at_all() {
    let site = Site::with(|config| {
        config.owner_roles = Roles::default();
        // Somebody else has them all.
        config.callers.push(Caller { who: Match::User(u32::MAX - 7), name: None, roles: Roles::ALL });
    });
    for (method, path, _) in routes() {
        assert_eq!(site.send(method, &target(path), &[], b"").problem(), problem(403, "unknown-caller"), "{path}");
    }
    assert_eq!(
        site.get("/nowhere").problem(),
        problem(403, "unknown-caller"),
        "not even whether there is such a route"
    );
    logged_if(&["WARN", "refused", "PUT /v1/ruleset", "unknown-caller", "uid "], || {
        site.put("/v1/ruleset", "").problem();
    });
}

#[test]
fn an_entry_for_the_caller_counts() {
    use std::os::unix::fs::MetadataExt;
    let own = tempfile::tempdir().unwrap().path().metadata().unwrap().uid();
    let roles = Roles::of([Role::Kill]);
    let site = Site::with(|config| {
        config.owner_roles = Roles::default();
        config.callers.push(Caller { who: Match::User(own), name: Some("on call".into()), roles });
    });
    site.put("/v1/rules/1", r#"{"enabled":false}"#).done();
    assert_eq!(site.put("/v1/mode", r#"{"mode":"off"}"#).problem(), problem(403, "role"));
    logged(&["INFO", "on call (uid", "rule 1: off, 1 rules in service", "PUT /v1/rules/1"]);
}

#[test]
fn routes_that_are_none_are_told_apart() {
    let site = Site::start();
    assert_eq!(site.get("/v1/nothing").problem(), problem(404, "no-route"));
    let wrong = site.send("PATCH", "/v1/mode", &[], b"");
    assert_eq!((wrong.problem(), wrong.field("allow")), (problem(405, "method"), Some("GET, PUT")));
    assert_eq!(site.put("/v1/tags/%ff", r#"{"enabled":false}"#).problem(), problem(400, "path"));
}

#[test]
fn browsers_are_refused() {
    let site = Site::start();
    for field in ["Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode"] {
        assert_eq!(site.send("GET", "/v1/mode", &[(field, "x")], b"").problem(), problem(403, "browser"), "{field}");
    }
}

#[test]
fn the_socket_has_its_permissions_and_goes_with_the_process() {
    for mode in [0o600, 0o660] {
        let mut site = Site::with(|config| config.socket_mode = mode);
        let about = std::fs::metadata(&site.socket).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, mode);
        site.admin = None;
        assert!(!site.socket.exists());
    }
}

fn start(site: &Site, socket: &std::path::Path) -> Result<Admin, AdminError> {
    let config = AdminConfig { socket: Some(socket.to_owned()), ..AdminConfig::default() };
    Admin::builder(config, site.waf.clone()).start()
}

#[test]
fn a_socket_left_behind_makes_room_and_nothing_else_does() {
    let site = Site::start();
    let said = |result: Result<Admin, AdminError>| {
        let error = result.expect_err("it is taken");
        let source = std::error::Error::source(&error).unwrap();
        format!("{error}: {source}")
    };
    let taken = said(start(&site, &site.socket));
    assert!(taken.contains("another process listens there") && taken.contains("admin.sock"), "{taken}");
    site.get("/healthz").done();

    let file = site.folder.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    assert!(said(start(&site, &file)).contains("something else than a socket"));
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");

    let left = site.folder.path().join("left.sock");
    drop(std::os::unix::net::UnixListener::bind(&left).unwrap());
    assert!(left.exists());
    let again = start(&site, &left).expect("nobody listens there");
    std::os::unix::net::UnixStream::connect(&left).expect("somebody does now");
    // One that has come after it is not its own.
    std::fs::remove_file(&left).unwrap();
    std::fs::write(&left, "other").unwrap();
    drop(again);
    assert!(left.exists());
}

#[test]
fn a_folder_that_everybody_may_write_to_is_no_place_for_a_socket() {
    let site = Site::start();
    let open = site.folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = start(&site, &open.join("a.sock")).expect_err("it is refused");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("chmod o-w"));
}
