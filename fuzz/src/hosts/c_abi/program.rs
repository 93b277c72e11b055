//! Reads bytes as calls, makes each of them, and compares its answer with what is known.

use super::super::choices::Choices;
use super::direct::Direct;
use super::handed::{self, Told};
use super::host::{Host, PLACES, Pieces, Request, c_path, compile};
use super::words::{About, NO_RULES, RULES, bytes, text};
use fusewall::store::RulePiece;
use modsecurity::*;
use std::ffi::{CStr, CString, c_char, c_int};
use std::path::PathBuf;
use std::ptr;
use std::sync::Once;

/// Calls of one program.
const CALLS: usize = 120;
/// Pieces of a rules set, and layers of rules: what many of them come to is tried elsewhere.
const MOST_PIECES: usize = 3;
const MOST_LAYERS: usize = 4;

/// Makes the calls that bytes say; answers what was answered.
pub fn run(data: &[u8]) -> Vec<String> {
    static QUIET: Once = Once::new();
    // What the library has to say beside its log is not what is tried.
    QUIET.call_once(|| _ = tracing::subscriber::set_global_default(tracing::subscriber::NoSubscriber::default()));
    let mut program = Program { from: Choices(data), host: Host::default(), focus: None, answers: Vec::new() };
    if !program.from.one_in(4) {
        program.host.new_engine(0);
        program.host.log(0, true);
        program.new_set(0);
        program.add_text(0, Some(RULES[0]));
        program.new_transaction(0);
    }
    for _ in 0..CALLS {
        if program.from.0.is_empty() {
            break;
        }
        program.call();
    }
    program.answers
}

struct Program<'a> {
    from: Choices<'a>,
    host: Host,
    /// The transaction that all calls are about meanwhile.
    focus: Option<usize>,
    answers: Vec<String>,
}

/// A pointer to bytes, null if there are none, and their number.
fn counted(bytes: Option<&[u8]>) -> (*const u8, usize) {
    // Without bytes there is a number all the same.
    bytes.map_or((ptr::null(), 3), |bytes| (bytes.as_ptr(), bytes.len()))
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(ptr::null(), |text| text.as_ptr())
}

fn content(text: &Option<CString>) -> Option<&[u8]> {
    text.as_ref().map(|text| text.to_bytes())
}

impl Program<'_> {
    fn call(&mut self) {
        let at = self.from.below(PLACES);
        match self.from.below(32) {
            0 => self.host.new_engine(at),
            1 => self.host.end_engine(at),
            2 => {
                let on = !self.from.one_in(3);
                self.host.log(at, on);
            }
            3 => self.about_engine(),
            4 => self.new_set(at),
            5 => self.host.end_set(at),
            6 | 7 => self.add(at),
            8 => self.add_file(at),
            9 => self.merge(at),
            10 => self.refused_rules(at),
            11 | 12 => self.new_transaction(at),
            13 => self.host.end_transaction(at),
            14 | 15 => self.exchange(at),
            16 => self.connection(),
            17 => self.uri(),
            18 => self.hostname(),
            19 | 20 => self.request_header(),
            21 => self.request_headers(),
            22 => self.request_body(),
            23 => self.request_body_file(),
            24 => self.request_body_end(),
            25 => self.response_header(),
            26 => self.response_headers(),
            27 => self.response_body(),
            28 => self.response_body_end(),
            29 => self.lengths(),
            30 => self.logging(),
            _ => self.intervention(),
        }
    }

    fn note(&mut self, what: &str, answer: impl std::fmt::Debug) {
        self.answers.push(format!("{what}: {answer:?}"));
    }

    /// What is no rules set: a handle of another kind, or null.
    fn no_set(&mut self) -> *mut RulesSet {
        let at = self.from.below(PLACES);
        match self.from.one_in(2) {
            true => self.host.engines[at].as_ref().map_or(ptr::null_mut(), |(engine, _)| engine.cast()),
            false => self.host.transactions[at].as_ref().map_or(ptr::null_mut(), |(transaction, _)| transaction.cast()),
        }
    }

    /// What is no transaction.
    fn no_transaction(&mut self) -> *mut Transaction {
        let at = self.from.below(PLACES);
        match self.from.one_in(2) {
            true => self.set(at).cast(),
            false => self.host.engines[at].as_ref().map_or(ptr::null_mut(), |(engine, _)| engine.cast()),
        }
    }

    fn about_engine(&mut self) {
        let at = self.from.below(PLACES);
        let connector = text(&mut self.from, About::Connector);
        let engine = self.host.engines[at].as_ref().map_or(ptr::null_mut(), |(engine, _)| *engine);
        // SAFETY: handles or null, and texts or null.
        unsafe {
            msc_set_connector_info(engine, pointer(&connector));
            let who = CStr::from_ptr(msc_who_am_i(engine)).to_bytes();
            assert!(who.starts_with(b"Fusewall"), "{}", who.escape_ascii());
        }
    }

    // -- Rules --

    fn new_set(&mut self, at: usize) {
        self.host.end_set(at);
        self.host.sets[at] = Some((msc_create_rules_set(), Pieces::default()));
    }

    fn set(&self, at: usize) -> *mut RulesSet {
        self.host.sets[at].as_ref().map_or(ptr::null_mut(), |(set, _)| *set)
    }

    /// Calls what answers a number of rules, with a place for the error or without. What is refused has a reason, what is not has none.
    fn rules(&mut self, what: &str, call: impl FnOnce(*mut *const c_char) -> c_int) -> Option<usize> {
        let mut error = ptr::null();
        let asks = !self.from.one_in(4);
        let place = if asks { &raw mut error } else { ptr::null_mut() };
        let (answer, of_rust) = handed::looking(|| call(place));
        let why = handed::text(error, &of_rust);
        assert_eq!(why.is_some(), asks && answer < 0, "{what}: {answer}");
        assert!(why.is_none_or(|why| why.starts_with(b"Rules error. ")));
        match self.from.one_in(2) {
            true => handed::free(error),
            // SAFETY: null, or a text of the library, freed once.
            false => unsafe { msc_rules_error_cleanup(error) },
        }
        self.note(what, answer);
        assert!(answer >= -1);
        usize::try_from(answer).ok()
    }

    fn add(&mut self, at: usize) {
        let text = match self.from.below(8) {
            0 => None,
            1 => Some(self.from.one(NO_RULES)),
            _ => Some(self.from.one(RULES)),
        };
        self.add_text(at, text);
    }

    fn add_text(&mut self, at: usize, text: Option<&CStr>) {
        if self.host.sets[at].as_ref().is_some_and(|(_, pieces)| pieces.own.len() >= MOST_PIECES) {
            return;
        }
        let (set, rules) = (self.set(at), text.map_or(ptr::null(), CStr::as_ptr));
        // SAFETY: a handle or null, a text or null, a place or null.
        let added = self.rules("add", |error| unsafe { msc_rules_add(set, rules, error) });
        let can_be_read = text.filter(|text| RULES.contains(text)).and_then(|text| text.to_str().ok());
        let piece = can_be_read.map(|text| RulePiece::Text { name: "inline rules".to_owned(), text: text.to_owned() });
        self.added(at, piece, added);
    }

    fn add_file(&mut self, at: usize) {
        if self.host.sets[at].as_ref().is_some_and(|(_, pieces)| pieces.own.len() >= MOST_PIECES) {
            return;
        }
        let (path, good) = match self.from.below(4) {
            0 => (None, false),
            1 => (Some(self.host.folder().join("missing")), false),
            2 => (Some(self.host.file("wrong.conf", self.from.one(NO_RULES).to_bytes())), false),
            _ => (Some(self.host.file("good.conf", RULES[1 + self.from.below(3)].to_bytes())), true),
        };
        let (set, c) = (self.set(at), path.as_deref().map(c_path));
        // SAFETY: a handle or null, a text or null, a place or null.
        let added = self.rules("add file", |error| unsafe { msc_rules_add_file(set, pointer(&c), error) });
        self.added(at, path.filter(|_| good).map(RulePiece::Path), added);
    }

    /// What cannot be read is refused, and so is what has no place; of the rest some is, such as ids that are there already.
    fn added(&mut self, at: usize, piece: Option<RulePiece>, added: Option<usize>) {
        match (&mut self.host.sets[at], piece, added) {
            (Some((_, pieces)), Some(piece), Some(count)) => {
                pieces.own.push(piece);
                pieces.count += count;
            }
            (_, _, None) => {}
            (_, piece, Some(count)) => panic!("{count} rules of {piece:?} were added to nothing"),
        }
    }

    fn merge(&mut self, at: usize) {
        let outer = self.from.below(PLACES + 1);
        let pieces = [at, outer].map(|at| self.host.sets.get(at).and_then(Option::as_ref));
        if pieces.iter().flatten().map(|(_, pieces)| pieces.layers().len()).sum::<usize>() > MOST_LAYERS {
            return;
        }
        let (set, around) = (self.set(at), if outer < PLACES { self.set(outer) } else { self.no_set() });
        // SAFETY: handles or null, a place or null.
        let merged = self.rules("merge", |error| unsafe { msc_rules_merge(set, around, error) });
        let outer = self.host.sets.get(outer).and_then(Option::as_ref).filter(|_| outer != at);
        let layers = outer.map(|(_, pieces)| pieces.layers());
        let Some(((_, inner), outer)) = self.host.sets[at].as_mut().zip(layers) else {
            return assert_eq!(merged, None, "with nothing, with itself, or with what is no rules set");
        };
        let around: Vec<_> = outer.into_iter().chain(inner.around.iter().cloned()).collect();
        let all = around.iter().cloned().chain([inner.own.clone()]).filter(|layer| !layer.is_empty());
        let rules = compile(all.collect()).map(|waf| waf.loaded().program().ruleset.rules.len());
        assert_eq!(merged, rules.map(|rules| rules.saturating_sub(inner.count)));
        if merged.is_some() {
            inner.around = around;
        }
    }

    /// Rules of a server elsewhere, and calls with what is no rules set. (Rules are not written down: that is the standard output.)
    fn refused_rules(&mut self, at: usize) {
        let (set, wrong) = (self.set(at), self.no_set());
        let (key, uri) = (c"key".as_ptr(), c"https://www.example/rules".as_ptr());
        // SAFETY: a handle or null, texts, a place or null.
        let remote = self.rules("remote", |error| unsafe { msc_rules_add_remote(set, key, uri, error) });
        // SAFETY: a handle of another kind or null, a text, a place or null.
        let other = self.rules("no set", |error| unsafe { msc_rules_add(wrong, RULES[1].as_ptr(), error) });
        // SAFETY: the same.
        let cleaned = unsafe {
            msc_rules_dump(wrong);
            msc_rules_cleanup(wrong)
        };
        assert_eq!((remote, other, cleaned), (None, None, -1));
    }

    // -- Transactions --

    fn new_transaction(&mut self, at: usize) {
        self.host.end_transaction(at);
        // Mostly the first ones, which mostly are there.
        let which = |from: &mut Choices<'_>| [0, 0, 0, 0, 1, 2, PLACES][from.below(7)];
        let (engine_at, set_at) = (which(&mut self.from), which(&mut self.from));
        let engine = self.host.engines.get(engine_at).and_then(Option::as_ref);
        let tells = engine.map(|(_, tells)| tells.clone());
        let engine = engine.map_or(ptr::null_mut(), |(engine, _)| *engine);
        let set = if set_at < PLACES { self.set(set_at) } else { engine.cast() };
        let id = self.from.one(&[Some(c"an-id"), None, Some(c""), Some(c"\xff-id")]);
        let data = self.host.log_data();
        // SAFETY: handles of any kind or null, a text or null, and what the log is told with.
        let transaction = unsafe {
            match id {
                Some(id) => msc_new_transaction_with_id(engine, set, id.as_ptr(), data),
                None => msc_new_transaction(engine, set, data),
            }
        };
        let pieces = self.host.sets.get(set_at).and_then(Option::as_ref).map(|(_, pieces)| pieces.layers());
        let possible = tells.zip(pieces);
        let waf = possible.as_ref().and_then(|(_, layers)| compile(layers.clone()));
        assert_eq!(transaction.is_null(), waf.is_none());
        let told = possible.as_ref().is_some_and(|(tells, _)| tells.get() && waf.is_none());
        assert_eq!(self.host.lines.take().len(), usize::from(told), "why no request can be inspected");
        let id = id.map(|id| id.to_string_lossy().into_owned()).filter(|id| !id.is_empty());
        let request =
            possible.zip(waf).map(|((tells, _), waf)| Request { direct: Direct::new(waf, id.clone()), tells, id });
        self.host.transactions[at] = request.map(|request| (transaction, request));
        self.note("transaction", transaction.is_null());
    }

    /// The transaction that a call is about: its place, if it is there, and what the call is made with.
    fn on(&mut self) -> (Option<usize>, *mut Transaction) {
        let at = match self.focus {
            Some(at) => at,
            None => [0, 0, 0, 0, 0, 1, 1, 2, PLACES][self.from.below(9)],
        };
        match self.host.transactions.get(at).and_then(Option::as_ref) {
            Some((transaction, _)) => (Some(at), *transaction),
            None if at < PLACES => (None, ptr::null_mut()),
            None => (None, self.no_transaction()),
        }
    }

    /// Tells something, to the library and to the engine itself: both answer the same, and the log was told of the same matches.
    fn tell(
        &mut self,
        what: &str,
        call: impl FnOnce(*mut Transaction) -> c_int,
        direct: impl FnOnce(&mut Direct) -> bool,
    ) {
        let (at, transaction) = self.on();
        let answer = call(transaction);
        self.note(what, answer);
        let Some((_, request)) = at.and_then(|at| self.host.transactions[at].as_mut()) else {
            return assert_eq!(answer, 0, "{what} with what is no transaction");
        };
        assert_eq!(answer, c_int::from(direct(&mut request.direct)), "{what}, after {:#?}", self.answers);
        let (lines, rules) = (self.host.lines.take(), request.direct.logged());
        let rules = if request.tells.get() { rules } else { Vec::new() };
        assert_eq!(lines.len(), rules.len(), "lines of {rules:?}");
        for (line, rule) in lines.iter().zip(rules) {
            let line = String::from_utf8_lossy(line);
            assert!(line.starts_with("ModSecurity: Warning. ") && line.contains(&format!("[id \"{rule}\"]")), "{line}");
            let id = request.id.as_ref().map(|id| format!("[unique_id \"{id}\"]"));
            assert!(id.is_none_or(|id| !id.is_ascii() || line.contains(&id)), "{line}");
        }
    }

    fn connection(&mut self) {
        let (client, server) = (text(&mut self.from, About::Address), text(&mut self.from, About::Address));
        let ports = [0, 443, 65_536, -1];
        let (client_port, server_port) = (self.from.one(&ports), self.from.one(&ports));
        let ends = (pointer(&client), pointer(&server));
        self.tell(
            "connection",
            // SAFETY: a handle or null, texts or null.
            |to| unsafe { msc_process_connection(to, ends.0, client_port, ends.1, server_port) },
            |direct| direct.connection((content(&client), client_port), (content(&server), server_port)),
        );
    }

    fn uri(&mut self) {
        let parts = [About::Target, About::Method, About::Version].map(|about| text(&mut self.from, about));
        let [uri, method, version] = [0, 1, 2].map(|part| pointer(&parts[part]));
        self.tell(
            "uri",
            // SAFETY: a handle or null, texts or null.
            |to| unsafe { msc_process_uri(to, uri, method, version) },
            |direct| direct.uri(content(&parts[0]), content(&parts[1]), content(&parts[2])),
        );
    }

    fn hostname(&mut self) {
        let name = text(&mut self.from, About::Value);
        // SAFETY: a handle or null, a text or null.
        self.tell("hostname", |to| unsafe { msc_set_request_hostname(to, pointer(&name).cast()) }, |_| name.is_some());
    }

    fn request_header(&mut self) {
        if self.from.one_in(2) {
            let (name, value) = (text(&mut self.from, About::Name), text(&mut self.from, About::Value));
            let (c_name, c_value) = (pointer(&name).cast(), pointer(&value).cast());
            self.tell(
                "request header",
                // SAFETY: a handle or null, texts or null.
                |to| unsafe { msc_add_request_header(to, c_name, c_value) },
                |direct| direct.request_header(content(&name), content(&value)),
            );
        } else {
            let (name, value) = (bytes(&mut self.from, About::Name), bytes(&mut self.from, About::Value));
            let ((c_name, names), (c_value, values)) = (counted(name.as_deref()), counted(value.as_deref()));
            self.tell(
                "request header",
                // SAFETY: a handle or null, so many bytes or null.
                |to| unsafe { msc_add_n_request_header(to, c_name, names, c_value, values) },
                |direct| direct.request_header(name.as_deref(), value.as_deref()),
            );
        }
    }

    fn request_headers(&mut self) {
        // SAFETY: a handle or null.
        self.tell("request headers", |to| unsafe { msc_process_request_headers(to) }, Direct::request_headers);
    }

    fn request_body(&mut self) {
        let body = bytes(&mut self.from, About::Body);
        let (start, length) = counted(body.as_deref());
        self.tell(
            "request body",
            // SAFETY: a handle or null, so many bytes or null.
            |to| unsafe { msc_append_request_body(to, start, length) },
            |direct| direct.request_body(body.as_deref()),
        );
    }

    fn request_body_file(&mut self) {
        let path: Option<PathBuf> = match self.from.below(5) {
            0 => None,
            1 => Some(self.host.folder().join("missing")),
            2 => Some(self.host.folder().to_owned()),
            _ => {
                let body = bytes(&mut self.from, About::Body).unwrap_or_default();
                Some(self.host.file("body", &body))
            }
        };
        let c = path.as_deref().map(c_path);
        self.tell(
            "request body file",
            // SAFETY: a handle or null, a text or null.
            |to| unsafe { msc_request_body_from_file(to, pointer(&c)) },
            |direct| direct.request_body_file(path.as_deref()),
        );
    }

    fn request_body_end(&mut self) {
        // SAFETY: a handle or null.
        self.tell("request body end", |to| unsafe { msc_process_request_body(to) }, Direct::request_body_end);
    }

    fn response_header(&mut self) {
        if self.from.one_in(2) {
            let (name, value) = (text(&mut self.from, About::Name), text(&mut self.from, About::Value));
            let (c_name, c_value) = (pointer(&name).cast(), pointer(&value).cast());
            self.tell(
                "response header",
                // SAFETY: a handle or null, texts or null.
                |to| unsafe { msc_add_response_header(to, c_name, c_value) },
                |direct| direct.response_header(content(&name), content(&value)),
            );
        } else {
            let (name, value) = (bytes(&mut self.from, About::Name), bytes(&mut self.from, About::Value));
            let ((c_name, names), (c_value, values)) = (counted(name.as_deref()), counted(value.as_deref()));
            self.tell(
                "response header",
                // SAFETY: a handle or null, so many bytes or null.
                |to| unsafe { msc_add_n_response_header(to, c_name, names, c_value, values) },
                |direct| direct.response_header(name.as_deref(), value.as_deref()),
            );
        }
    }

    fn response_headers(&mut self) {
        let status = self.from.one(&[200, 500, 404, -1, 65_536, 0]);
        let version = text(&mut self.from, About::Version);
        let c = pointer(&version);
        self.tell(
            "response headers",
            // SAFETY: a handle or null, a text or null.
            |to| unsafe { msc_process_response_headers(to, status, c) },
            |direct| direct.response_headers(status, content(&version)),
        );
    }

    fn response_body(&mut self) {
        let body = bytes(&mut self.from, About::Body);
        let (start, length) = counted(body.as_deref());
        self.tell(
            "response body",
            // SAFETY: a handle or null, so many bytes or null.
            |to| unsafe { msc_append_response_body(to, start, length) },
            |direct| direct.response_body(body.as_deref()),
        );
    }

    fn response_body_end(&mut self) {
        // SAFETY: a handle or null.
        self.tell("response body end", |to| unsafe { msc_process_response_body(to) }, Direct::response_body_end);
    }

    fn lengths(&mut self) {
        let (at, transaction) = self.on();
        // SAFETY: a handle or null.
        let (body, of_rust) = handed::looking(|| unsafe { msc_get_response_body(transaction) });
        let copy = handed::text(body, &of_rust);
        handed::free(body);
        // SAFETY: the same.
        let lengths = unsafe { (msc_get_request_body_length(transaction), msc_get_response_body_length(transaction)) };
        let known = at.and_then(|at| self.host.transactions[at].as_ref()).map(|(_, request)| request.direct.bodies());
        let response =
            known.as_ref().map(|(_, body)| body.split(|byte| *byte == 0).next().unwrap_or_default().to_vec());
        assert_eq!(copy, response);
        assert_eq!(lengths, known.map_or((0, 0), |(request, response)| (request, response.len())));
        self.note("lengths", lengths);
    }

    fn logging(&mut self) {
        let status = self.from.one(&[200, 403, -1, 65_536]);
        // SAFETY: a handle or null.
        self.tell("status", |to| unsafe { msc_update_status_code(to, status) }, |_| (0..65_536).contains(&status));
        // SAFETY: the same.
        self.tell("logging", |to| unsafe { msc_process_logging(to) }, Direct::logging);
    }

    fn intervention(&mut self) {
        let (at, transaction) = self.on();
        let told = handed::intervention(transaction, self.from.one_in(2));
        self.note("intervention", told.as_ref().map(|told| (told.status, told.url.clone())));
        let Some((_, request)) = at.and_then(|at| self.host.transactions[at].as_mut()) else {
            let Some(Told { status: 500, url: None, .. }) = told else { panic!("what was not inspected passes") };
            return;
        };
        let refusal = request.direct.intervention();
        // A text of C ends at its first zero.
        let shown = |url: Vec<u8>| url.split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        let expected = refusal.map(|(status, url)| (c_int::from(status), url.map(shown)));
        let (found, log) = told.map(|told| ((told.status, told.url), told.log)).unzip();
        assert_eq!(found, expected, "after {:#?}", self.answers);
        if let Some(((status, _), log)) = found.zip(log) {
            let log = String::from_utf8_lossy(&log);
            let denied = format!("ModSecurity: Access denied with code {status} (phase ");
            assert!(log.starts_with("[client ") && log.contains(&denied), "{log}");
        }
    }

    /// A request and its response in the order in which hosts tell of them.
    fn exchange(&mut self, at: usize) {
        self.new_transaction(at);
        self.focus = Some(at);
        self.connection();
        self.uri();
        (0..self.from.below(4)).for_each(|_| self.request_header());
        self.request_headers();
        self.intervention();
        (0..self.from.below(3)).for_each(|_| self.request_body());
        self.request_body_end();
        self.intervention();
        (0..self.from.below(4)).for_each(|_| self.response_header());
        self.response_headers();
        self.intervention();
        (0..self.from.below(3)).for_each(|_| self.response_body());
        self.response_body_end();
        self.intervention();
        self.lengths();
        self.logging();
        self.focus = None;
    }
}
