//! The keys of `[admin]` and of one `[[admin.callers]]`.

use super::keys::{Key, key};
use super::values::{BYTES, PATH, STRING, address, boolean, found, list, number, path, positive, string};
use crate::host::admin::{AdminConfig, Caller, Fingerprint, Match, Role, Roles};
use toml::de::DeValue;

const ROLES: &str = "list of `\"read\"`, `\"kill\"`, `\"promote\"`, `\"mode\"`";
const ID: &str = "integer, a number of the system";

/// Keys of `[admin]`.
pub(super) const ADMIN: &[Key<AdminConfig>] = &[
    key!(
        "socket",
        PATH,
        "",
        "A unix socket for the admin API; without it (and without `tcp.listen`) there is none. Callers are known by the user that the system says they are. `docs/admin.md` says what they can ask.",
        |admin, value| admin.socket = Some(path(value)?)
    ),
    key!(
        "socket_mode",
        "`\"0600\"` or `\"0660\"`",
        r#""0600""#,
        "Permissions of the socket; the second lets the group of the process connect, too, which still needs roles.",
        |admin, value| admin.socket_mode = mode(value)?
    ),
    key!(
        "owner_roles",
        ROLES,
        r#"["read", "kill", "promote", "mode"]"#,
        "What the user of this process and root may do on the socket.",
        |admin, value| admin.owner_roles = roles(value)?
    ),
    key!(
        "upload_bytes",
        BYTES,
        "67108864",
        "Bytes of an uploaded ruleset; more are refused before they are read.",
        |admin, value| admin.upload_bytes = positive(value)?
    ),
    key!(
        "unsigned_uploads",
        "boolean",
        "false",
        "Take rules as text as well, which nobody has signed: whoever has the role `promote` then decides alone what is in service.",
        |admin, value| admin.unsigned_uploads = boolean(value)?
    ),
    key!(
        "tcp.listen",
        "`address:port`",
        "",
        "Where the admin API listens for mutual TLS. It needs the other keys of `[admin.tcp]`, and callers with a `certificate`.",
        |admin, value| admin.tcp.listen = Some(address(value)?)
    ),
    key!("tcp.certificate", PATH, "", "Certificate chain of this server, PEM.", |admin, value| admin.tcp.certificate =
        Some(path(value)?)),
    key!("tcp.key", PATH, "", "Private key of the certificate, PEM.", |admin, value| admin.tcp.key =
        Some(path(value)?)),
    key!(
        "tcp.client_ca",
        PATH,
        "",
        "Certificates that sign those of callers, PEM. Who shows none does not get as far as HTTP.",
        |admin, value| admin.tcp.client_ca = Some(path(value)?)
    ),
    key!(
        "tcp.hosts",
        "list of host names or addresses",
        "[]",
        "What callers may call this server in `Host`, without a port; other names are refused (421).",
        |admin, value| admin.tcp.hosts = list(value, host)?
    ),
];

/// What an entry says so far.
#[derive(Default)]
pub(super) struct Entry {
    who: Vec<Match>,
    name: Option<String>,
    roles: Option<Roles>,
}

/// Keys of one `[[admin.callers]]`.
pub(super) const CALLER: &[Key<Entry>] = &[
    key!("uid", ID, "", "A user, on the socket. One of `uid`, `gid` and `certificate` is required.", |entry, value| {
        entry.who.push(Match::User(id(value)?))
    }),
    key!(
        "gid",
        ID,
        "",
        "A group, on the socket: that of the calling process itself, not a further one that its user is in.",
        |entry, value| entry.who.push(Match::Group(id(value)?))
    ),
    key!(
        "certificate",
        "64 hexadecimal digits, colons allowed",
        "",
        "SHA-256 of the caller's certificate, over TCP: `openssl x509 -noout -fingerprint -sha256 -in caller.pem`.",
        |entry, value| entry.who.push(Match::Certificate(fingerprint(value)?))
    ),
    key!("name", STRING, "", "How the log calls them.", |entry, value| entry.name = Some(name(value)?)),
    key!("roles", ROLES, "", "Required. What they may do; whoever may do anything may read.", |entry, value| entry
        .roles =
        Some(roles(value)?)),
];

impl Entry {
    /// What it comes to.
    pub(super) fn caller(self) -> Result<Caller, String> {
        let Ok([who]) = <[Match; 1]>::try_from(self.who) else {
            return Err("`admin.callers`: expected one of `uid`, `gid` and `certificate`".to_owned());
        };
        let roles = self.roles.ok_or_else(|| "`admin.callers.roles` is missing".to_owned())?;
        Ok(Caller { who, name: self.name, roles })
    }
}

fn mode(value: &DeValue<'_>) -> Result<u32, String> {
    match value.as_str() {
        Some("0600") => Ok(0o600),
        Some("0660") => Ok(0o660),
        _ => Err(format!("expected \"0600\" or \"0660\", found {}", found(value))),
    }
}

fn roles(value: &DeValue<'_>) -> Result<Roles, String> {
    let role = |value: &DeValue<'_>| {
        let wrong = || format!("expected \"read\", \"kill\", \"promote\" or \"mode\", found {}", found(value));
        value.as_str().and_then(Role::named).ok_or_else(wrong)
    };
    list(value, role).map(Roles::of)
}

fn id(value: &DeValue<'_>) -> Result<u32, String> {
    let id = number(value).ok().and_then(|id| u32::try_from(id).ok());
    id.ok_or_else(|| format!("expected a number from 0 to 4294967295, found {}", found(value)))
}

fn fingerprint(value: &DeValue<'_>) -> Result<Fingerprint, String> {
    let text = string(value)?;
    let digits: Vec<u32> =
        text.chars().filter(|letter| *letter != ':').map_while(|letter| letter.to_digit(16)).collect();
    let whole = text.chars().filter(|letter| *letter != ':').count() == digits.len();
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | *digit as u8)).collect();
    let fingerprint = <Fingerprint>::try_from(bytes).ok().filter(|_| whole && digits.len() == 64);
    fingerprint.ok_or_else(|| format!("expected 64 hexadecimal digits, colons allowed, found {text:?}"))
}

fn name(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    match text.is_empty() || text.len() > 100 || text.contains(char::is_control) {
        true => Err(format!("expected a name of at most 100 bytes, found {text:?}")),
        false => Ok(text),
    }
}

fn host(value: &DeValue<'_>) -> Result<String, String> {
    let text = string(value)?;
    let bare = !text.is_empty() && !text.contains(['/', '@', ' ']);
    let port = !text.ends_with(']') && text.rsplit_once(':').is_some();
    match bare && !port {
        true => Ok(text),
        false => Err(format!("expected a name without a port, such as waf.example or [::1], found {text:?}")),
    }
}
