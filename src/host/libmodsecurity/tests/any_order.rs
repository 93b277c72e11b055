//! Whatever hosts call in whatever order: the answer is that of a small model, there is no second end, what is refused is refused once,
//! and nothing crashes.

use modsecurity::*;
use proptest::prelude::*;
use std::ffi::{CStr, CString, c_int};
use std::io::Write;
use std::ptr;

const RULES: &CStr = cr#"
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 1000
SecResponseBodyAccess On
SecRule REQBODY_ERROR "!@eq 0" "id:1,phase:2,deny,status:400,nolog"
SecRule ARGS|REQUEST_HEADERS "@contains attack" "id:2,phase:2,deny,status:406,nolog"
SecRule RESPONSE_HEADERS:X-Leak "@rx ." "id:3,phase:3,redirect:https://www.example/,nolog"
SecRule RESPONSE_BODY "@contains leak" "id:4,phase:4,deny,nolog"
"#;

/// Which transaction a call is about.
#[derive(Debug, Clone, Copy)]
enum On {
    First,
    Second,
    /// None, or a handle of another kind.
    Nothing,
    Engine,
}

#[derive(Debug, Clone)]
enum Call {
    Connection(String, i32),
    Uri(String),
    Hostname(String),
    RequestHeader(Vec<u8>, Vec<u8>),
    RequestHeaders,
    RequestBody(Vec<u8>),
    File(File),
    RequestBodyEnd,
    ResponseHeader(Vec<u8>, Vec<u8>),
    ResponseHeaders(i32),
    ResponseBody(Vec<u8>),
    ResponseBodyEnd,
    Lengths,
    Status(i32),
    Logging,
    Intervention,
}

#[derive(Debug, Clone, Copy)]
enum File {
    Good,
    Missing,
    Folder,
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&'static [u8]> = vec![
        b"attack",
        b"Content-Type",
        b"application/x-www-form-urlencoded",
        b"Content-Length",
        b"7",
        b"18446744073709551616",
        b"X-Leak",
        b"a=attack",
        b"",
    ];
    let known = prop::sample::select(known);
    prop_oneof![3 => known.prop_map(<[u8]>::to_vec), 1 => prop::collection::vec(any::<u8>(), 0..40)]
}

fn calls() -> impl Strategy<Value = Call> {
    let addresses = prop_oneof![Just("192.0.2.1"), Just("[::1]"), Just("unix:"), Just("")];
    prop_oneof![
        (addresses, any::<i32>()).prop_map(|(address, port)| Call::Connection(address.to_owned(), port)),
        "(/|/\\?q=attack|[ -~]{0,20})".prop_map(Call::Uri),
        "[ -~]{0,20}".prop_map(Call::Hostname),
        (texts(), texts()).prop_map(|(name, value)| Call::RequestHeader(name, value)),
        Just(Call::RequestHeaders),
        texts().prop_map(Call::RequestBody),
        prop::collection::vec(any::<u8>(), 500..1500).prop_map(Call::RequestBody),
        prop_oneof![Just(File::Good), Just(File::Missing), Just(File::Folder)].prop_map(Call::File),
        Just(Call::RequestBodyEnd),
        (texts(), texts()).prop_map(|(name, value)| Call::ResponseHeader(name, value)),
        prop_oneof![Just(200), Just(500), any::<i32>()].prop_map(Call::ResponseHeaders),
        texts().prop_map(Call::ResponseBody),
        Just(Call::ResponseBodyEnd),
        Just(Call::Lengths),
        any::<i32>().prop_map(Call::Status),
        Just(Call::Logging),
        Just(Call::Intervention),
    ]
}

/// What a transaction must know of itself to answer: the phase that was run last, and the attack that was told in time.
#[derive(Debug, Default)]
struct Model {
    reached: u8,
    attacked: bool,
    refusals: usize,
}

/// What a call must answer; `None`: either, because a limit decides.
fn expected(model: &mut Model, call: &Call) -> Option<bool> {
    let before = |phase: u8| model.reached < phase;
    let in_time = match call {
        Call::Connection(..) | Call::Uri(_) | Call::RequestHeader(..) | Call::RequestHeaders => before(1),
        Call::RequestBody(_) | Call::File(_) | Call::RequestBodyEnd => before(2),
        Call::ResponseHeader(..) | Call::ResponseHeaders(_) => before(3),
        Call::ResponseBody(_) | Call::ResponseBodyEnd => before(4),
        Call::Logging => before(5),
        Call::Hostname(_) | Call::Status(_) | Call::Lengths | Call::Intervention => true,
    };
    if !in_time {
        return Some(false);
    }
    match call {
        Call::Connection(address, _) => return Some(address.contains("::1") || address.contains("192")),
        Call::Uri(uri) => model.attacked = uri == "/?q=attack",
        Call::RequestHeaders => model.reached = 1,
        Call::RequestBody(_) | Call::File(_) => {
            model.reached = model.reached.max(1);
            return None;
        }
        Call::RequestBodyEnd => model.reached = 2,
        Call::ResponseHeaders(status) | Call::Status(status) => {
            let is_status = u16::try_from(*status).is_ok();
            if is_status && matches!(call, Call::ResponseHeaders(_)) {
                model.reached = 3;
            }
            return Some(is_status);
        }
        Call::ResponseBody(_) => {
            // Where the head says that nobody wants the body, nothing runs.
            model.reached = model.reached.max(1);
            return None;
        }
        Call::ResponseBodyEnd => model.reached = 4,
        Call::Logging => model.reached = 5,
        _ => {}
    }
    Some(true)
}

/// Does it. `good` is the path of a file.
fn call(transaction: *mut Transaction, call: &Call, good: &CStr) -> c_int {
    let text = |text: &str| CString::new(text).expect("no zeros");
    // SAFETY: handles or null, texts that end with a zero, and as many bytes as are said.
    unsafe {
        match call {
            Call::Connection(address, port) => {
                let address = text(address);
                msc_process_connection(transaction, address.as_ptr(), *port, address.as_ptr(), *port)
            }
            Call::Uri(uri) => msc_process_uri(transaction, text(uri).as_ptr(), c"POST".as_ptr(), c"1.1".as_ptr()),
            Call::Hostname(name) => msc_set_request_hostname(transaction, text(name).as_ptr().cast()),
            Call::RequestHeader(name, value) => {
                msc_add_n_request_header(transaction, name.as_ptr(), name.len(), value.as_ptr(), value.len())
            }
            Call::RequestHeaders => msc_process_request_headers(transaction),
            Call::RequestBody(body) => msc_append_request_body(transaction, body.as_ptr(), body.len()),
            Call::File(File::Good) => msc_request_body_from_file(transaction, good.as_ptr()),
            Call::File(File::Missing) => msc_request_body_from_file(transaction, c"/nowhere/at/all".as_ptr()),
            Call::File(File::Folder) => msc_request_body_from_file(transaction, c"/".as_ptr()),
            Call::RequestBodyEnd => msc_process_request_body(transaction),
            Call::ResponseHeader(name, value) => {
                msc_add_n_response_header(transaction, name.as_ptr(), name.len(), value.as_ptr(), value.len())
            }
            Call::ResponseHeaders(status) => msc_process_response_headers(transaction, *status, c"1.1".as_ptr()),
            Call::ResponseBody(body) => msc_append_response_body(transaction, body.as_ptr(), body.len()),
            Call::ResponseBodyEnd => msc_process_response_body(transaction),
            Call::Lengths => {
                let body = msc_get_response_body(transaction);
                libc::free(body.cast_mut().cast());
                let told = msc_get_response_body_length(transaction) + msc_get_request_body_length(transaction);
                c_int::from(told < 1_000_000)
            }
            Call::Status(status) => msc_update_status_code(transaction, *status),
            Call::Logging => msc_process_logging(transaction),
            Call::Intervention => c_int::from(refused(transaction)),
        }
    }
}

fn refused(transaction: *mut Transaction) -> bool {
    let (url, log) = (ptr::null_mut(), ptr::null_mut());
    let mut told = ModSecurityIntervention { status: 200, pause: 0, url, log, disruptive: 0 };
    // SAFETY: a handle or null, and a place; the texts are freed once.
    unsafe {
        let refused = msc_intervention(transaction, &raw mut told) != 0;
        assert_eq!((refused, refused), (told.status != 200, told.disruptive != 0));
        msc_intervention_cleanup(&raw mut told);
        refused
    }
}

#[test]
fn every_call_answers_whatever_was_called_before() {
    let (engine, rules) = (msc_init(), msc_create_rules_set());
    // SAFETY: a handle and a text.
    assert_eq!(unsafe { msc_rules_add(rules, RULES.as_ptr(), ptr::null_mut()) }, 4);
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"a=b").expect("it is written");
    let good = CString::new(file.path().to_str().expect("a path")).expect("no zeros");
    let on = prop_oneof![5 => Just(On::First), 3 => Just(On::Second), 1 => Just(On::Nothing), 1 => Just(On::Engine)];
    proptest!(ProptestConfig::with_cases(1000), |(calls in prop::collection::vec((on, calls()), 0..40))| {
        // SAFETY: handles; each is given back once.
        let both = [(); 2].map(|()| unsafe { msc_new_transaction(engine, rules, ptr::null_mut()) });
        let mut models = [Model::default(), Model::default()];
        for (on, what) in &calls {
            let at = match on {
                On::First => 0,
                On::Second => 1,
                On::Nothing | On::Engine => {
                    let wrong = if matches!(on, On::Engine) { engine.cast() } else { ptr::null_mut() };
                    // Nothing is done with what is no transaction, and such a request does not pass.
                    let answer = call(wrong, what, &good);
                    prop_assert_eq!(answer, c_int::from(matches!(what, Call::Intervention | Call::Lengths)));
                    continue;
                }
            };
            let answer = call(both[at], what, &good);
            let model = &mut models[at];
            match (what, expected(model, what)) {
                (Call::Intervention, _) => model.refusals += usize::from(answer == 1),
                (_, Some(done)) => prop_assert_eq!(answer, c_int::from(done), "{:?} {:?}", what, model),
                (_, None) => {}
            }
        }
        for (transaction, mut model) in both.into_iter().zip(models) {
            // SAFETY: a handle, not used afterwards.
            unsafe {
                msc_process_request_body(transaction);
                model.refusals += usize::from(refused(transaction));
                msc_transaction_cleanup(transaction);
            }
            prop_assert!(model.refusals <= 1);
            // What was told before phase 1 is seen in phase 2, if a host ever gets there.
            prop_assert!(!model.attacked || model.refusals == 1, "{:?}", model);
        }
    });
    // SAFETY: handles, not used any more.
    unsafe {
        assert_eq!(msc_rules_cleanup(rules), 0);
        msc_cleanup(engine);
    }
}
