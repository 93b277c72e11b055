//! What hosts and users hold: a [`Waf`], and a [`Transaction`] for each exchange.

mod collections;

use crate::diag::{Diagnostic, Diagnostics};
use crate::engine::persist::Collections;
use crate::engine::upload::UploadSink;
use crate::engine::{
    self, AuditRecord, Env, Event, Interruption, InterruptionAction, MatchRecord, Policy, Reason, Resolver, Step,
    Verdict,
};
use crate::files::{Files, RemoteRules, WithRemote};
use crate::governor::{Identities, SystemEnv};
use crate::http::{Descriptors, coding::Undecodable};
use crate::lang::seclang::codes;
use crate::limits::Limits;
use crate::plan::Options;
use crate::program::{Loaded, Program};
use crate::rule::{AuditSettings, EngineMode, LimitAction, Phase, RuleId};
use crate::store::{Deployed, DiskFiles, LoadReport, Loading, RuleSource, Slot, load};
use collections::{Keeping, Kept};
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

/// A web application firewall: a ruleset in service and everything that evaluations share. Cheap to clone.
///
/// ```
/// use fusewall::Waf;
///
/// let waf = Waf::builder()
///     .rules_text("example.conf", r#"
///         SecRuleEngine On
///         SecRule ARGS "@contains <script" "id:1,phase:1,deny,t:lowercase,msg:'script'"
///     "#)
///     .build()
///     .expect("the rules load");
///
/// let mut exchange = waf.transaction();
/// exchange.process_request_line(b"GET", b"/?q=%3CSCRIPT%3E", b"HTTP/1.1");
/// exchange.add_request_header(b"Host", b"www.example");
/// let interruption = exchange.process_request_headers().expect("it is refused");
/// assert_eq!(interruption.status, 403);
/// ```
#[derive(Clone)]
pub struct Waf {
    shared: Arc<Shared>,
}

struct Shared {
    slot: Slot,
    loading: Loading,
    files: Box<dyn Files + Send + Sync>,
    env: Arc<dyn Env>,
    resolver: Option<Arc<dyn Resolver>>,
    uploads: Option<Arc<dyn UploadSink>>,
    descriptors: Option<Arc<Descriptors>>,
    ids: Identities,
    policy: Policy,
    kept: Kept,
    report: LoadReport,
}

/// Says what a [`Waf`] is made of.
pub struct WafBuilder {
    source: Option<RuleSource>,
    loading: Loading,
    files: Box<dyn Files + Send + Sync>,
    remote: Option<Box<dyn RemoteRules>>,
    env: Arc<dyn Env>,
    resolver: Option<Arc<dyn Resolver>>,
    uploads: Option<Arc<dyn UploadSink>>,
    descriptors: Option<Arc<Descriptors>>,
    policy: Policy,
    collections: Keeping,
}

impl WafBuilder {
    /// Rules from files or folders; may be called again for more. Without any rules the built-in ones are used.
    #[must_use]
    pub fn rules_path(mut self, path: impl Into<PathBuf>) -> Self {
        match &mut self.source {
            Some(RuleSource::Paths(paths)) => paths.push(path.into()),
            _ => self.source = Some(RuleSource::Paths(vec![path.into()])),
        }
        self
    }

    /// Rules from a text; `name` stands for it in diagnostics.
    #[must_use]
    pub fn rules_text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.source = Some(RuleSource::Text { name: name.into(), text: text.into() });
        self
    }

    /// The rules that come with the engine.
    #[must_use]
    pub fn rules_builtin(mut self) -> Self {
        self.source = Some(RuleSource::Builtin);
        self
    }

    /// Limits other than the default ones.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.loading.limits = limits;
        self
    }

    /// Switches of the planner, for comparisons.
    #[must_use]
    pub fn planner(mut self, options: Options) -> Self {
        self.loading.options = options;
        self
    }

    /// How rule and data files are reached; the file system by default.
    #[must_use]
    pub fn files(mut self, files: impl Files + Send + Sync + 'static) -> Self {
        self.files = Box::new(files);
        self
    }

    /// Obeys `SecRemoteRules`, which is refused otherwise: rules are fetched whenever they are loaded, for instance by
    /// `host::serve::HttpsRules` (feature `serve`).
    #[must_use]
    pub fn remote_rules(mut self, remote: impl RemoteRules + 'static) -> Self {
        self.remote = Some(Box::new(remote));
        self
    }

    /// The time that rules see; the system's clock by default.
    #[must_use]
    pub fn env(mut self, env: impl Env + 'static) -> Self {
        self.env = Arc::new(env);
        self
    }

    /// Who answers `@rbl`, for instance [`NameLookUps`](crate::host::NameLookUps). Rules may then ask up to 16 block lists, unless
    /// the limits say otherwise.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolver + 'static) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Where uploaded files are stored, for instance [`DiskUploads`](crate::store::DiskUploads): if `SecTmpSaveUploadedFiles` or
    /// `SecUploadKeepFiles` want it, or a rule looks at FILES_TMPNAMES. Without a sink they are inspected in memory alone, and
    /// such rules warn at load. A request may then store 128 MiB, unless the limits say otherwise.
    #[must_use]
    pub fn uploads(mut self, sink: impl UploadSink + 'static) -> Self {
        self.uploads = Some(Arc::new(sink));
        self
    }

    /// What the messages of Protobuf and gRPC bodies look like: their fields are then named by names, `grpc.0.note` instead of
    /// `grpc.0.2`.
    #[must_use]
    pub fn descriptors(mut self, descriptors: Descriptors) -> Self {
        self.descriptors = Some(Arc::new(descriptors));
        self
    }

    /// What happens when a budget is spent; [`Policy::Block`] by default.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Where persistent collections are kept. Without this: in memory, within the limits; they end with the last clone of the
    /// [`Waf`]. WAFs that are given the same store share their counters.
    #[must_use]
    pub fn collections(mut self, store: impl Collections + 'static) -> Self {
        self.collections = Keeping::Given(Arc::new(store));
        self
    }

    /// Obeys `SecDataDir`: persistent collections are kept in a file in that folder as well, and outlive the process. Rules
    /// without the directive, or that initialise no collection, leave them in memory. What has changed is written every
    /// [`Limits::collection_flush_millis`], by a thread that starts in [`build`](Self::build): a process that forks does so
    /// before. Rules that [`Waf::replace`] loads later use the same store.
    #[cfg(feature = "persist")]
    #[must_use]
    pub fn data_dir(mut self) -> Self {
        self.collections = Keeping::DataDir;
        self
    }

    /// Loads the rules.
    ///
    /// # Errors
    /// The report of everything that was found, if there is an error in it.
    pub fn build(mut self) -> Result<Waf, LoadReport> {
        if self.resolver.is_some() && self.loading.limits.block_lists == 0 {
            self.loading.limits.block_lists = 16;
        }
        if self.uploads.is_some() && self.loading.limits.upload_bytes == 0 {
            self.loading.limits.upload_bytes = Limits::UPLOAD_BYTES;
        }
        if let Some(remote) = self.remote.take() {
            self.files = Box::new(WithRemote { files: self.files, remote });
        }
        let source = self.source.unwrap_or(RuleSource::Builtin);
        let (loaded, mut report) = load(&source, &*self.files, &self.loading)?;
        if !can_store(self.uploads.as_deref(), loaded.program(), &mut report.diagnostics) {
            return Err(report);
        }
        let now = self.env.epoch_micros() / 1_000_000;
        let Some(kept) = self.collections.open(loaded.program(), now, &mut report.diagnostics) else {
            return Err(report);
        };
        let shared = Shared {
            slot: Slot::new(loaded),
            loading: self.loading,
            files: self.files,
            env: self.env,
            resolver: self.resolver,
            uploads: self.uploads,
            descriptors: self.descriptors,
            ids: Identities::new(),
            policy: self.policy,
            kept,
            report,
        };
        Ok(Waf { shared: Arc::new(shared) })
    }
}

impl Waf {
    /// Starts to say what a WAF is made of.
    pub fn builder() -> WafBuilder {
        WafBuilder {
            source: None,
            loading: Loading::default(),
            files: Box::new(DiskFiles),
            remote: None,
            env: Arc::new(SystemEnv::default()),
            resolver: None,
            uploads: None,
            descriptors: None,
            policy: Policy::Block,
            collections: Keeping::Memory,
        }
    }

    /// Begins an exchange. It keeps the ruleset that is in service now, whatever is put into service later.
    pub fn transaction(&self) -> Transaction {
        self.transaction_with_id(&self.shared.ids.next_id())
    }

    /// Begins an exchange whose id the host has chosen.
    pub fn transaction_with_id(&self, unique_id: &str) -> Transaction {
        let deployed = self.shared.slot.current();
        let scratch = deployed.scratch();
        let mut inner =
            engine::Transaction::new(deployed.loaded().clone(), scratch, self.shared.env.clone(), unique_id);
        inner.set_collections(self.shared.kept.store());
        inner.set_policy(self.shared.policy);
        if let Some(resolver) = &self.shared.resolver {
            inner.set_resolver(resolver.clone());
        }
        if let Some(uploads) = &self.shared.uploads {
            inner.set_uploads(uploads.clone());
        }
        if let Some(descriptors) = &self.shared.descriptors {
            inner.set_descriptors(descriptors.clone());
        }
        inner.set_generation(deployed.generation());
        Transaction { inner: Some(inner), deployed, failed: None }
    }

    /// Loads other rules and puts them into service. A failure leaves the present ones where they are.
    ///
    /// # Errors
    /// The report, if there is an error in it.
    pub fn replace(&self, source: &RuleSource) -> Result<u64, LoadReport> {
        let (loaded, mut report) = load(source, &*self.shared.files, &self.shared.loading)?;
        if !can_store(self.shared.uploads.as_deref(), loaded.program(), &mut report.diagnostics) {
            return Err(report);
        }
        Ok(self.shared.slot.replace(loaded))
    }

    /// What loading the first rules found: warnings and notes.
    pub fn report(&self) -> &LoadReport {
        &self.shared.report
    }

    /// The program in service and its automata.
    pub fn loaded(&self) -> Arc<Loaded> {
        self.shared.slot.current().loaded().clone()
    }
}

/// Whether the uploaded files that rules want stored could be; if not, that is among the findings.
fn can_store(sink: Option<&dyn UploadSink>, program: &Program, found: &mut Diagnostics) -> bool {
    let Some(sink) = sink.filter(|_| program.stores_uploads) else { return true };
    let Err(error) = sink.check(&program.ruleset.settings.uploads) else { return true };
    let message = format!("uploaded files cannot be stored: {error}");
    let help = "correct `SecUploadDir` or `SecTmpDir`, or the permissions of the folder";
    found.push(Diagnostic::error(codes::UPLOAD_DIR, None, message).help(help));
    false
}

impl std::fmt::Debug for Waf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waf").field("generation", &self.shared.slot.current().generation()).finish_non_exhaustive()
    }
}

/// One exchange. A panic inside the engine ends here as a verdict, never in the host.
pub struct Transaction {
    inner: Option<engine::Transaction>,
    deployed: Arc<Deployed>,
    failed: Option<Interruption>,
}

/// Calls of [`Transaction`] that run the engine: guarded, each answers an interruption.
macro_rules! guarded {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) in $phase:expr;)*) => {
        impl Transaction {$(
            $(#[$doc])*
            pub fn $name(&mut self, $($arg: $type),*) -> Option<Interruption> {
                self.guard($phase, None, |inner| inner.$name($($arg),*)).or_else(|| self.failed.clone())
            }
        )*}
    };
}

guarded! {
    /// Runs phase 1 to its end.
    process_request_headers() in Phase::RequestHeaders;
    /// A piece of the request body; kept for phase 2.
    write_request_body(chunk: &[u8]) in Phase::RequestBody;
    /// Runs phase 2 to its end.
    process_request_body() in Phase::RequestBody;
    /// Takes the status and runs phase 3 to its end.
    process_response_headers(status: u16, version: &[u8]) in Phase::ResponseHeaders;
    /// A piece of the response body; kept for phase 4.
    write_response_body(chunk: &[u8]) in Phase::ResponseBody;
    /// Runs phase 4 to its end.
    process_response_body() in Phase::ResponseBody;
}

impl Transaction {
    /// The two ends of the connection.
    pub fn process_connection(&mut self, client: IpAddr, client_port: u16, server: IpAddr, server_port: u16) {
        self.guard(Phase::RequestHeaders, (), |inner| {
            inner.process_connection(client, client_port, server, server_port)
        });
    }

    /// The request line: method, target and version as received.
    pub fn process_request_line(&mut self, method: &[u8], target: &[u8], version: &[u8]) {
        self.guard(Phase::RequestHeaders, (), |inner| inner.process_request_line(method, target, version));
    }

    /// A request header.
    pub fn add_request_header(&mut self, name: &[u8], value: &[u8]) {
        self.guard(Phase::RequestHeaders, (), |inner| inner.add_request_header(name, value));
    }

    /// A response header.
    pub fn add_response_header(&mut self, name: &[u8], value: &[u8]) {
        self.guard(Phase::ResponseHeaders, (), |inner| inner.add_response_header(name, value));
    }

    /// The response's status and protocol version.
    pub fn set_response_status(&mut self, status: u16, version: &[u8]) {
        self.guard(Phase::ResponseHeaders, (), |inner| inner.set_response_status(status, version));
    }

    /// Runs phase 5.
    pub fn process_logging(&mut self) {
        self.guard(Phase::Logging, (), engine::Transaction::process_logging);
    }

    /// Asks for a phase; [`step`](Self::step) runs it.
    pub fn start(&mut self, phase: Phase) {
        self.guard(phase, (), |inner| inner.start(phase));
    }

    /// Runs on for about `fuel`, or to the end of the phase that was asked for.
    pub fn step(&mut self, fuel: u64) -> Step {
        match self.guard(Phase::RequestBody, Step::Done(None), |inner| inner.step(fuel)) {
            Step::Done(None) => Step::Done(self.failed.clone()),
            other => other,
        }
    }

    /// What has ended the exchange, if anything has.
    pub fn interruption(&self) -> Option<Interruption> {
        self.failed.clone().or_else(|| self.inner.as_ref()?.interruption())
    }

    /// Whether the request body will be looked at.
    pub fn inspects_request_body(&self) -> bool {
        self.inner.as_ref().is_some_and(engine::Transaction::inspects_request_body)
    }

    /// Whether the response body will be looked at.
    pub fn inspects_response_body(&self) -> bool {
        self.inner.as_ref().is_some_and(engine::Transaction::inspects_response_body)
    }

    /// The request body as it was received, as far as it was kept: what a host sends on.
    pub fn request_body(&self) -> &[u8] {
        self.inner.as_ref().map(engine::Transaction::request_body).unwrap_or_default()
    }

    /// The request body as it was inspected: without its content codings.
    pub fn decoded_request_body(&self) -> &[u8] {
        self.inner.as_ref().map(engine::Transaction::decoded_request_body).unwrap_or_default()
    }

    /// The response body as it was received, as far as it was kept.
    pub fn response_body(&self) -> &[u8] {
        self.inner.as_ref().map(engine::Transaction::response_body).unwrap_or_default()
    }

    /// The response body as it was inspected: without its content codings.
    pub fn decoded_response_body(&self) -> &[u8] {
        self.inner.as_ref().map(engine::Transaction::decoded_response_body).unwrap_or_default()
    }

    /// Whether a body with these values of `Content-Encoding` will be decoded, or has no coding.
    ///
    /// # Errors
    /// Why it will not: it is then inspected as it is, and flagged.
    pub fn decodes<'a>(&self, values: impl IntoIterator<Item = &'a [u8]>) -> Result<(), Undecodable> {
        self.inner.as_ref().map_or(Ok(()), |inner| inner.decodes(values))
    }

    /// Whether response bodies of the configured media types will be looked at.
    pub fn response_body_access(&self) -> bool {
        self.inner.as_ref().is_some_and(engine::Transaction::response_body_access)
    }

    /// What happens when the request body is longer than its limit; overrides `SecRequestBodyLimitAction`.
    pub fn set_request_body_limit_action(&mut self, action: LimitAction) {
        self.guard(Phase::RequestBody, (), |inner| inner.set_request_body_limit_action(action));
    }

    /// Notes in the verdict that the host lets something pass without inspection.
    pub fn note_uninspected(&mut self, what: &'static str) {
        self.guard(Phase::RequestBody, (), |inner| inner.note_uninspected(what));
    }

    /// What was not inspected so far, or not in full.
    pub fn uninspected(&self) -> &[&'static str] {
        self.inner.as_ref().map(engine::Transaction::uninspected).unwrap_or_default()
    }

    /// The rules that matched and log, in order, with everything that they saw: for logs there are
    /// [`error_log_lines`](Self::error_log_lines) and [`audit_record`](Self::audit_record), which show asterisks for what rules
    /// hide (`sanitise...`).
    pub fn records(&self) -> &[MatchRecord] {
        self.inner.as_ref().map(engine::Transaction::records).unwrap_or_default()
    }

    /// The transaction's id.
    pub fn unique_id(&self) -> &str {
        self.inner.as_ref().map(engine::Transaction::unique_id).unwrap_or_default()
    }

    /// Whether the engine acts on this transaction.
    pub fn mode(&self) -> EngineMode {
        self.inner.as_ref().map_or(EngineMode::On, engine::Transaction::mode)
    }

    /// Whether the transaction belongs into the audit log, given the status that the client got.
    pub fn is_relevant(&self, status: u16) -> bool {
        self.failed.is_some() || self.inner.as_ref().is_some_and(|inner| inner.is_relevant(status))
    }

    /// The audit record, given the status that the client got (0 if none); `None` if the transaction does not belong into the
    /// audit log. To be asked for after [`process_logging`](Self::process_logging).
    pub fn audit_record(&self, status: u16) -> Option<AuditRecord> {
        self.look(None, |inner| inner.audit_record(status))
    }

    /// How the audit log of this transaction's ruleset is to be written.
    pub fn audit_settings(&self) -> &AuditSettings {
        &self.deployed.loaded().program().ruleset.settings.audit
    }

    /// Error-log lines of the matches that log, after the first `seen` records. To be asked for after
    /// [`process_logging`](Self::process_logging): up to then rules may hide values.
    pub fn error_log_lines(&self, seen: usize) -> Vec<String> {
        self.look(Vec::new(), |inner| inner.error_log_lines(seen))
    }

    /// A text of the exchange, such as its target, with asterisks over what rules hide.
    pub fn hidden(&self, text: &[u8]) -> Vec<u8> {
        self.look(vec![b'*'; text.len()], |inner| inner.hidden(text))
    }

    /// Reads what is there, also after an internal error; a panic on the way ends here.
    fn look<T>(&self, otherwise: T, read: impl FnOnce(&engine::Transaction) -> T) -> T {
        let Some(inner) = self.inner.as_ref() else { return otherwise };
        catch_unwind(AssertUnwindSafe(|| read(inner))).unwrap_or_else(|_| {
            tracing::error!("internal error while logging");
            otherwise
        })
    }

    /// A TX entry, by name without case.
    pub fn tx(&self, name: &str) -> Option<&[u8]> {
        self.inner.as_ref()?.tx(name)
    }

    /// Environment variables that rules have set for the host.
    pub fn environment(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.inner.iter().flat_map(engine::Transaction::environment)
    }

    /// Notes every step from now on, for [`trace`](Self::trace).
    pub fn record_trace(&mut self) {
        self.guard(Phase::RequestHeaders, (), engine::Transaction::record_trace);
    }

    /// The steps since [`record_trace`](Self::record_trace).
    pub fn trace(&self) -> &[Event] {
        self.inner.as_ref().map(engine::Transaction::trace).unwrap_or_default()
    }

    /// The rules that spent most fuel of their own, dearest first.
    pub fn dearest_rules(&self, most: usize) -> Vec<(RuleId, u64)> {
        self.inner.as_ref().map(|inner| inner.dearest_rules(most)).unwrap_or_default()
    }

    /// The outcome so far; `None` after an internal error that left nothing to tell.
    pub fn verdict(&self) -> Option<Verdict> {
        let mut verdict = self.inner.as_ref()?.verdict();
        if let Some(failed) = &self.failed {
            verdict.interruption = Some(failed.clone());
        }
        Some(verdict)
    }

    /// Runs a call of the engine; a panic becomes an `internal_error` interruption, and the engine is not called again.
    fn guard<T>(&mut self, phase: Phase, otherwise: T, call: impl FnOnce(&mut engine::Transaction) -> T) -> T {
        if self.failed.is_some() {
            return otherwise;
        }
        let Some(inner) = self.inner.as_mut() else { return otherwise };
        match catch_unwind(AssertUnwindSafe(|| call(inner))) {
            Ok(answer) => answer,
            Err(_) => {
                tracing::error!(unique_id = inner.unique_id(), phase = phase.number(), "internal error");
                self.failed = Some(Interruption {
                    action: InterruptionAction::Deny,
                    status: 500,
                    reason: Reason::InternalError,
                    phase,
                });
                otherwise
            }
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // What a panic left behind is not reused.
        if let Some(inner) = self.inner.take().filter(|_| self.failed.is_none()) {
            self.deployed.recycle(inner.into_scratch());
        }
    }
}

impl std::fmt::Debug for Transaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("unique_id", &self.unique_id()).finish_non_exhaustive()
    }
}
