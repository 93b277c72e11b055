//! One script against one host.

use super::Host;
use super::case::{Answer, Arrival, Case, Step};
use super::client::{Client, PATIENCE, Reply, find, header};
use super::request::{Request, TAG, form};
use super::upstream::{FINE, LEAK, Received};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long nothing must happen that is not to happen.
const WHILE: Duration = Duration::from_millis(120);
/// What lets two writes arrive as two.
const BETWEEN: Duration = Duration::from_millis(2);

/// What became of a case.
pub struct Outcome {
    pub result: Result<(), String>,
    /// The tags of requests that must never reach the origin whole.
    pub never: Vec<String>,
}

pub fn play(host: &Host<'_>, case: &Case) -> Outcome {
    let mut play = Play { host, client: None, last: Sent::default(), answered: None, never: Vec::new() };
    let mut result = Ok(());
    for (at, step) in case.script(host.lacks).iter().enumerate() {
        result = play.step(step).map_err(|why| format!("step {} ({}): {why}", at + 1, name(step)));
        if result.is_err() {
            break;
        }
    }
    Outcome { result, never: play.never }
}

/// A tag that no other request in this process has.
pub fn new_tag(host: &Host<'_>) -> String {
    static TAGS: AtomicUsize = AtomicUsize::new(0);
    format!("{}-{}", host.name, TAGS.fetch_add(1, Ordering::Relaxed))
}

/// A step in a message.
fn name(step: &Step) -> String {
    match step {
        Step::Send(request) => format!("send {} {}", request.method, request.target),
        other => format!("{other:?}").chars().take(60).collect(),
    }
}

/// The request that was sent last.
#[derive(Default)]
struct Sent {
    tag: String,
    method: &'static str,
    request: Option<Request>,
}

struct Play<'h> {
    host: &'h Host<'h>,
    client: Option<Client>,
    last: Sent,
    /// The answer that has begun.
    answered: Option<Reply>,
    never: Vec<String>,
}

impl Play<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Send(request) => {
                let head = self.tagged(&request.head(), request.method);
                self.last.request = Some(request.clone());
                let body = request.framed_body();
                let client = self.client()?;
                if request.pieces == 1 {
                    client.send(&[head, body].concat());
                } else {
                    client.send(&head);
                    for piece in body.chunks(body.len().div_ceil(request.pieces).max(1)) {
                        std::thread::sleep(BETWEEN);
                        client.send(piece);
                    }
                }
            }
            Step::Raw(text) => {
                let text = self.tagged(text, "POST");
                self.client()?.send(&text);
            }
            Step::More(bytes) => self.client()?.send(bytes),
            Step::Pause => std::thread::sleep(BETWEEN),
            Step::Get(answer) => return self.get(answer),
            Step::Silence if self.client()?.is_silent(WHILE) => {}
            Step::Silence => return Err("something came".to_owned()),
            Step::Origin(arrival) => return self.arrived(arrival),
            Step::Open => self.host.upstream.open(&self.last.tag),
            Step::HangUp => {
                if let Some(client) = self.client.take() {
                    client.hang_up();
                }
            }
            Step::Crowd => return self.crowd(),
        }
        Ok(())
    }

    fn client(&mut self) -> Result<&mut Client, String> {
        if self.client.is_none() {
            self.client = Some(Client::connect(self.host.address)?);
        }
        self.client.as_mut().ok_or_else(|| "no connection".to_owned())
    }

    /// A request's bytes with a tag of its own.
    fn tagged(&mut self, text: &[u8], method: &'static str) -> Vec<u8> {
        let tag = new_tag(self.host);
        let text = replaced(text, &tag);
        self.last = Sent { tag, method, request: None };
        self.answered = None;
        text
    }

    fn get(&mut self, answer: &Answer) -> Result<(), String> {
        let method = self.last.method;
        let begun = self.answered.take();
        let client = self.client()?;
        // Parts of an answer, and what is none.
        match answer {
            Answer::Continue => {
                let reply = client.reply_head(method)?;
                return if reply.status == 100 { Ok(()) } else { Err(reply.excerpt()) };
            }
            Answer::Switched => {
                let reply = client.reply_head(method)?;
                let right = reply.status == 101
                    && reply.header("upgrade").is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket"));
                return if right { Ok(()) } else { Err(reply.excerpt()) };
            }
            Answer::Bytes(bytes) => {
                let taken = client.take(bytes.len())?;
                return if taken.as_deref() == Some(*bytes) { Ok(()) } else { Err(format!("{taken:?}")) };
            }
            Answer::Closed => {
                return match client.take(1)? {
                    None => Ok(()),
                    Some(_) => Err(client.reply_head(method)?.excerpt()),
                };
            }
            Answer::Head => {
                let head = final_head(client, method)?.0;
                self.answered = Some(head.clone());
                return if head.status == 200 { Ok(()) } else { Err(head.excerpt()) };
            }
            Answer::Begins(start) => {
                let head = final_head(client, method)?.0;
                if head.status != 200 {
                    return Err(head.excerpt());
                }
                let reply = client.reply_body(|body| body.len() >= start.len())?;
                self.answered = Some(reply.clone());
                return if reply.body.starts_with(start) { Ok(()) } else { Err(reply.excerpt()) };
            }
            _ => {}
        }
        let (reply, continued) = match begun {
            Some(_) => (client.reply_body(|_| false)?, false),
            None => {
                let (head, continued) = final_head(client, method)?;
                let reply = if head.status == 0 { head } else { client.reply_body(|_| false)? };
                (reply, continued)
            }
        };
        let error = reply.whole && reply.status >= 400;
        if self.last.request.as_ref().is_some_and(Request::is_http10) && reply.header("transfer-encoding").is_some() {
            return Err(format!("HTTP/1.0 knows no chunks: {}", reply.excerpt()));
        }
        let right = match answer {
            Answer::Body(body) => reply.whole && reply.status == 200 && reply.body == *body,
            Answer::Status(status) => reply.whole && reply.status == *status,
            Answer::ErrorBut(status) => error && reply.status != *status,
            Answer::Error => error,
            Answer::ErrorAtOnce => error && !continued,
            Answer::TurnedAway => error || reply.status == 0,
            Answer::Failure => reply.status >= 500 || !reply.whole,
            Answer::Redirect(to) => reply.status == 302 && reply.header("location") == Some(to),
            Answer::Ends(body) => reply.whole && reply.status == 200 && reply.body == *body,
            Answer::Cut | Answer::CutLate => !reply.whole,
            Answer::Unseen => reply.whole && reply.status == 200,
            Answer::Any => true,
            Answer::Withheld => error || !reply.whole,
            Answer::NoBody(status, field) => reply.status == *status && reply.header(field).is_some(),
            Answer::Continue | Answer::Switched | Answer::Bytes(_) | Answer::Closed => false,
            Answer::Head | Answer::Begins(_) => false,
        };
        let shown = find(&reply.body, LEAK.as_bytes()).is_some() || reply.head.contains(LEAK);
        match answer {
            _ if !right => Err(format!("got {}", reply.excerpt())),
            Answer::CutLate => Ok(()),
            Answer::Unseen
                if find(&reply.body, LEAK.as_bytes()).is_some() || reply.header("content-encoding").is_some() =>
            {
                Ok(())
            }
            Answer::Unseen => Err(format!("got {}", reply.excerpt())),
            _ if shown => Err(format!("shows what is to be held back: {}", reply.excerpt())),
            _ => Ok(()),
        }
    }

    fn arrived(&mut self, arrival: &Arrival) -> Result<(), String> {
        let (tag, upstream) = (self.last.tag.clone(), self.host.upstream);
        let seen = |received: &[Received]| {
            format!("the origin got {} of it: {received:?}", received.len()).chars().take(500).collect::<String>()
        };
        match arrival {
            Arrival::Begun if upstream.waits_for(&tag, PATIENCE) => Ok(()),
            Arrival::Begun => Err("it did not begin to arrive".to_owned()),
            Arrival::NotYet if upstream.waits_for(&tag, WHILE) => Err("it began to arrive".to_owned()),
            Arrival::NotYet => Ok(()),
            Arrival::Nothing | Arrival::NotWhole => {
                self.never.push(tag.clone());
                let received = upstream.received(&tag);
                let wrong = received.iter().any(|received| received.whole || matches!(arrival, Arrival::Nothing));
                if wrong { Err(seen(&received)) } else { Ok(()) }
            }
            Arrival::NothingOr(body) => match upstream.received(&tag).as_slice() {
                [] => Ok(()),
                [one] if !one.whole || one.body == *body => Ok(()),
                received => Err(seen(received)),
            },
            Arrival::Same => {
                let request = self.last.request.as_ref().ok_or("no request was sent")?;
                match upstream.received(&tag).as_slice() {
                    [one] if one.whole => same(request, one),
                    received => Err(seen(received)),
                }
            }
        }
    }

    /// Eight clients, twelve requests each. Every third is refused.
    fn crowd(&mut self) -> Result<(), String> {
        let host = self.host;
        let one = |client_number: usize| -> Result<(), String> {
            let mut client = Client::connect(host.address)?;
            for turn in 0..12 {
                let tag = new_tag(host);
                let (attack, text) = (turn % 3 == 2, format!("q=of+{client_number}+in+{turn}"));
                let request =
                    if attack { form("/crowd", &format!("{text}+attack-body")) } else { form("/crowd", &text) };
                client.send(&[replaced(&request.head(), &tag), request.framed_body()].concat());
                let reply = client.reply("POST")?;
                let arrived = host.upstream.received(&tag);
                let same = arrived.iter().all(|one| one.body == request.body);
                if (reply.status >= 400) != attack || arrived.len() != usize::from(!attack) || !same {
                    return Err(format!("client {client_number}, turn {turn}: {}", reply.excerpt()));
                }
                if attack {
                    // Some hosts close after a refusal.
                    client = Client::connect(host.address)?;
                }
            }
            Ok(())
        };
        let results: Vec<_> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..8).map(|client| scope.spawn(move || one(client))).collect();
            clients
                .into_iter()
                .map(|client| client.join().unwrap_or_else(|_| Err("a client panicked".to_owned())))
                .collect()
        });
        results.into_iter().collect()
    }
}

/// The head of the next answer that is not `100 Continue`, and whether one of those came before.
fn final_head(client: &mut Client, method: &str) -> Result<(Reply, bool), String> {
    let start = Instant::now();
    let mut continued = false;
    while start.elapsed() < PATIENCE {
        let head = client.reply_head(method)?;
        if head.status != 100 {
            return Ok((head, continued));
        }
        continued = true;
    }
    Err("no end of 100 Continue".to_owned())
}

/// Whether the origin got what was sent.
fn same(request: &Request, received: &Received) -> Result<(), String> {
    let line = received.head.lines().next().unwrap_or_default();
    if !line.starts_with(&format!("{} {} ", request.method, request.target)) {
        return Err(format!("the origin got {line:?}"));
    }
    for (name, value) in &request.headers {
        let own = name.starts_with("X-") || ["Content-Type", "Content-Encoding", "Cookie", "User-Agent"].contains(name);
        if own && header(&received.head, name) != Some(value.as_str()) {
            return Err(format!("the origin got {name} as {:?}", header(&received.head, name)));
        }
    }
    if received.body != request.body {
        return Err(format!(
            "the origin got {} bytes that are not the {} sent",
            received.body.len(),
            request.body.len()
        ));
    }
    Ok(())
}

/// The text with its tag, wherever it stands: a request hidden in another one has the same.
pub fn replaced(text: &[u8], tag: &str) -> Vec<u8> {
    let (mut rest, mut replaced) = (text, Vec::with_capacity(text.len()));
    while let Some(at) = find(rest, TAG.as_bytes()) {
        let (before, after) = rest.split_at(at);
        replaced.extend_from_slice(before);
        replaced.extend_from_slice(tag.as_bytes());
        rest = after.get(TAG.len()..).unwrap_or_default();
    }
    replaced.extend_from_slice(rest);
    replaced
}
