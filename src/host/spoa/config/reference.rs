//! `docs/spoa-config.md`, made from the tables of keys.

use super::keys::{AGENT, APPLICATION, SHARED};
use crate::host::serve::config::keys::{Key, SITE};
use crate::host::serve::config::reference::{heading, row};

/// The text of `docs/spoa-config.md`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration of `fusewall spoa`\n\n\
         `fusewall spoa --config FILE` reads a TOML file. All keys are optional. An unknown key, a wrong type or a value out of\n\
         range is an error that names file, line and key; nothing starts. Arguments of the command line take precedence over the file.\n\
         How HAProxy is configured for it is in `docs/haproxy.md`.\n\n\
         SIGTERM and SIGINT let running inspections end. SIGHUP, to a process without a terminal, loads the rules anew and opens the\n\
         audit logs again; rules with errors leave those in service where they are. Everything else in this file is read once.\n\n\
         This page is generated from the tables of keys (`src/host/spoa/config/keys.rs` and, for the keys that both hosts share,\n\
         `src/host/serve/config/keys.rs`); a test keeps it equal. To write it anew:\n\
         `FUSEWALL_BLESS=1 cargo test --features spoa --test spoa_config_reference`.\n",
    );
    let shared = |key: &&Key<_>| SHARED.iter().any(|name| section(key.name) == *name || key.name == *name);
    heading(&mut text, "Top level".to_owned());
    AGENT.iter().filter(|key| section(key.name).is_empty()).for_each(|key| row(&mut text, key));
    SITE.iter().filter(shared).filter(|key| section(key.name).is_empty()).for_each(|key| row(&mut text, key));
    sections(&mut text, AGENT.iter());
    sections(&mut text, SITE.iter().filter(shared));
    heading(&mut text, "`[[applications]]`".to_owned());
    APPLICATION.iter().for_each(|key| row(&mut text, key));
    text.push_str(
        "\n## Example\n\n```toml\nlisten = [\"127.0.0.1:9000\"]\ndefault_application = \"site\"\nwatch = true\n\n\
         [metrics]\nlisten = \"127.0.0.1:9001\"\n\n\
         [[applications]]\nname = \"site\"\nrules = [\"/etc/fusewall/crs.conf\"]\n\n\
         # Its responses are inspected as well.\n[[applications]]\nname = \"shop\"\nrules = [\"/etc/fusewall/shop.conf\"]\nresponses = true\n```\n",
    );
    text
}

fn section(name: &str) -> &str {
    name.split_once('.').map_or("", |(section, _)| section)
}

fn sections<'k, T: 'k>(text: &mut String, keys: impl Iterator<Item = &'k Key<T>>) {
    let mut last = "";
    for key in keys.filter(|key| !section(key.name).is_empty()) {
        if section(key.name) != last {
            last = section(key.name);
            heading(text, format!("`[{last}]`"));
        }
        row(text, key);
    }
}
