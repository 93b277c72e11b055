//! Frames, good and hostile.

use super::agent::Running;
use super::peer::{ABORT, FIN, Peer, Typed, frame, get, hello, message, notify, request, text};
use std::time::{Duration, Instant};

fn is_refused(peer: &mut Peer) -> bool {
    peer.ask(&get("q=<script>"))["fail"] == Typed::Number(1)
}

#[test]
fn both_sides_agree_on_what_the_smaller_one_can() {
    let agent = Running::start(|config| config.limits.message_bytes = 20_000);
    for (offered, agreed) in [(16_380, 16_380), (1_000_000, 20_000), (256, 256)] {
        let mut peer = Peer::silent(agent.address);
        peer.write(&hello(offered, false));
        let answer = peer.read().unwrap();
        assert_eq!((answer.kind, answer.stream, answer.frame), (101, 0, 0));
        let items = answer.items();
        assert_eq!((&items["version"], &items["max-frame-size"]), (&text("2.0"), &Typed::Number(agreed)));
        assert_eq!(items["capabilities"], text("fragmentation,pipelining"));
    }
}

#[test]
fn a_health_check_is_answered_and_closed() {
    let agent = Running::start(|_| {});
    let mut peer = Peer::silent(agent.address);
    peer.write(&hello(16_380, true));
    assert_eq!((peer.read().unwrap().kind, peer.read()), (101, None));
    agent.counts("fusewall_spoa_health_checks_total 1");
}

#[test]
fn what_is_no_conversation_ends_with_the_status_that_says_why() {
    let agent = Running::start(|_| {});
    let before_hello: [(&str, Vec<u8>, u64); 5] = [
        ("no hello first", notify(1, 1, FIN, &get("q=1")), 4),
        ("a hello of 4 GB", vec![255; 4], 3),
        ("a hello that is too long", frame(1, FIN, 0, 0, &[0; 5000]), 3),
        ("nothing in it", frame(1, FIN, 0, 0, b""), 5),
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec(), 3),
    ];
    for (what, bytes, status) in before_hello {
        let mut peer = Peer::silent(agent.address);
        peer.try_write(&bytes);
        assert_eq!(peer.disconnected(), status, "{what}");
    }
    let whole = get("q=1");
    let after_hello: [(&str, Vec<u8>, u64); 10] = [
        ("4 GB", vec![255; 4], 3),
        ("one byte more than agreed", (16_381_u32).to_be_bytes().to_vec(), 3),
        ("nothing", vec![0; 4], 4),
        ("half a head", vec![0, 0, 0, 7, 3, 0, 0, 0, 1, 255, 255], 4),
        ("hello again", hello(16_380, false), 4),
        ("half a message", notify(1, 1, FIN, &whole[..whole.len() / 2]), 4),
        ("a name of 2^60 bytes", notify(1, 1, FIN, &[255; 9]), 4),
        ("a type that is not defined", notify(1, 1, FIN, b"\x01m\x01\x01a\x0f"), 4),
        ("a thousand messages", notify(1, 1, FIN, &b"\x01m\x00".repeat(1000)), 4),
        ("a piece of nothing", frame(0, FIN, 1, 1, b"x"), 11),
    ];
    for (what, bytes, status) in after_hello {
        let mut peer = Peer::connect(agent.address);
        peer.try_write(&bytes);
        assert_eq!(peer.disconnected(), status, "{what}");
    }
    agent.counts("fusewall_spoa_disconnects_total{status=\"too_big\"} 5");
    agent.counts("fusewall_spoa_disconnects_total{status=\"interlaced\"} 1");
    agent.counts("fusewall_spoa_connections 0");
    assert!(is_refused(&mut Peer::connect(agent.address)), "it serves on");
}

/// A socket that is closed over bytes nobody has read is reset, and its peer loses what it has not read yet.
#[test]
fn what_the_agent_says_at_last_arrives_though_the_peer_goes_on() {
    let agent = Running::start(|_| {});
    let mut peer = Peer::connect(agent.address);
    peer.write(&hello(16_380, false));
    for _ in 0..50 {
        peer.try_write(&[0; 4096]);
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(peer.disconnected(), 4);
    agent.counts("fusewall_spoa_connections 0");
}

#[test]
fn a_payload_may_come_in_pieces() {
    let agent = Running::start(|config| config.limits.message_bytes = 20_000);
    let mut peer = Peer::connect(agent.address);
    let payload = get("q=<script>");
    let (first, rest) = payload.split_at(20);
    let (second, third) = rest.split_at(1);
    for piece in [notify(5, 9, 0, first), frame(0, 0, 5, 9, second), frame(0, FIN, 5, 9, third)] {
        peer.write(&piece);
    }
    let answer = peer.read().unwrap();
    assert_eq!((answer.stream, answer.frame), (5, 9));
    assert_eq!(answer.variables()["status"], Typed::Number(403));

    // One that is given up is not answered.
    peer.write(&notify(5, 10, 0, first));
    peer.write(&frame(0, FIN | ABORT, 5, 10, b""));
    assert!(is_refused(&mut peer));

    peer.write(&notify(5, 11, 0, first));
    peer.try_write(&notify(6, 1, FIN, &payload));
    assert_eq!(peer.disconnected(), 11, "another payload in between");

    let mut peer = Peer::connect(agent.address);
    peer.write(&notify(5, 1, 0, first));
    peer.try_write(&frame(0, 0, 5, 1, &[0; 12_000]));
    peer.try_write(&frame(0, 0, 5, 1, &[0; 12_000]));
    assert_eq!(peer.disconnected(), 3, "more than limits.message_bytes");
}

#[test]
fn many_are_answered_that_were_sent_at_once() {
    let agent = Running::start(|config| config.limits.pipelined = 4);
    let mut peer = Peer::connect(agent.address);
    let queries: Vec<_> = (0..200).map(|number| if number % 3 == 0 { "q=<script>" } else { "q=1" }).collect();
    let frames = queries.iter().enumerate().map(|(number, query)| notify(1, number as u64, FIN, &get(query)));
    peer.write(&frames.collect::<Vec<_>>().concat());
    let mut answers: Vec<_> = (0..200).map(|_| peer.read().unwrap()).collect();
    answers.sort_by_key(|answer| answer.frame);
    for (number, (answer, query)) in answers.iter().zip(queries).enumerate() {
        assert_eq!(answer.frame, number as u64);
        assert_eq!(answer.variables()["fail"], Typed::Number(u64::from(query != "q=1")), "{number}");
    }
}

#[test]
fn whoever_takes_his_time_is_closed() {
    let agent = Running::start(|config| config.timeouts.hello = Duration::from_millis(20));
    assert_eq!(Peer::silent(agent.address).disconnected(), 2);

    let agent = Running::start(|config| config.timeouts.frame = Duration::from_millis(100));
    let mut peer = Peer::connect(agent.address);
    peer.write(&notify(1, 1, FIN, &get("q=1"))[..30]);
    assert_eq!(peer.disconnected(), 2);

    let agent = Running::start(|config| config.timeouts.idle = Duration::from_millis(20));
    assert_eq!(Peer::connect(agent.address).disconnected(), 0, "idle is no error");
}

#[test]
fn bodies_take_no_more_memory_than_there_is() {
    let agent = Running::start(|config| config.shared.inspection.limits.held_bytes = 10_000);
    let mut peer = Peer::connect(agent.address);
    assert!(is_refused(&mut peer));
    peer.try_write(&notify(1, 1, FIN, &[0; 12_000]));
    assert_eq!(peer.disconnected(), 13);
    assert!(is_refused(&mut Peer::connect(agent.address)), "it is given back");
}

#[test]
fn a_peer_that_leaves_is_let_go() {
    let agent = Running::start(|_| {});
    let mut peer = Peer::connect(agent.address);
    assert!(is_refused(&mut peer));
    peer.write(&frame(2, FIN, 0, 0, b"\x0bstatus-code\x03\x00\x07message\x08\x00"));
    assert_eq!(peer.disconnected(), 0);
    let mut peer = Peer::connect(agent.address);
    peer.write(&notify(1, 1, FIN, &get("q=<script>")));
    drop(peer);
    agent.logged(&["[id \"10\"]", "code 403"]);
    agent.counts("fusewall_spoa_connections 0");
}

#[test]
fn an_agent_that_ends_says_so() {
    let mut agent = Running::start(|_| {});
    let mut peer = Peer::connect(agent.address);
    assert!(is_refused(&mut peer));
    let start = Instant::now();
    agent.shut_down();
    assert_eq!(peer.disconnected(), 0);
    drop(agent);
    assert!(start.elapsed() < Duration::from_secs(9), "nobody waits for timeouts.shutdown");
}

#[test]
fn frames_with_flipped_bits_never_stop_the_agent() {
    let agent = Running::start(|_| {});
    let body = b"a=1&q=<script>";
    let headers = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 14\r\n";
    let whole = notify(1, 1, FIN, &message("coraza-req", &request("/p", Typed::Null, headers, body)));
    // A generator of its own, so that a failure comes again.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..=random(4) {
            let at = random(bytes.len());
            bytes[at] ^= 1 << random(8);
        }
        let mut peer = Peer::connect(agent.address);
        peer.try_write(&bytes);
    }
    assert!(is_refused(&mut Peer::connect(agent.address)));
    agent.counts("fusewall_requests_total{application=\"default\",action=\"internal_error\"} 0");
}
