//! `docs/config.md` and `docs/ext-proc-config.md` are what the tables of keys say.

use fusewall::host::serve::config::{Config, parse, reference};

fn is_up_to_date(page: &str, reference: &str) {
    let path = format!("{}/docs/{page}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("FUSEWALL_BLESS").is_some() {
        std::fs::write(&path, reference).unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        text == reference,
        "docs/{page} is not what the table says; write it anew with FUSEWALL_BLESS=1 cargo test --all-features --test config_reference"
    );
}

#[test]
fn the_page_is_up_to_date() {
    is_up_to_date("config.md", &reference());
}

#[cfg(feature = "ext-proc")]
#[test]
fn the_page_of_the_external_processor_is_up_to_date() {
    is_up_to_date("ext-proc-config.md", &fusewall::host::ext_proc::config::reference());
}

#[test]
fn the_example_on_the_page_loads() {
    let page = reference();
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = parse("example", example).unwrap();
    assert_ne!(config, Config::default());
    assert_eq!(config.routes.len(), 1);
}
