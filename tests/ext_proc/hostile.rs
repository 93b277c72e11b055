//! Messages in any order, too long, cut off, or no messages at all: an error for the stream that has them, and for no other.

use super::grpc::{Connection, body, first, form, get, request_head, response_head, status, trailers};
use super::processor::{Processor, RULES};
use bytes::{BufMut, BytesMut};
use fusewall::host::ext_proc::Outcome;
use fusewall::host::ext_proc::messages::{BodySendMode, ProcessingRequest, Request};

/// `FAILED_PRECONDITION`
const WRONG: Option<u32> = Some(9);
const STREAMED: (BodySendMode, BodySendMode) = (BodySendMode::Streamed, BodySendMode::Streamed);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_in_an_order_that_makes_no_sense_end_the_stream() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    let ok = || response_head(&[(":status", "200")], true);
    let orders: [&[Request]; 9] = [
        &[Request::RequestBody(body("a", true))],
        &[Request::ResponseBody(body("a", true))],
        &[Request::RequestTrailers(trailers())],
        &[Request::ResponseTrailers(trailers())],
        &[ok()],
        &[get("/"), get("/")],
        &[get("/"), Request::RequestBody(body("a", false))],
        &[get("/"), ok(), ok()],
        &[get("/"), response_head(&[(":status", "many")], true)],
    ];
    for (number, order) in orders.iter().enumerate() {
        let mut stream = connection.process().await;
        for part in *order {
            stream.send(part.clone());
        }
        while stream.next().await.is_some() {}
        assert_eq!(stream.status, WRONG, "order {number}");
    }
    let mut stream = connection.process().await;
    stream.message(&ProcessingRequest::default());
    assert_eq!(stream.ended().await, WRONG, "a message without a part");
    let mut stream = connection.process().await;
    stream.message(&first(get("/"), (BodySendMode::Grpc, BodySendMode::None), "192.0.2.1:5"));
    assert_eq!(stream.ended().await, WRONG, "a mode that is not spoken");
    processor.ended(Outcome::Protocol, orders.len() as u64 + 2);
    processor.logged(&["a stream of Envoy is ended", "request_header_mode"]);
    // The connection has suffered nothing.
    let mut stream = connection.process().await;
    stream.send(get("/?a=attack"));
    assert_eq!(status(&stream.refusal().await), 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_ends_the_stream() {
    let processor = Processor::with(RULES, |config| config.message_bytes = 10_000);
    let mut connection = Connection::open(processor.address).await;
    let framed = |bytes: &[u8]| {
        let mut frame = BytesMut::new();
        frame.put_u8(0);
        frame.put_u32(bytes.len() as u32);
        frame.put_slice(bytes);
        frame.freeze()
    };
    let mut stream = connection.process().await;
    stream.raw(framed(&[0xff; 40]));
    assert!(stream.ended().await.is_some_and(|status| status != 0), "no Protobuf");
    let mut stream = connection.process().await;
    stream.raw(&[0, 0xff, 0xff, 0xff, 0xff, 1][..]);
    assert!(stream.ended().await.is_some_and(|status| status != 0), "a length of four gigabytes");
    let mut stream = connection.process().await;
    stream.raw(&[1, 0, 0, 0, 1, 1][..]);
    assert!(stream.ended().await.is_some_and(|status| status != 0), "a compression that nobody has agreed to");
    let mut stream = connection.process().await;
    stream.send(form());
    let _ = stream.answer().await;
    stream.send(Request::RequestBody(body(vec![b'a'; 20_000], false)));
    assert!(stream.ended().await.is_some_and(|status| status != 0), "a message over the limit");
    processor.ended(Outcome::Protocol, 4);
    let mut stream = connection.call("/envoy.service.ext_proc.v3.ExternalProcessor/Nothing").await;
    assert_eq!(stream.ended().await, Some(12), "a method that there is not");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_cut_are_counted_and_their_matches_logged() {
    let processor = Processor::with(RULES, |_| {});
    let mut connection = Connection::open(processor.address).await;
    let mut stream = connection.process().await;
    stream.message(&first(form(), STREAMED, "192.0.2.1:5"));
    let _ = stream.answer().await;
    stream.send(Request::RequestBody(body("q=att", false)));
    let _ = stream.answer().await;
    drop(stream);
    processor.ended(Outcome::Abandoned, 1);
    let mut stream = connection.process().await;
    stream.message(&first(get("/"), STREAMED, "192.0.2.1:5"));
    let _ = stream.answer().await;
    stream.close();
    assert_eq!(stream.ended().await, Some(0));
    processor.ended(Outcome::Abandoned, 2);
    assert_eq!(processor.counters.open(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_many_streams_take_no_more_memory_than_they_may() {
    let processor = Processor::with(RULES, |config| config.site.inspection.limits.held_bytes = 100_000);
    let mut connection = Connection::open(processor.address).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = connection.process().await;
        stream.message(&first(form(), STREAMED, "192.0.2.1:5"));
        let _ = stream.answer().await;
        stream.send(Request::RequestBody(body(vec![b'a'; 30_000], false)));
        let _ = stream.answer().await;
        held.push(stream);
    }
    let mut more = connection.process().await;
    more.message(&first(form(), STREAMED, "192.0.2.1:5"));
    let _ = more.answer().await;
    more.send(Request::RequestBody(body(vec![b'a'; 30_000], false)));
    assert_eq!(status(&more.refusal().await), 503);
    processor.logged(&["Too many bodies are held"]);
    drop(held);
    processor.ended(Outcome::Abandoned, 3);
    let mut again = connection.process().await;
    again.message(&first(form(), STREAMED, "192.0.2.1:5"));
    let _ = again.answer().await;
    again.send(Request::RequestBody(body(vec![b'a'; 30_000], true)));
    assert!(again.answer().await.is_some(), "the memory is given back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_never_ends_is_not_waited_for() {
    let time = std::time::Duration::from_millis(50);
    let processor = Processor::with(RULES, |config| config.site.timeouts.body = time);
    let mut connection = Connection::open(processor.address).await;
    let mut stream = connection.process().await;
    stream.message(&first(form(), STREAMED, "192.0.2.1:5"));
    let _ = stream.answer().await;
    assert_eq!(status(&stream.refusal().await), 408);
    processor.ended(Outcome::Refused, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_two_servers_could_read_in_two_ways_are_refused() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    for head in [
        request_head(&[(":method", "GET"), (":path", "/"), (":authority", "a"), ("host", "b")], true),
        request_head(&[(":method", "GET")], true),
        request_head(&[], true),
    ] {
        let mut stream = connection.process().await;
        stream.message(&first(head, STREAMED, "192.0.2.1:5"));
        assert_eq!(status(&stream.refusal().await), 400);
    }
}
