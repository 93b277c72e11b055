//! Names beyond the core of the language: engine and interpreter agree on them.

use crate::oracle::compare::Forms;
use crate::oracle::exchange::Exchange;
use std::path::{Path, PathBuf};

const HEAD: &str = "SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\n";

/// The ids that are logged.
fn logged(rules: &str, exchange: &Exchange) -> Vec<u64> {
    let text = format!("{HEAD}{rules}");
    let forms = Forms::of_text(&text).unwrap_or_else(|error| panic!("{error}"));
    let found = forms.agree(exchange).unwrap_or_else(|difference| panic!("{difference}\n{text}\n{}", exchange.show()));
    found.logged
}

#[test]
fn xml_elements_are_arguments_as_the_directive_or_the_ctl_says() {
    let rules = |mode: &str, ctl: &str| {
        format!(
            r#"SecParseXmlIntoArgs {mode}
            SecAction "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=XML{ctl}"
            SecRule ARGS:xml.r.a "@streq one" "id:2,phase:2,pass"
            SecRule XML:/* "@contains one" "id:3,phase:2,pass"
            SecRule XML://@* "@streq v" "id:4,phase:2,pass"
            SecRule REQUEST_XML:/* "@contains one" "id:5,phase:2,pass""#
        )
    };
    let body = Exchange::post("/", "text/xml", "<r k='v'><a>one</a></r>");
    assert_eq!(logged(&rules("Off", ""), &body), [3, 4, 5]);
    assert_eq!(logged(&rules("On", ""), &body), [2, 3, 4, 5]);
    assert_eq!(logged(&rules("OnlyArgs", ""), &body), [2, 4]);
    assert_eq!(logged(&rules("Off", ",ctl:parseXmlIntoArgs=On"), &body), [2, 3, 4, 5]);
    assert_eq!(logged(&rules("On", ",ctl:parseXmlIntoArgs=Off"), &body), [3, 4, 5]);
}

#[test]
fn stream_bodies_are_the_bodies_as_they_came() {
    let rules = |switch: &str| {
        format!(
            r#"SecStreamInBodyInspection {switch}
            SecStreamOutBodyInspection {switch}
            SecRule STREAM_INPUT_BODY "@contains --b" "id:1,phase:2,pass"
            SecRule STREAM_OUTPUT_BODY "@contains out" "id:2,phase:4,pass"
            SecRule REQUEST_BODY "@contains --b" "id:3,phase:2,pass"
            SecRule FUSEWALL_UNINSPECTED "@streq request body" "id:4,phase:2,pass""#
        )
    };
    let form = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n--b--\r\n";
    let exchange = Exchange::post("/", "multipart/form-data; boundary=b", form).answered(200, "text/html", "out");
    assert_eq!(logged(&rules("On"), &exchange), [1, 2]);
    assert_eq!(logged(&rules("Off"), &exchange), Vec::<u64>::new());
    let plain = Exchange::post("/", "application/octet-stream", "x--b");
    assert_eq!(logged(&rules("On"), &plain), [1]);
    assert_eq!(logged(&rules("Off"), &plain), [4]);
}

#[test]
fn cookies_split_where_the_directive_says() {
    let rules = r#"
        SecRule REQUEST_COOKIES:b "@streq 2" "id:1,phase:1,pass"
        SecRule REQUEST_COOKIES:a "@contains ;" "id:2,phase:1,pass"
    "#;
    let exchange = Exchange::get("/").header("Cookie", "a=1;x, b=2");
    assert_eq!(logged(&format!("SecCookieV0Separator ,\n{rules}"), &exchange), [1, 2]);
    assert_eq!(logged(rules, &exchange), Vec::<u64>::new());
}

#[test]
fn constants_are_there_and_what_never_is_does_not_match() {
    let rules = r#"
        SecRule MSC_PCRE_ERROR|SDBM_DELETE_ERROR|URI_PARSE_ERROR|RES_BODY_ERROR "@eq 0" "id:1,phase:1,pass,setvar:tx.n=+1"
        SecRule TX:n "@eq 4" "id:2,phase:1,pass"
        SecRule SCRIPT_FILENAME|WEBSERVER_ERROR_LOG "!@streq x" "id:3,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &Exchange::get("/")), [1, 2]);
}

#[test]
fn datasets_stand_for_files() {
    let rules = r#"
        SecDataset words `
        # a comment
        one two
        three
        `
        SecDataset nets `
        203.0.113.0/24
        `
        SecRule ARGS "@pmFromDataset words" "id:1,phase:1,pass"
        SecRule REMOTE_ADDR "@ipMatchFromDataset nets" "id:2,phase:1,pass"
    "#;
    assert_eq!(logged(rules, &Exchange::get("/?x=zero+one+two")), [1, 2]);
    assert_eq!(logged(rules, &Exchange::get("/?x=two")), [2]);
}

/// The database of the reference's own tests.
fn places() -> Option<PathBuf> {
    let root = std::env::var_os("FUSEWALL_CONFORMANCE_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"), PathBuf::from);
    let file = root.join("modsecurity-regression/data/GeoIP2-City-Test.mmdb");
    if file.is_file() {
        return Some(file);
    }
    println!("left out: {} is not there (set FUSEWALL_CONFORMANCE_DIR)", file.display());
    None
}

#[test]
fn places_are_looked_up() {
    let Some(database) = places() else { return };
    let rules = format!(
        r#"{HEAD}SecGeoLookupDb {}
        SecRule &GEO "@eq 0" "id:1,phase:1,pass"
        SecRule ARGS:ip "@geoLookup" "id:2,phase:1,pass"
        SecRule REMOTE_ADDR "@geoLookup" "id:3,phase:1,pass,chain"
        SecRule GEO:COUNTRY_CODE "@streq BR" "chain"
        SecRule GEO:country_name "@streq Brazil" "setvar:'tx.place=%{{geo.city}}, %{{GEO.COUNTRY_CONTINENT}}'"
        SecRule TX:place "@streq Recife, South America" "id:4,phase:1,pass"
        SecRule GEO:LATITUDE "@streq -8.051502" "id:5,phase:1,pass"
        SecRule GEO:COUNTRY_CODE3 "@streq BRA" "id:6,phase:1,pass"
        SecRule GEO "@streq 50040090" "id:7,phase:1,pass"
        SecRule &GEO "@eq 11" "id:8,phase:1,pass"
        SecRule ARGS:ip "!@geoLookup" "id:9,phase:1,pass"
        SecRule &GEO "@eq 0" "id:10,phase:1,pass""#,
        database.display()
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("places.conf");
    std::fs::write(&path, rules).unwrap();
    let forms = Forms::of_file(&path).unwrap_or_else(|error| panic!("{error}"));
    let agree = |target: &str, remote: [u8; 4]| {
        let exchange = Exchange { remote: remote.into(), ..Exchange::get(target) };
        forms.agree(&exchange).unwrap_or_else(|difference| panic!("{difference}")).logged
    };
    let recife = [200, 249, 12, 31];
    assert_eq!(agree("/", recife), [1, 3, 4, 5, 6, 7, 8]);
    assert_eq!(agree("/?ip=::ffff:200.249.12.31", [10, 0, 0, 1]), [1, 2]);
    assert_eq!(agree("/?ip=no+address", recife), [1, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(agree("/", [10, 0, 0, 1]), [1, 10]);
}
