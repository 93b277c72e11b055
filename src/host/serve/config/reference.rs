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
         errors, those in service stay there. Everything else in this file is read once, certificates included.\n\n\
         This page is generated from the table of keys (`src/host/serve/config/keys.rs`); a test keeps it equal. To write it anew:\n\
         `FUSEWALL_BLESS=1 cargo test --features serve --test config_reference`.\n",
    );
    let mut section = None;
    for key in SITE {
        let (own, _) = key.name.split_once('.').unwrap_or(("", key.name));
        if section != Some(own) {
            section = Some(own);
            heading(&mut text, if own.is_empty() { "Top level".to_owned() } else { format!("`[{own}]`") });
        }
        row(&mut text, key);
    }
    heading(&mut text, "`[[routes]]`".to_owned());
    for key in ROUTE {
        row(&mut text, key);
    }
    heading(&mut text, "`[admin]`".to_owned());
    for key in ADMIN {
        row(&mut text, key);
    }
    heading(&mut text, "`[[admin.callers]]`".to_owned());
    for key in CALLER {
        row(&mut text, key);
    }
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

pub(in crate::host) fn row<T>(text: &mut String, key: &Key<T>) {
    let default = if key.default.is_empty() { "none".to_owned() } else { format!("`{}`", key.default) };
    let _ = writeln!(text, "| `{}` | {} | {default} | {} |", key.name, key.kind, key.help);
}
