//! A fixed set of requests under the built-in rules, for counting instructions: `benches/instructions.sh` runs this under callgrind
//! and compares with `benches/record/instructions.txt`. By itself it only checks that each request ends as it should.
//!
//! Each class is evaluated once to warm up, then once in a function of its own, whose instructions are what is counted.

mod inputs;
#[path = "../tests/traffic/mod.rs"]
mod traffic;

use fusewall::Waf;
use inputs::{escapes, prose};
use std::hint::black_box;
use traffic::Request;

const FORM: &str = "application/x-www-form-urlencoded";

/// A function that evaluates requests and that callgrind finds by its name.
macro_rules! counted {
    ($($name:ident)*) => {$(
        #[inline(never)]
        fn $name(waf: &Waf, requests: &[Request]) -> usize {
            // Functions of the same body would become one.
            black_box(stringify!($name));
            black_box(refused(waf, requests))
        }
    )*};
}

counted! { counted_get counted_form counted_json counted_multipart counted_attacks counted_hostile }

/// How many of the requests are refused.
#[inline(always)]
fn refused(waf: &Waf, requests: &[Request]) -> usize {
    requests.iter().filter(|request| request.evaluate(waf).interruption().is_some()).count()
}

fn form(text: &[u8]) -> Request {
    Request::post("/notes", FORM, [b"title=Summer&note=", text].concat())
}

fn main() {
    let waf = Waf::builder().rules_builtin().build().unwrap_or_else(|report| panic!("{report}"));
    let get = [
        Request::get("/"),
        Request::get("/products/blue-shoes?size=42&sort=price&page=2").header("Cookie", "session=1f3a; theme=dark"),
        Request::get("/s%C3%BCd/index.html?q=a+b%20c").header("Accept-Language", "de, en;q=0.7"),
    ];
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"a.png\"\r\n\r\nPNG\r\n--b--\r\n";
    let attacks = ["1'%20union%20select%20password%20from%20users--%20-", "%3Cscript%3Ealert(1)%3C/script%3E"];
    type Class = (&'static str, fn(&Waf, &[Request]) -> usize, Vec<Request>, Option<usize>);
    let classes: [Class; 6] = [
        ("get", counted_get, get.into(), Some(0)),
        ("form", counted_form, vec![form(&prose(500)), form(&prose(8000))], Some(0)),
        ("json", counted_json, vec![Request::post("/", "application/json", r#"{"a":[1,"ring twice"]}"#)], Some(0)),
        (
            "multipart",
            counted_multipart,
            vec![Request::post("/", "multipart/form-data; boundary=b", multipart)],
            Some(0),
        ),
        ("attacks", counted_attacks, attacks.map(|attack| Request::get(&format!("/?q={attack}"))).into(), Some(2)),
        ("hostile", counted_hostile, vec![form(&escapes(8000))], None),
    ];
    for (class, counted, requests, expected) in classes {
        let first = refused(&waf, &requests);
        assert!(expected.is_none_or(|expected| expected == first), "{class}: {first} refused");
        assert_eq!(counted(&waf, &requests), first, "{class}");
    }
}
