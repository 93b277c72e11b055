//! TOML text to [`Config`]: all errors at once, each with line, key and the nearest key that exists.

use super::admin::{ADMIN, CALLER, Entry};
use super::keys::{Key, ROUTE, SITE};
use super::{Config, Route};
use crate::host::admin::Caller;
use std::fmt;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// What, and what was expected.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

impl std::error::Error for ConfigError {}

/// Reads a configuration. `file` is used in the errors only.
///
/// # Errors
/// Everything that is wrong with it: TOML syntax, unknown keys, values that do not fit.
///
/// ```
/// use fusewall::host::serve::config::parse;
/// let errors = parse("serve.toml", "[timeouts]\nhaed = \"5s\"\n").unwrap_err();
/// assert_eq!(errors[0].to_string(), "serve.toml:2: unknown key `timeouts.haed`; did you mean `timeouts.head`?");
/// ```
pub fn parse(file: &str, text: &str) -> Result<Config, Vec<ConfigError>> {
    let (mut reader, table) = Reader::new(file, text, Vec::new());
    let mut config = Config::default();
    if reader.errors.is_empty() {
        reader.site(&mut config, SITE, table.get_ref());
        if config.tls.certificate.is_some() != config.tls.key.is_some() {
            let lacking = "`tls.certificate` and `tls.key` belong together: one of them is missing";
            reader.error_at(table.get_ref(), "tls", lacking.to_owned());
        }
    }
    if reader.errors.is_empty() { Ok(config) } else { Err(reader.errors) }
}

/// Reads the configuration of another host: its own keys, and beside them those that it shares with the reverse proxy. `lacks` says
/// what is missing in the end, and below which key.
///
/// # Errors
/// As [`parse`].
#[cfg(feature = "ext-proc")]
pub(in crate::host) fn parse_beside<T>(
    file: &str,
    text: &str,
    (host, own): (&mut T, &[Key<T>]),
    (site, shared): (&mut Config, &[Key<Config>]),
    lacks: impl Fn(&T) -> Option<(&'static str, String)>,
) -> Result<(), Vec<ConfigError>> {
    let (mut reader, table) = Reader::new(file, text, own.iter().map(|key| key.name).collect());
    if reader.errors.is_empty() {
        // What is unknown at the top level the second reading knows, or names.
        reader.table(host, own, "", "", table.get_ref(), &|_, _, name, _| !name.contains('.'));
        reader.site(site, shared, table.get_ref());
        if let Some((key, lacking)) = lacks(host) {
            reader.error_at(table.get_ref(), key, lacking);
        }
    }
    if reader.errors.is_empty() { Ok(()) } else { Err(reader.errors) }
}

/// Reads tables of keys; collects what is wrong with them.
pub(in crate::host) struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    pub(in crate::host) errors: Vec<ConfigError>,
    /// Names of keys that somebody else reads.
    others: Vec<&'static str>,
}

/// Takes a key that is not in the table of keys; false if it does not know it either.
pub(in crate::host) type Other<'o, 't, T> =
    &'o dyn Fn(&mut Reader<'t>, &mut T, &str, &toml::Spanned<DeValue<'_>>) -> bool;

impl<'t> Reader<'t> {
    /// For a text of which somebody else reads the keys of these names.
    pub(in crate::host) fn new(
        file: &'t str,
        text: &'t str,
        others: Vec<&'static str>,
    ) -> (Self, toml::Spanned<DeTable<'t>>) {
        let (table, syntax) = DeTable::parse_recoverable(text);
        let mut reader = Reader { file, text, errors: Vec::new(), others };
        for error in &syntax {
            reader.error(error.span().unwrap_or_default(), error.message().to_owned());
        }
        (reader, table)
    }

    /// Reads what is about rules and inspection.
    pub(in crate::host) fn site(&mut self, config: &mut Config, keys: &[Key<Config>], table: &DeTable<'_>) {
        self.table(config, keys, "", "", table, &|reader, config, name, value| match name {
            "routes" => reader.routes(config, value),
            "admin" => reader.admin(config, value),
            _ => reader.is_of_others(name),
        });
        if let Some(lacking) = config.admin.lacks() {
            self.error_at(table, "admin", lacking);
        }
    }

    fn is_of_others(&self, name: &str) -> bool {
        self.others
            .iter()
            .any(|other| other.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }

    /// An error at a key of the file.
    pub(in crate::host) fn error_at(&mut self, table: &DeTable<'_>, key: &str, message: String) {
        let span = table.get(key).map(|value| value.span()).unwrap_or_default();
        self.error(span, message);
    }

    pub(in crate::host) fn error(&mut self, span: Range<usize>, message: String) {
        let before = self.text.as_bytes().get(..span.start).unwrap_or_default();
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        self.errors.push(ConfigError { file: self.file.to_owned(), line, message });
    }

    /// Reads one table. `prefix` is its dotted name within `keys`, `shown` the name of the whole for messages.
    pub(in crate::host) fn table<T>(
        &mut self,
        target: &mut T,
        keys: &[Key<T>],
        prefix: &str,
        shown: &str,
        table: &DeTable<'_>,
        other: Other<'_, 't, T>,
    ) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            if let Some(key) = keys.iter().find(|key| key.name == name) {
                if let Err(message) = (key.set)(target, value.get_ref()) {
                    self.error(value.span(), format!("`{shown}{name}`: {message}"));
                }
                continue;
            }
            let section = format!("{name}.");
            if keys.iter().any(|key| key.name.starts_with(&section)) {
                match value.get_ref() {
                    DeValue::Table(inner) => self.table(target, keys, &section, shown, inner, other),
                    value => {
                        let found = value.type_str();
                        self.error(
                            key.span(),
                            format!("`{shown}{name}`: expected a table, found a value of type {found}"),
                        );
                    }
                }
                continue;
            }
            if !other(self, target, &name, value) {
                let known = keys.iter().map(|key| key.name).chain(self.others.iter().copied());
                let hint = match nearest(&name, known) {
                    Some(near) => format!("; did you mean `{shown}{near}`?"),
                    None => String::new(),
                };
                self.error(key.span(), format!("unknown key `{shown}{name}`{hint}"));
            }
        }
    }

    fn routes(&mut self, config: &mut Config, value: &toml::Spanned<DeValue<'_>>) -> bool {
        let Some(array) = value.get_ref().as_array() else {
            self.error(value.span(), "`routes`: expected tables, each headed `[[routes]]`".to_owned());
            return true;
        };
        for item in array.iter() {
            let mut route = Route::default();
            match item.get_ref() {
                DeValue::Table(table) => self.table(&mut route, ROUTE, "", "routes.", table, &|_, _, _, _| false),
                _ => self.error(item.span(), "`routes`: expected a table".to_owned()),
            }
            if route.path.is_empty() {
                self.error(item.span(), "`routes.path` is missing".to_owned());
            }
            let path = route.path.trim_end_matches('/');
            if !route.path.is_empty() && config.routes.iter().any(|above| above.path.trim_end_matches('/') == path) {
                let path = &route.path;
                self.error(item.span(), format!("`routes.path`: {path:?} covers the same paths as a route above it"));
            }
            config.routes.push(route);
        }
        true
    }

    fn admin(&mut self, config: &mut Config, value: &toml::Spanned<DeValue<'_>>) -> bool {
        match value.get_ref() {
            DeValue::Table(table) => {
                self.table(&mut config.admin, ADMIN, "", "admin.", table, &|reader, admin, name, value| {
                    name == "callers" && reader.callers(&mut admin.callers, value)
                });
            }
            _ => self.error(value.span(), "`admin`: expected a table".to_owned()),
        }
        true
    }

    fn callers(&mut self, callers: &mut Vec<Caller>, value: &toml::Spanned<DeValue<'_>>) -> bool {
        let Some(array) = value.get_ref().as_array() else {
            self.error(value.span(), "`admin.callers`: expected tables, each headed `[[admin.callers]]`".to_owned());
            return true;
        };
        for item in array.iter() {
            let mut entry = Entry::default();
            let errors = self.errors.len();
            match item.get_ref() {
                DeValue::Table(table) => {
                    self.table(&mut entry, CALLER, "", "admin.callers.", table, &|_, _, _, _| false)
                }
                _ => self.error(item.span(), "`admin.callers`: expected a table".to_owned()),
            }
            match entry.caller() {
                Ok(caller) => callers.push(caller),
                // What is wrong with a key is enough to say.
                Err(message) if self.errors.len() == errors => self.error(item.span(), message),
                Err(_) => {}
            }
        }
        true
    }
}

/// The known name that differs least, if it is near at all.
fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let own_last = name.rsplit('.').next().unwrap_or(name);
    known
        .map(|key| {
            // A key put into the wrong table is as likely as a misspelt one.
            let last = key.rsplit('.').next().unwrap_or(key);
            let distance = distance(name, key).min(if last == own_last { 1 } else { usize::MAX });
            (distance, key)
        })
        .min()
        .filter(|&(distance, key)| distance <= key.len().div_ceil(3))
        .map(|(_, key)| key)
}

/// Levenshtein distance, by bytes, of short names.
fn distance(a: &str, b: &str) -> usize {
    let a = a.get(..64).unwrap_or(a).as_bytes();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, &x) in a.iter().take(64).enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, &y) in row.iter_mut().skip(1).zip(b.as_bytes()) {
            let best = (diagonal + usize::from(x != y)).min(*slot + 1).min(left + 1);
            diagonal = *slot;
            *slot = best;
            left = best;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Policy, RulePolicy};
    use crate::host::admin::{Match, Role};
    use std::time::Duration;

    fn errors(text: &str) -> Vec<String> {
        parse("f.toml", text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_default_in_the_table_is_the_default() {
        for key in SITE.iter().filter(|key| !key.default.is_empty()) {
            let text = format!("{} = {}", key.name, key.default);
            assert_eq!(parse("f.toml", &text).as_ref(), Ok(&Config::default()), "{text}");
        }
        for key in ADMIN.iter().filter(|key| !key.default.is_empty()) {
            let text = format!("admin.{} = {}", key.name, key.default);
            assert_eq!(parse("f.toml", &text).as_ref(), Ok(&Config::default()), "{text}");
        }
    }

    #[test]
    fn callers_of_the_admin_api_have_roles() {
        let fingerprint = "AB:".repeat(31) + "0c";
        let text = format!(
            "[admin]\nsocket = '/run/f.sock'\nsocket_mode = '0660'\nowner_roles = []\n\
             [admin.tcp]\nlisten = '127.0.0.1:0'\ncertificate = 'a'\nkey = 'b'\nclient_ca = 'c'\nhosts = ['waf.example', '[::1]']\n\
             [[admin.callers]]\nuid = 7\nroles = ['kill']\n[[admin.callers]]\ncertificate = '{fingerprint}'\nname = 'deploy'\nroles = ['promote']\n"
        );
        let admin = parse("f.toml", &text).unwrap().admin;
        assert_eq!((admin.socket_mode, admin.owner_roles.has(Role::Read), admin.callers.len()), (0o660, false, 2));
        let mut expected = [0xab; 32];
        expected[31] = 0x0c;
        assert_eq!(admin.callers[1].who, Match::Certificate(expected));
        assert!(admin.callers[0].roles.has(Role::Read) && !admin.callers[0].roles.has(Role::Mode));
    }

    #[test]
    fn what_is_wrong_with_the_admin_api_is_named() {
        for (text, expected) in [
            ("[admin]\nsock = 'a'", "f.toml:2: unknown key `admin.sock`; did you mean `admin.socket`?"),
            ("admin = 3", "f.toml:1: `admin`: expected a table"),
            (
                "[admin]\nsocket_mode = '0666'",
                "f.toml:2: `admin.socket_mode`: expected \"0600\" or \"0660\", found \"0666\"",
            ),
            (
                "[admin]\nowner_roles = ['all']",
                "f.toml:2: `admin.owner_roles`: expected \"read\", \"kill\", \"promote\" or \"mode\", found \"all\"",
            ),
            (
                "[[admin.callers]]\nroles = ['read']",
                "f.toml:1: `admin.callers`: expected one of `uid`, `gid` and `certificate`",
            ),
            (
                "[[admin.callers]]\nuid = 1\ngid = 2\nroles = []",
                "f.toml:1: `admin.callers`: expected one of `uid`, `gid` and `certificate`",
            ),
            ("[[admin.callers]]\nuid = 1", "f.toml:1: `admin.callers.roles` is missing"),
            (
                "[[admin.callers]]\nuid = -1",
                "f.toml:2: `admin.callers.uid`: expected a number from 0 to 4294967295, found -1",
            ),
            (
                "[[admin.callers]]\ncertificate = 'ab'",
                "f.toml:2: `admin.callers.certificate`: expected 64 hexadecimal digits, colons allowed, found \"ab\"",
            ),
            (
                "[admin.tcp]\nhosts = ['a:1']",
                "f.toml:2: `admin.tcp.hosts`: expected a name without a port, such as waf.example or [::1], found \"a:1\"",
            ),
        ] {
            assert_eq!(errors(text), [expected], "{text}");
        }
        assert!(errors("[admin.tcp]\nlisten = '127.0.0.1:1'")[0].contains("needs `admin.tcp.certificate`"));
        assert!(errors("[admin.tcp]\nkey = 'k'")[0].contains("`admin.tcp.listen` is missing"));
        let tcp = "[admin.tcp]\nlisten = '127.0.0.1:1'\ncertificate = 'a'\nkey = 'b'\nclient_ca = 'c'\nhosts = ['h']";
        assert!(errors(tcp)[0].contains("[[admin.callers]]"), "{:?}", errors(tcp));
    }

    #[test]
    fn a_budget_is_fuel_or_a_time_that_stands_for_it() {
        let text = "[budget]\nbase = '2ms'\nrule = 77\n[inspection]\nexhausted = 'allow'\n\
                    [[routes]]\npath = '/up'\nexhausted = 'block'\nrule_exhausted = 'score:5'\n";
        let config = parse("f.toml", text).unwrap();
        assert_eq!((config.budget.base, config.budget.rule), (1_000_000, 77));
        let policy = |path: &[u8]| {
            let policy = config.body_policy(path);
            (policy.exhausted, policy.rule_exhausted)
        };
        assert_eq!(policy(b"/"), (Some(Policy::Allow), Some(RulePolicy::Match)));
        assert_eq!(policy(b"/up/a"), (Some(Policy::Block), Some(RulePolicy::Score(5))));
        assert_eq!(config.openings().len(), 2, "{:?}", config.openings());
        assert_eq!(Config::default().openings(), [""; 0]);
        for wrong in ["[budget]\nbase = 0", "[budget]\nbase = '2'", "[inspection]\nrule_exhausted = 'score:0'"] {
            assert_eq!(errors(wrong).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn values_arrive() {
        let config = parse(
            "f.toml",
            "listen = ['[::1]:0']\ntrusted_proxies = ['10.0.0.0/8', '::1']\n[upstream]\nurl = 'http://127.0.0.1:3000'\n\
             [timeouts]\nhead = '250ms'\n[governor]\nshare = 0.7\n[[routes]]\npath = '/up'\nover_limit = 'pass'\n",
        )
        .unwrap();
        assert_eq!(config.listen, ["[::1]:0".parse().unwrap()]);
        assert!(config.trusted_proxies.contains("10.255.0.1".parse().unwrap()));
        assert!(!config.trusted_proxies.contains("11.0.0.1".parse().unwrap()));
        assert_eq!(config.timeouts.head, Duration::from_millis(250));
        assert_eq!(config.governor.share, Some(0.7));
        assert_eq!(config.routes.len(), 1);
    }

    #[test]
    fn all_errors_come_at_once_with_file_line_and_nearest_key() {
        assert_eq!(
            errors("listn = []\n\n[limits]\nconnections = 0\nidle = 3\n[[routes]]\npth = '/x'\n"),
            [
                "f.toml:4: `limits.connections`: expected an integer from 1 on, found 0",
                "f.toml:5: unknown key `limits.idle`; did you mean `timeouts.idle`?",
                "f.toml:1: unknown key `listn`; did you mean `listen`?",
                "f.toml:7: unknown key `routes.pth`; did you mean `routes.path`?",
                "f.toml:6: `routes.path` is missing",
            ]
        );
    }

    #[test]
    fn odd_values_are_errors_and_never_a_panic() {
        assert_eq!(errors("threads = -1"), ["f.toml:1: `threads`: expected an integer from 0 to 1024, found -1"]);
        assert_eq!(errors("limits = 3"), ["f.toml:1: `limits`: expected a table, found a value of type integer"]);
        assert!(errors("timeouts.head = '9999999999999999999h'")[0].contains("expected a duration"));
        assert!(errors("timeouts.head = '0s'")[0].contains("expected a duration"));
        assert!(errors("trusted_proxies = ['10.0.0.0/33']")[0].contains("expected an address or a network"));
        assert!(errors("a = [")[0].starts_with("f.toml:1: "));
        assert!(errors("[tls]\nkey = 'k'")[0].contains("belong together"));
        for share in ["0", "0.0", "1.5", "-0.1", "nan", "inf", "2", "'all'"] {
            let errors = errors(&format!("governor.share = {share}"));
            assert!(errors[0].contains("expected a number above 0, at most 1, found"), "{share}: {errors:?}");
        }
        assert!(errors("governor.burst_ms = 0")[0].contains("from 1 to 60000"));
        assert!(errors("threads = 5000")[0].contains("expected an integer from 0 to 1024"));
    }

    #[test]
    fn what_could_never_work_is_an_error() {
        assert_eq!(errors("listen = []"), ["f.toml:1: `listen`: expected at least one address:port"]);
        for path in ["/a%20b", "/a/../b", "/a//b", "/a b", "/a;v=1", "/./a", "/a?b"] {
            let text = format!("[[routes]]\npath = '{path}'");
            assert!(errors(&text)[0].contains("is never covered"), "{path}");
        }
        assert_eq!(
            errors("[[routes]]\npath = '/a'\n[[routes]]\npath = '/a/'"),
            ["f.toml:3: `routes.path`: \"/a/\" covers the same paths as a route above it"]
        );
    }
}
