//! Rule sets that people install beside or instead of the Core Rule Set of the conformance data: the CRS 3.3 of Debian with its
//! exclusion packages, and plugins. They load, they do what they are for, and engine and interpreter agree.

use crate::oracle::compare::Forms;
use crate::oracle::exchange::Exchange;
use std::path::{Path, PathBuf};

const FORM: &str = "application/x-www-form-urlencoded";
const ENFORCE: &str = "SecRuleEngine On\nSecRequestBodyAccess On\nSecResponseBodyAccess On\nSecPcreMatchLimit 100000\n";

/// Loads a text from a folder of its own.
fn load(folder: &Path, text: &str) -> Forms {
    let path = folder.join("main.conf");
    std::fs::write(&path, text).unwrap();
    Forms::of_file(&path).unwrap_or_else(|error| panic!("{error}"))
}

/// The status of the answer, 0 if the request passes.
fn status(forms: &Forms, exchange: &Exchange) -> u16 {
    let exchange =
        exchange.clone().header("Host", "www.example").header("User-Agent", "Mozilla/5.0").header("Accept", "*/*");
    let length = exchange.body.len().to_string();
    let exchange = if exchange.body.is_empty() { exchange } else { exchange.header("Content-Length", &length) };
    let found = forms.agree(&exchange).unwrap_or_else(|difference| panic!("{difference}\n{}", exchange.show()));
    found.interruption.map_or(0, |(_, status)| status)
}

/// The package `modsecurity-crs` of Debian 12: rules and set-up file.
fn crs3() -> Option<(PathBuf, PathBuf)> {
    let root = std::env::var_os("FUSEWALL_CRS3_DIR").map_or_else(|| "/usr/share/modsecurity-crs".into(), PathBuf::from);
    let rules = root.join("rules");
    let setup = root.join("../../../etc/modsecurity/crs/crs-setup.conf");
    if rules.join("REQUEST-903.9002-WORDPRESS-EXCLUSION-RULES.conf").is_file() && setup.is_file() {
        return Some((rules, setup));
    }
    println!("left out: {} is not there (install modsecurity-crs 3.3, or set FUSEWALL_CRS3_DIR)", rules.display());
    None
}

#[test]
fn the_core_rule_set_3_runs() {
    let Some((rules, setup)) = crs3() else { return };
    let folder = tempfile::tempdir().unwrap();
    let text = |packages: &str| {
        format!(
            "{ENFORCE}Include {}\nSecAction \"id:9001,phase:1,nolog,pass{packages}\"\nInclude {}/*.conf\n",
            setup.display(),
            rules.display()
        )
    };
    let encoded = "%27+or+1%3D1+union+select+password+from+users+--+-";
    let forms = load(folder.path(), &text(""));
    assert!(forms.naive.ruleset().rules.len() > 500);
    for target in ["/", "/index.php?id=17&name=Anna", "/search?q=green+tea", "/img/logo.png"] {
        assert_eq!(status(&forms, &Exchange::get(target)), 0, "{target}");
    }
    assert_eq!(status(&forms, &Exchange::post("/contact", FORM, "name=Anna&text=Good+morning")), 0);
    for target in [
        &format!("/?id={encoded}")[..],
        "/?q=%3Cscript%3Ealert(document.cookie)%3C/script%3E",
        "/?file=../../../../etc/passwd",
        "/?cmd=;cat+/etc/passwd",
        "/?x=%24%7Bjndi:ldap://x.example/a%7D",
    ] {
        assert_eq!(status(&forms, &Exchange::get(target)), 403, "{target}");
    }
    patterns_that_are_not_regular(&folder, &text);

    // What a package excludes passes with it only, and only there.
    let cases = [
        ("drupal", "/user/login", "pass"),
        ("wordpress", "/wp-login.php", "pwd"),
        ("nextcloud", "/index.php/login", "password"),
    ];
    let packages = cases.map(|(package, ..)| format!(",setvar:tx.crs_exclusions_{package}=1")).concat();
    let with = load(folder.path(), &text(&packages));
    for (package, path, field) in cases {
        let login = Exchange::post(path, FORM, format!("{field}={encoded}"));
        assert_eq!((status(&forms, &login), status(&with, &login)), (403, 0), "{package}");
        let other = Exchange::post(path, FORM, format!("comment={encoded}"));
        assert_eq!(status(&with, &other), 403, "{package}");
    }
    let all =
        ["cpanel", "dokuwiki", "xenforo"].map(|package| format!(",setvar:tx.crs_exclusions_{package}=1")).concat();
    let with = load(folder.path(), &text(&format!("{packages}{all}")));
    assert_eq!(status(&with, &Exchange::get("/index.php?id=17")), 0);
}

/// The rules of CRS 3.3 whose patterns have look-around, back-references, possessive quantifiers or macros do what they are for.
fn patterns_that_are_not_regular(folder: &tempfile::TempDir, text: &dyn Fn(&str) -> String) {
    let strict = load(folder.path(), &text(",setvar:tx.paranoia_level=4,setvar:tx.executing_paranoia_level=4"));
    let logged = |exchange: &Exchange| {
        let exchange = exchange.clone().header("Host", "www.example").header("User-Agent", "Mozilla/5.0");
        strict.agree(&exchange).unwrap_or_else(|difference| panic!("{difference}\n{}", exchange.show())).logged
    };
    // A negative look-behind: entities in the names of files are fine, a semicolon is not.
    let upload = |name: &str| {
        let part =
            format!("--x\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\ntext\r\n--x--\r\n");
        logged(&Exchange::post("/", "multipart/form-data; boundary=x", part))
    };
    // A macro: character sets that the set-up allows.
    let charset =
        |name: &str| logged(&Exchange::post("/", &format!("application/x-www-form-urlencoded; charset={name}"), "a=b"));
    // Possessive quantifiers.
    let accept = |value: &str| logged(&Exchange::get("/").header("Accept", value));
    // Look-ahead and back-references: an SQL tautology, and its likeness.
    let argument = |value: &str| logged(&Exchange::get(&format!("/?a={value}")));
    // Look-ahead in a response.
    let page = |body: &str| logged(&Exchange::get("/").answered(200, "text/html", body));
    for (rule, hit, miss) in [
        (920120, upload("a;b.txt"), upload("M&uuml;ller.txt")),
        (920480, charset("utf-7"), charset("utf-8")),
        (920600, accept("text/html;charset=utf-77"), accept("text/html ; charset=utf-8 , */*")),
        (942130, argument("1%20or%20abc%3Dabc"), argument("1%20or%20abc%3Dabd")),
        (942260, argument("'%20%3E%20%20(%20abc%20-%20x"), argument("abc")),
        (953120, page("x <?php y ?>"), page("<?xml version=\"1.0\"?>")),
    ] {
        assert!(hit.contains(&rule), "{rule}: {hit:?}");
        assert!(!miss.contains(&rule), "{rule}: {miss:?}");
    }
}

#[test]
fn a_plugin_of_the_core_rule_set_runs() {
    let root = std::env::var_os("FUSEWALL_CONFORMANCE_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"), PathBuf::from);
    let crs = root.join("crs");
    if !crs.join("plugins").is_dir() {
        println!("left out: {} is not there (set FUSEWALL_CONFORMANCE_DIR)", crs.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let plugin =
        |part: &str, text: &str| std::fs::write(folder.path().join(format!("shop-{part}.conf")), text).unwrap();
    plugin(
        "config",
        r#"SecAction "id:9599010,phase:1,pass,nolog,setvar:'tx.shop-plugin_enabled=1',setvar:'tx.shop-plugin_words=voucher gift',ver:'shop-plugin/1.0.0'"
"#,
    );
    plugin(
        "before",
        r#"SecRule TX:shop-plugin_enabled "@eq 0" "id:9599100,phase:1,pass,nolog,skipAfter:END-SHOP-BEFORE"
SecRule REQUEST_FILENAME "@streq /shop/note" \
    "id:9599110,phase:1,pass,t:none,nolog,ctl:ruleRemoveTargetById=941000-942999;ARGS:note"
SecMarker END-SHOP-BEFORE
"#,
    );
    plugin(
        "after",
        r#"SecRule ARGS:code "@within %{tx.shop-plugin_words}" \
    "id:9599210,phase:2,block,t:none,t:lowercase,log,msg:'A word that is no code',severity:CRITICAL,tag:'shop-plugin',\
    setvar:'tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
"#,
    );
    let own = folder.path().display();
    let text = format!(
        "{ENFORCE}Include {crs}/crs-setup.conf.example\n{plugins}\nInclude {crs}/rules/*.conf\nInclude {crs}/plugins/*-after.conf\n\
         Include {own}/shop-after.conf\n",
        crs = crs.display(),
        plugins = ["config", "before"]
            .map(|part| format!("Include {own}/shop-{part}.conf\nInclude {}/plugins/*-{part}.conf", crs.display()))
            .join("\n")
    );
    // Plugins run behind the rules and before the score is judged.
    let judged = text.replace("/rules/*.conf", "/rules/REQUEST-9[0-4][0-8]*.conf");
    let last = format!("{judged}Include {}/rules/REQUEST-949*.conf\n", crs.display());
    let forms = load(folder.path(), &last);
    let script = "%3Cscript%3Ealert(1)%3C/script%3E";
    assert_eq!(status(&forms, &Exchange::get("/shop/?code=AB12")), 0);
    assert_eq!(status(&forms, &Exchange::get("/shop/?code=VOUCHER")), 403);
    assert_eq!(status(&forms, &Exchange::get(&format!("/shop/note?note={script}"))), 0);
    assert_eq!(status(&forms, &Exchange::get(&format!("/shop/note?other={script}"))), 403);
    // The order that the plugins' documentation gives loads, too.
    load(folder.path(), &text);
}
