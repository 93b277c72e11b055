//! A request and its response, and the way of both through the engine.

use super::Outcome;
use fusewall::rule::{Action, Ruleset, Variable};
use fusewall::{InterruptionAction, Phase, Step, Transaction, Waf};
use std::net::IpAddr;

/// One exchange.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// UNIQUE_ID.
    pub id: String,
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub version: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
    pub remote: IpAddr,
    pub response: Option<Response>,
    /// Seconds since the exchange before it.
    pub after: u64,
}

/// The response of an exchange.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub body: Vec<u8>,
}

/// The other end of the connection, wherever an exchange is driven.
pub const SERVER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
pub const CLIENT_PORT: u16 = 40000;
pub const SERVER_PORT: u16 = 80;

impl Default for Exchange {
    fn default() -> Self {
        Exchange {
            id: "exchange".to_owned(),
            method: b"GET".to_vec(),
            target: b"/".to_vec(),
            version: b"HTTP/1.1".to_vec(),
            headers: Vec::new(),
            body: Vec::new(),
            remote: IpAddr::from([203, 0, 113, 7]),
            response: None,
            after: 0,
        }
    }
}

impl Exchange {
    /// A GET request.
    pub fn get(target: &str) -> Exchange {
        Exchange { target: target.into(), ..Exchange::default() }
    }

    /// A POST request with a body of that type.
    pub fn post(target: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Exchange {
        let exchange = Exchange { method: b"POST".to_vec(), body: body.into(), ..Exchange::get(target) };
        exchange.header("Content-Type", content_type)
    }

    /// With one header more.
    pub fn header(mut self, name: &str, value: &str) -> Exchange {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// So many seconds after the one before it.
    pub fn after(mut self, seconds: u64) -> Exchange {
        self.after = seconds;
        self
    }

    /// With this response.
    pub fn answered(mut self, status: u16, content_type: &str, body: &str) -> Exchange {
        let headers = vec![(b"Content-Type".to_vec(), content_type.into())];
        self.response = Some(Response { status, headers, body: body.into() });
        self
    }

    /// Takes the exchange through the engine, each phase in one go.
    pub fn evaluate(&self, waf: &Waf) -> Transaction {
        self.evaluate_paused(waf, &mut || u64::MAX, &mut || usize::MAX)
    }

    /// Takes the exchange through the engine: `fuel` says how far each step goes, `piece` how many bytes of a body are written at
    /// once. Neither may make a difference.
    pub fn evaluate_paused(
        &self,
        waf: &Waf,
        fuel: &mut dyn FnMut() -> u64,
        piece: &mut dyn FnMut() -> usize,
    ) -> Transaction {
        let mut transaction = waf.transaction_with_id(&self.id);
        transaction.process_connection(self.remote, CLIENT_PORT, SERVER, SERVER_PORT);
        transaction.process_request_line(&self.method, &self.target, &self.version);
        for (name, value) in &self.headers {
            transaction.add_request_header(name, value);
        }
        let mut go_on = !run(&mut transaction, Phase::RequestHeaders, fuel)
            && pieces(&self.body, piece).all(|part| transaction.write_request_body(part).is_none())
            && !run(&mut transaction, Phase::RequestBody, fuel);
        if let Some(response) = self.response.as_ref().filter(|_| go_on) {
            for (name, value) in &response.headers {
                transaction.add_response_header(name, value);
            }
            transaction.set_response_status(response.status, &self.version);
            go_on = !run(&mut transaction, Phase::ResponseHeaders, fuel)
                && pieces(&response.body, piece).all(|part| transaction.write_response_body(part).is_none());
            if go_on {
                run(&mut transaction, Phase::ResponseBody, fuel);
            }
        }
        run(&mut transaction, Phase::Logging, fuel);
        transaction
    }
}

/// Runs a phase to its end; answers whether the exchange is interrupted.
fn run(transaction: &mut Transaction, phase: Phase, fuel: &mut dyn FnMut() -> u64) -> bool {
    transaction.start(phase);
    loop {
        match transaction.step(fuel().max(1)) {
            Step::Pending => {}
            Step::Done(interruption) => return interruption.is_some(),
        }
    }
}

/// The body in pieces; an empty body is written once.
fn pieces<'a>(body: &'a [u8], piece: &'a mut dyn FnMut() -> usize) -> impl Iterator<Item = &'a [u8]> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let left = rest.take()?;
        let (first, after) = left.split_at(piece().clamp(1, left.len().max(1)).min(left.len()));
        rest = (!after.is_empty()).then_some(after);
        Some(first)
    })
}

/// The engine's outcome, in the interpreter's words. The engine answers for TX entries that it is asked for by name: `names`.
pub fn outcome(transaction: &Transaction, names: impl Iterator<Item = Vec<u8>>) -> Outcome {
    let verdict = transaction.verdict().expect("the engine does not fail");
    let interruption = verdict.interruption.as_ref().map(|interruption| {
        let action = match &interruption.action {
            InterruptionAction::Deny => "deny".to_owned(),
            InterruptionAction::Drop => "drop".to_owned(),
            InterruptionAction::Redirect(url) => format!("redirect:{}", String::from_utf8_lossy(url)),
            other => format!("{other:?}"),
        };
        (action, interruption.status)
    });
    let tx = names.filter_map(|name| {
        let value = transaction.tx(std::str::from_utf8(&name).ok()?)?.to_vec();
        Some((name, value))
    });
    Outcome {
        interruption,
        logged: verdict.rules.iter().map(|id| id.0).collect(),
        score_inbound: verdict.score.inbound,
        score_outbound: verdict.score.outbound,
        tx: tx.collect(),
    }
}

/// The TX keys that the rules write by a plain name, in lower case.
pub fn written_names(ruleset: &Ruleset) -> impl Iterator<Item = Vec<u8>> {
    let actions = ruleset.rules.iter().flat_map(|rule| &rule.conditions).flat_map(|condition| &condition.actions);
    actions.filter_map(|action| match action {
        Action::SetVar(set) if set.collection == Variable::Tx => set.key.as_text().map(<[u8]>::to_ascii_lowercase),
        _ => None,
    })
}

impl Exchange {
    /// The exchange as text, for messages.
    pub fn show(&self) -> String {
        let line = |name: &[u8], value: &[u8]| format!("{}: {}\n", name.escape_ascii(), value.escape_ascii());
        let (method, target, version) = (&self.method, &self.target, &self.version);
        let mut out = format!(
            "after {} s: {} {} {}\n",
            self.after,
            method.escape_ascii(),
            target.escape_ascii(),
            version.escape_ascii()
        );
        out.extend(self.headers.iter().map(|(name, value)| line(name, value)));
        out.push_str(&format!("\n{}\n", self.body.escape_ascii()));
        if let Some(response) = &self.response {
            out.push_str(&format!("\n{}\n", response.status));
            out.extend(response.headers.iter().map(|(name, value)| line(name, value)));
            out.push_str(&format!("\n{}\n", response.body.escape_ascii()));
        }
        out
    }
}
