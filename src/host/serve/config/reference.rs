//! `docs/config.md`, made from the table of keys.

use super::admin::{ADMIN, CALLER};
use super::keys::{Key, ROUTE, SITE};
use std::fmt::Write as _;

/// The text of `docs/config.md`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration of `fusewall serve`\n\n\
         `fusewall serve --config FILE` reads a TOML file. All keys are optional. An unknown key, a wrong type or a value out of\n\
         range is an error that names file, line and key; nothing starts. `--listen`, `--upstream`, `--rules`, `--bundle-key`,\n\
         `--cache`, `--descriptors` and `--remote-rules-ca` on the command line take precedence over the file.\n\n\
         SIGTERM and SIGINT let running requests end. SIGHUP, to a process without a terminal, loads the rules anew; if they have\n\
         errors, those in service stay there. SIGHUP and SIGUSR1 open the audit log anew, after its rotation. Everything else in\n\
         this file is read once, certificates included.\n\n\
         This page is generated from the table of keys (`src/host/serve/config/keys.rs`); a test keeps it equal. To write it anew:\n\
         `FUSEWALL_BLESS=1 cargo test --features serve --test config_reference`.\n",
    );
    rows(&mut text, SITE.iter().map(Key::row));
    heading(&mut text, "`[[routes]]`".to_owned());
    ROUTE.iter().for_each(|key| row(&mut text, &key.row()));
    heading(&mut text, "`[admin]`".to_owned());
    ADMIN.iter().for_each(|key| row(&mut text, &key.row()));
    heading(&mut text, "`[[admin.callers]]`".to_owned());
    CALLER.iter().for_each(|key| row(&mut text, &key.row()));
    text.push_str(
        "\n## Example\n\n```toml\nlisten = [\"0.0.0.0:443\"]\nrules = [\"/etc/fusewall/crs.conf\"]\ntrusted_proxies = [\"10.0.0.0/8\"]\n\n\
         [tls]\ncertificate = \"/etc/fusewall/site.pem\"\nkey = \"/etc/fusewall/site.key\"\n\n\
         [upstream]\nurl = \"http://127.0.0.1:3000\"\n\n\
         # Large uploads go here: inspect what fits under the limit, let the rest pass.\n[[routes]]\npath = \"/upload\"\nover_limit = \"pass\"\n```\n",
    );
    text
}

pub(in crate::host) fn heading(text: &mut String, title: String) {
    let _ = write!(text, "\n## {title}\n\n| key | type | default | meaning |\n|---|---|---|---|\n");
}

/// What a page says of a key.
#[derive(Clone, Copy)]
pub(in crate::host) struct Row {
    pub(in crate::host) name: &'static str,
    kind: &'static str,
    pub(in crate::host) default: &'static str,
    help: &'static str,
}

impl<T> Key<T> {
    pub(in crate::host) fn row(&self) -> Row {
        Row { name: self.name, kind: self.kind, default: self.default, help: self.help }
    }
}

/// The tables of some keys, one for each section.
pub(in crate::host) fn rows(text: &mut String, keys: impl IntoIterator<Item = Row>) {
    let mut section = None;
    for key in keys {
        let (own, _) = key.name.split_once('.').unwrap_or(("", key.name));
        if section != Some(own) {
            section = Some(own);
            heading(text, if own.is_empty() { "Top level".to_owned() } else { format!("`[{own}]`") });
        }
        row(text, &key);
    }
}

pub(in crate::host) fn row(text: &mut String, key: &Row) {
    let default = if key.default.is_empty() { "none".to_owned() } else { format!("`{}`", key.default) };
    let _ = writeln!(text, "| `{}` | {} | {default} | {} |", key.name, key.kind, key.help);
}
