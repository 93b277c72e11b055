//! `docs/spoa-config.md` is what the tables of keys say.

use fusewall::host::spoa::config::{Config, parse, reference};

#[test]
fn the_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/spoa-config.md");
    if std::env::var_os("FUSEWALL_BLESS").is_some() {
        std::fs::write(path, reference()).unwrap();
    }
    let page = std::fs::read_to_string(path).unwrap();
    assert!(
        page == reference(),
        "docs/spoa-config.md is not what the tables say; write it anew with FUSEWALL_BLESS=1 cargo test --features spoa --test spoa_config_reference"
    );
}

#[test]
fn the_example_on_the_page_loads() {
    let page = reference();
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let sites = parse("example", example).unwrap().sites();
    assert_eq!(
        sites.iter().map(|site| (&*site.name, site.responses)).collect::<Vec<_>>(),
        [("site", false), ("shop", true)]
    );
    assert_ne!(parse("example", example).unwrap(), Config::default());
}
