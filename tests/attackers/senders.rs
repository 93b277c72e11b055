//! Who sends what: botnets, clean clients, small attacks, and requests that are as dear as the rules let them be.

use crate::load::{Answer, Load, get};
use crate::padding::{Shape, form_value, sources};
use crate::sites::Site;
use fusewall::program::Program;
use std::sync::Arc;
use std::time::Duration;

/// Attacks of a few bytes that any ruleset refuses.
pub const SMALL: [&str; 5] = [
    "' or 1=1--",
    "<script>alert(1)</script>",
    "1' UNION ALL SELECT username, password FROM users-- -",
    "../../../../etc/passwd",
    "; cat /etc/passwd",
];

/// Where a botnet's addresses come from.
#[derive(Debug, Clone, Copy)]
pub enum Botnet {
    /// One /16: 256 networks, one beside the other.
    Slash16,
    /// 500 networks far apart.
    Scattered,
}

impl Botnet {
    pub const ALL: [Botnet; 2] = [Botnet::Slash16, Botnet::Scattered];

    pub fn name(self) -> &'static str {
        match self {
            Botnet::Slash16 => "one /16",
            Botnet::Scattered => "500 networks",
        }
    }

    /// The address of bot number `number`.
    pub fn address(self, number: u32) -> [u8; 4] {
        match self {
            Botnet::Slash16 => [45, 9, number as u8, (number / 256) as u8],
            Botnet::Scattered => {
                let network = number % 500;
                [60 + (network % 100) as u8, (network / 100 * 40) as u8, network as u8, 7]
            }
        }
    }
}

/// The address of clean client number `number`, of 40 networks.
pub fn clean(number: u32) -> [u8; 4] {
    [203, 0, (number % 40) as u8, 9]
}

/// Every byte percent-encoded that has a meaning in a URL.
fn escaped(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

/// A small attack, one after the other.
pub fn small(client: [u8; 4], number: u32) -> Vec<u8> {
    get(client, &format!("/list?q={}", escaped(SMALL[number as usize % SMALL.len()])))
}

/// A harmless request.
pub fn benign(client: [u8; 4], number: u32) -> Vec<u8> {
    get(client, &format!("/search?item=summer+shoes&page={}", number % 90))
}

/// Request bodies that keep the patterns of a ruleset busy, each with an attack at its end.
pub fn dear(program: &Program, count: usize, size: usize) -> Vec<Vec<u8>> {
    let sources = sources(program);
    let step = (sources.len() / count).max(1);
    let texts = sources.iter().enumerate().step_by(step).take(count);
    let bodies = texts.map(|(at, source)| {
        let text = source.text(Shape::ALL[at % Shape::ALL.len()], size, at as u64);
        let pieces = text.chunks(text.len().div_ceil(100).max(1)).map(form_value);
        let mut body: Vec<u8> = pieces.flat_map(|piece| [b"x=", piece.as_slice(), b"&"].concat()).collect();
        body.extend(format!("q={}", escaped(SMALL[at % SMALL.len()])).into_bytes());
        body
    });
    bodies.collect()
}

/// A form that is sent.
pub fn post(client: [u8; 4], body: &[u8]) -> Vec<u8> {
    let [a, b, c, d] = client;
    let head = format!(
        "POST /save HTTP/1.1\r\nHost: www.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\nX-Forwarded-For: {a}.{b}.{c}.{d}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Requests to a site, at a rate.
pub fn load(site: &Site, per_second: f64, request: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static) -> Load {
    Load { address: site.address, request: Arc::new(request), per_second }
}

/// `count` requests, one after the other.
pub async fn one_by_one(
    site: &Site,
    count: u32,
    request: impl Fn(u32) -> Vec<u8> + Send + Sync + 'static,
) -> Vec<Answer> {
    let request: Arc<dyn Fn(u32) -> Vec<u8> + Send + Sync> = Arc::new(request);
    let mut answers = Vec::new();
    for number in 0..count {
        let request = Arc::clone(&request);
        answers.extend(load(site, 1.0, move |_| request(number)).run(Duration::from_nanos(1)).await);
    }
    answers
}
