//! What a peer sends to the agent of HAProxy, in the protocol of its agents (SPOP).
//!
//! | file | does |
//! |---|---|
//! | `codec` | frames and values, read and printed by two |
//! | `wire` | the second of them |
//! | `law` | what has to become of a conversation |
//! | `script` | conversations that are right or nearly, and what becomes of their messages |
//! | `agent` | an agent, and a peer |

mod agent;
mod codec;
mod law;
mod script;
mod wire;

use super::choices::Choices;
use super::{memory, panics};
use agent::Heard;
use script::{Comes, Script};
use wire::Typed;

/// What the agent may take for a connection, bytes: for the connection itself, and for each byte that has come.
const TAKEN: (usize, usize) = (512 << 10, 16);

/// By the first byte: bytes as a frame, what the agent writes, any bytes as a conversation, a conversation that is right or nearly.
pub fn spop(data: &[u8]) {
    let Some((&how, data)) = data.split_first() else { return };
    panics::none_in(|| match how % 4 {
        0 => codec::any(data),
        1 => codec::written(&mut Choices(data)),
        2 => conversation(|| Script { sent: data.to_vec(), ..Script::default() }, &mut Choices(&[how])),
        _ => {
            let (cuts, data) = data.split_at(data.len().min(8));
            conversation(|| script::script(&mut Choices(data)), &mut Choices(cuts));
        }
    });
}

/// The agent answers what it has to answer, says why it ends, takes no more memory than what has come is worth, and none of it depends
/// on how the bytes arrive.
///
/// The script is said twice, each time with ids of its own: what an agent has not finished when it ends a connection goes on behind it,
/// and would take what the second conversation keeps under the same id.
fn conversation(script: impl Fn() -> Script, cuts: &mut Choices<'_>) {
    agent::start();
    let first = script();
    let (heard, taken) = memory::most_taken(|| agent::converse([&first.sent[..]].into_iter()));
    let most = TAKEN.0 + TAKEN.1 * first.sent.len();
    assert!(taken <= most, "{taken} bytes for {} that have come", first.sent.len());
    is_lawful(&heard, &first);

    let again = script();
    let piece = 1 + cuts.below(200) * (1 + cuts.below(8));
    let pieces = again.sent.chunks(piece.max(again.sent.len() / 200));
    is_lawful(&agent::converse(pieces), &again);
}

fn is_lawful(heard: &Heard, script: &Script) {
    let course = law::course(&script.sent);
    let mut frames = heard.frames.iter().peekable();
    assert!(heard.frames.iter().all(|frame| frame.flags == wire::FIN), "{heard:?}");
    if let Some(size) = course.frame_size {
        let hello = frames.next_if(|frame| frame.kind == 101).unwrap_or_else(|| panic!("no hello in {heard:?}"));
        let pairs = wire::pairs(&hello.payload).expect("names and values");
        assert!(pairs.contains(&(b"max-frame-size".to_vec(), Typed::Number(size.into()))), "{pairs:?}");
        assert!(heard.lengths[1..].iter().all(|length| *length <= size as usize), "more than agreed: {heard:?}");
    }
    let mut left: Vec<_> = course.answered.iter().collect();
    while let Some(ack) = frames.next_if(|frame| frame.kind == 103) {
        let asked = left.iter().position(|(stream, number, _)| (*stream, *number) == (ack.stream, ack.number));
        let (.., payload) = left.remove(asked.unwrap_or_else(|| panic!("nobody has asked for {ack:?}")));
        let variables = wire::variables(&ack.payload).unwrap_or_else(|| panic!("no variables: {ack:?}"));
        if let Some(comes) = script.comes.get(payload) {
            let size = course.frame_size.unwrap_or_default();
            let expected: Vec<_> = comes.iter().flat_map(|comes| expected(*comes, size)).collect();
            assert_eq!(without_ids(variables), expected, "{comes:?}");
        }
    }
    let status = frames.next_if(|frame| frame.kind == 102).map(|last| {
        let pairs = wire::pairs(&last.payload).expect("names and values");
        let code = pairs.into_iter().find(|(name, _)| name == b"status-code");
        code.map(|(_, value)| value).expect("a disconnect says why")
    });
    assert_eq!(status, course.status.map(|status| Typed::Number(status.into())), "why it ends");
    assert_eq!(frames.next(), None, "something behind the last frame");
    // What is under way when the agent ends a connection may stay without an answer.
    assert!(left.is_empty() || course.status.is_some(), "without an answer: {left:?}");
}

fn without_ids(mut variables: Vec<(Vec<u8>, Typed)>) -> Vec<(Vec<u8>, Typed)> {
    variables.retain(|(name, _)| name != b"id");
    variables
}

/// The variables that are set for a message, where frames are that long.
fn expected(comes: Comes, size: u32) -> Vec<(Vec<u8>, Typed)> {
    const LOCATION: &str = "https://www.example/b";
    let number = |name: &str, number: u64| (name.as_bytes().to_vec(), Typed::Number(number));
    let text = |name: &str, text: &str| (name.as_bytes().to_vec(), Typed::Text(text.as_bytes().to_vec()));
    match comes {
        Comes::ToNothing => Vec::new(),
        Comes::ToAnError => vec![number("error", 355)],
        Comes::Passes => vec![number("fail", 0)],
        Comes::Refused(action, status, rule) => {
            // A frame that is too short for where a redirect leads to has a denial in it.
            let fits = (size as usize / 2).saturating_sub(192) >= LOCATION.len();
            let (action, status, location) = match action {
                "redirect" if fits => (action, status, LOCATION),
                "redirect" => ("deny", 403, ""),
                _ => (action, status, ""),
            };
            let told = [text("action", action), number("status", status), text("data", location)];
            [number("fail", 1)].into_iter().chain(told).chain([number("ruleid", rule)]).collect()
        }
    }
}
