//! `docs/config.md` is what the table of keys says.

use fusewall::host::serve::config::{Config, parse, reference};

#[test]
fn the_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/config.md");
    if std::env::var_os("FUSEWALL_BLESS").is_some() {
        std::fs::write(path, reference()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap();
    assert!(
        page == reference(),
        "docs/config.md is not what the table says; write it anew with FUSEWALL_BLESS=1 cargo test --features serve --test config_reference"
    );
}

#[test]
fn the_example_on_the_page_loads() {
    let page = reference();
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = parse("example", example).unwrap();
    assert_ne!(config, Config::default());
    assert_eq!(config.routes.len(), 1);
}
