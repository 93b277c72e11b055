//! `docs/spoa-config.md`, made from the tables of keys.

use super::keys::{AGENT, APPLICATION, shared};
use crate::host::serve::config::keys::Key;
use crate::host::serve::config::reference::{heading, row, rows};

/// The text of `docs/spoa-config.md`.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration of `fusewall spoa`\n\n\
         `fusewall spoa --config FILE` reads a TOML file. All keys are optional. An unknown key, a wrong type or a value out of\n\
         range is an error that names file, line and key; nothing starts. Arguments of the command line take precedence over the file.\n\
         How HAProxy is configured for it is in `docs/haproxy.md`.\n\n\
         SIGTERM and SIGINT let running inspections end. SIGHUP, to a process without a terminal, loads the rules anew and opens the\n\
         audit logs again; rules with errors leave those in service where they are. Everything else in this file is read once.\n\n\
         `[[routes]]` are as in `docs/config.md`.\n\n\
         This page is generated from the tables of keys (`src/host/spoa/config/keys.rs` and, for the keys that both hosts share,\n\
         `src/host/serve/config/keys.rs`); a test keeps it equal. To write it anew:\n\
         `FUSEWALL_BLESS=1 cargo test --features spoa --test spoa_config_reference`.\n",
    );
    // Those at the top level first.
    let shared = shared();
    let (top, sections): (Vec<_>, Vec<_>) =
        AGENT.iter().map(Key::row).chain(shared.iter().map(Key::row)).partition(|row| !row.name.contains('.'));
    rows(&mut text, top.into_iter().chain(sections));
    heading(&mut text, "`[[applications]]`".to_owned());
    APPLICATION.iter().for_each(|key| row(&mut text, &key.row()));
    text.push_str(
        "\n## Example\n\n```toml\nlisten = [\"127.0.0.1:9000\"]\ndefault_application = \"site\"\nwatch = true\n\n\
         [metrics]\nlisten = \"127.0.0.1:9001\"\n\n\
         [[applications]]\nname = \"site\"\nrules = [\"/etc/fusewall/crs.conf\"]\n\n\
         # Its responses are inspected as well.\n[[applications]]\nname = \"shop\"\nrules = [\"/etc/fusewall/shop.conf\"]\nresponses = true\n```\n",
    );
    text
}
