//! Requests as text.

use super::super::oracle::exchange::Exchange;

/// The request that bytes spell: a line for target and each header, an empty line, the body.
pub fn spelled(data: &[u8]) -> Exchange {
    let mut exchange = Exchange::default();
    let mut rest = data;
    let mut first = true;
    while !rest.is_empty() {
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let (line, after) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
        rest = after;
        if first {
            let mut words = line.splitn(2, |&byte| byte == b' ');
            exchange.method = words.next().unwrap_or_default().to_vec();
            exchange.target = words.next().unwrap_or_default().to_vec();
            first = false;
        } else if line.is_empty() {
            break;
        } else {
            let mut halves = line.splitn(2, |&byte| byte == b':');
            let name = halves.next().unwrap_or_default().to_vec();
            exchange.headers.push((name, halves.next().unwrap_or_default().trim_ascii().to_vec()));
        }
    }
    exchange.body = rest.to_vec();
    exchange
}
