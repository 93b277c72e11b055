//! What Envoy is answered, in each of the modes in which it sends bodies.

use super::grpc::{
    Connection, Stream, body, first, form, get, mutation, request_head, response_head, status, trailers,
};
use super::processor::{Processor, RULES};
use bytes::Bytes;
use fusewall::host::ext_proc::config::parse;
use fusewall::host::ext_proc::messages::{
    BodySendMode, HttpBody, Mutation, ProcessingRequest, ProcessingResponse, Request, Response,
};
use fusewall::host::ext_proc::{Counter, Outcome};

use BodySendMode::{Buffered, BufferedPartial, FullDuplexStreamed, None as Unsent, Streamed};

const CLIENT: &str = "192.0.2.1:5";

async fn begun(connection: &mut Connection, part: Request, request: BodySendMode, response: BodySendMode) -> Stream {
    let stream = connection.process().await;
    stream.message(&first(part, (request, response), CLIENT));
    stream
}

fn streamed(response: Response) -> HttpBody {
    match mutation(response) {
        Some(Mutation::StreamedResponse(piece)) => piece,
        other => panic!("no piece: {other:?}"),
    }
}

fn page() -> Request {
    response_head(&[(":status", "200"), ("content-type", "text/html")], false)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_are_judged_and_refusals_have_a_page() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    let mut stream = begun(&mut connection, get("/"), Streamed, Streamed).await;
    assert!(matches!(stream.response().await, Response::RequestHeaders(_)));
    stream.send(response_head(&[(":status", "204")], true));
    assert!(matches!(stream.response().await, Response::ResponseHeaders(_)));
    stream.close();
    assert_eq!(stream.ended().await, Some(0));
    processor.ended(Outcome::Passed, 1);

    let mut stream = begun(&mut connection, get("/?q=attack"), Streamed, Streamed).await;
    let refusal = stream.refusal().await;
    let line =
        processor.logged(&["[client 192.0.2.1] ModSecurity: Access denied with code 403 (phase 2)", "[id \"10\"]"]);
    let id = line.split("[unique_id \"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_owned();
    assert_eq!((status(&refusal), stream.ended().await), (403, Some(0)));
    assert!(String::from_utf8_lossy(&refusal.body).contains(&id), "the page names what the log names");
    processor.ended(Outcome::Refused, 1);

    let mut stream = begun(&mut connection, get("/?away=1"), Streamed, Streamed).await;
    let refusal = stream.refusal().await;
    let set: Vec<_> =
        refusal.headers.clone().expect("fields").set_headers.into_iter().filter_map(|set| set.header).collect();
    assert_eq!(status(&refusal), 302);
    assert!(set.iter().any(|field| field.key == "location" && field.raw_value == "https://www.example/elsewhere"));

    let mut stream = begun(&mut connection, get("/"), Streamed, Streamed).await;
    let _ = stream.answer().await;
    stream.send(response_head(&[(":status", "200"), ("x-secret", "1")], true));
    assert_eq!(status(&stream.refusal().await), 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_is_whom_envoy_names_or_whom_a_trusted_proxy_does() {
    let processor = Processor::with(RULES, |config| {
        let trusted = parse("test.toml", "trusted_proxies = ['192.0.2.1']").expect("a configuration");
        config.site.trusted_proxies = trusted.site.trusted_proxies;
    });
    let mut connection = Connection::open(processor.address).await;
    let forwarded = |by: &str| {
        request_head(&[(":method", "GET"), (":path", "/"), (":authority", "a"), ("x-forwarded-for", by)], true)
    };
    let mut ask = async |part: Request, source: &str| {
        let mut stream = connection.process().await;
        stream.message(&first(part, (Streamed, Streamed), source));
        matches!(stream.response().await, Response::ImmediateResponse(_))
    };
    assert!(ask(get("/"), "198.51.100.7:9").await, "whom Envoy names");
    assert!(ask(forwarded("198.51.100.7"), "192.0.2.1:9").await, "whom a trusted proxy names");
    assert!(!ask(forwarded("198.51.100.7"), "192.0.2.2:9").await, "whom anybody names");
    assert_eq!(processor.noted(Counter::Anonymous), 0);
    let mut stream = connection.process().await;
    stream.send(get("/"));
    let _ = stream.answer().await;
    assert_eq!(processor.noted(Counter::Anonymous), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_streamed_request_body_goes_on_in_the_place_of_its_last_piece() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    for (last, refused) in [("k", true), ("c", false)] {
        let mut stream = begun(&mut connection, form(), Streamed, Unsent).await;
        assert!(matches!(stream.response().await, Response::RequestHeaders(_)));
        for piece in ["q=a", "tta", "c"] {
            stream.send(Request::RequestBody(body(piece, false)));
            assert_eq!(mutation(stream.response().await), Some(Mutation::ClearBody(true)), "nothing goes on");
        }
        stream.send(Request::RequestBody(body(last, true)));
        if refused {
            assert_eq!(status(&stream.refusal().await), 403);
        } else {
            assert_eq!(mutation(stream.response().await), Some(Mutation::Body(Bytes::from("q=attacc"))));
        }
    }
    // One piece goes on as it is.
    let mut stream = begun(&mut connection, form(), Streamed, Unsent).await;
    let _ = stream.answer().await;
    stream.send(Request::RequestBody(body("q=a", true)));
    assert_eq!(mutation(stream.response().await), None);
    // Trailers have no place for a body that was held.
    let mut stream = begun(&mut connection, form(), Streamed, Unsent).await;
    let _ = stream.answer().await;
    stream.send(Request::RequestBody(body("q=a", false)));
    let _ = stream.answer().await;
    stream.send(Request::RequestTrailers(trailers()));
    assert_eq!(status(&stream.refusal().await), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_buffered_body_is_one_message_and_stays_as_it_is() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    for (mode, bytes, last, refused) in [
        (Buffered, "q=a", true, None),
        (Buffered, "q=attack", true, Some(403)),
        // Trailers follow.
        (Buffered, "q=attack", false, Some(403)),
        (BufferedPartial, "q=a", true, None),
        // Envoy's buffer was too small.
        (BufferedPartial, "q=a", false, Some(400)),
    ] {
        let mut stream = begun(&mut connection, form(), mode, mode).await;
        let _ = stream.answer().await;
        stream.send(Request::RequestBody(body(bytes, last)));
        match refused {
            None => assert_eq!(mutation(stream.response().await), None),
            Some(code) => assert_eq!(status(&stream.refusal().await), code, "{mode:?} {bytes}"),
        }
    }
    processor.logged(&["[id \"15\"]"]);
    for (bytes, refused) in [("a page", false), ("a secret page", true)] {
        let mut stream = begun(&mut connection, get("/"), Buffered, Buffered).await;
        let _ = stream.answer().await;
        stream.send(page());
        assert!(matches!(stream.response().await, Response::ResponseHeaders(_)));
        stream.send(Request::ResponseBody(body(bytes, true)));
        match refused {
            false => assert_eq!(mutation(stream.response().await), None),
            true => assert_eq!(status(&stream.refusal().await), 502),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_full_duplex_nothing_goes_on_before_the_verdict() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    let mut stream = begun(&mut connection, form(), FullDuplexStreamed, FullDuplexStreamed).await;
    let long = vec![b'x'; 200_000];
    stream.send(Request::RequestBody(body("q=", false)));
    stream.send(Request::RequestBody(body(long.clone(), false)));
    stream.send(Request::RequestBody(body("", true)));
    assert!(matches!(stream.response().await, Response::RequestHeaders(_)), "the head comes first");
    let mut came = Vec::new();
    loop {
        let piece = streamed(stream.response().await);
        assert!(piece.body.len() <= 65_536, "{}", piece.body.len());
        came.extend_from_slice(&piece.body);
        if piece.end_of_stream {
            break;
        }
    }
    assert_eq!(came, [&b"q="[..], &long].concat());
    stream.send(page());
    stream.send(Request::ResponseBody(body("half a ", false)));
    stream.send(Request::ResponseBody(body("page", false)));
    stream.send(Request::ResponseTrailers(trailers()));
    assert!(matches!(stream.response().await, Response::ResponseHeaders(_)));
    let piece = streamed(stream.response().await);
    assert_eq!((piece.body, piece.end_of_stream), (Bytes::from("half a page"), false));
    assert!(matches!(stream.response().await, Response::ResponseTrailers(_)));

    let mut stream = begun(&mut connection, form(), FullDuplexStreamed, FullDuplexStreamed).await;
    stream.send(Request::RequestBody(body("q=attack", true)));
    assert_eq!(status(&stream.refusal().await), 403);

    let mut stream = begun(&mut connection, get("/"), FullDuplexStreamed, FullDuplexStreamed).await;
    let _ = stream.answer().await;
    stream.send(page());
    stream.send(Request::ResponseBody(body("a sec", false)));
    stream.send(Request::ResponseBody(body("ret", true)));
    assert_eq!(status(&stream.refusal().await), 502);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_looks_at_is_asked_for_no_more() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    let unread = request_head(&[(":method", "POST"), (":path", "/unread"), (":authority", "a")], false);
    let mut stream = begun(&mut connection, unread.clone(), Streamed, Buffered).await;
    let mode = stream.answer().await.and_then(|answer| answer.mode_override).expect("other modes");
    assert_eq!((mode.request_body_mode, mode.response_body_mode), (Unsent as i32, Buffered as i32));
    // An Envoy that does not allow overrides sends it all the same.
    stream.send(Request::RequestBody(body("attack", true)));
    assert_eq!(mutation(stream.response().await), None);
    stream.send(response_head(&[(":status", "200"), ("content-type", "image/png")], false));
    let mode = stream.answer().await.and_then(|answer| answer.mode_override).expect("other modes");
    assert_eq!((mode.request_body_mode, mode.response_body_mode), (Unsent as i32, Unsent as i32));
    // Full duplex takes no other mode: its pieces go on at once.
    let mut stream = begun(&mut connection, unread, FullDuplexStreamed, FullDuplexStreamed).await;
    assert!(stream.answer().await.is_some_and(|answer| answer.mode_override.is_none()));
    stream.send(Request::RequestBody(body("attack", false)));
    let piece = streamed(stream.response().await);
    assert_eq!((piece.body, piece.end_of_stream), (Bytes::from("attack"), false));
    // An event stream is not waited for.
    for mode in [Buffered, Streamed, FullDuplexStreamed] {
        let mut stream = begun(&mut connection, get("/"), mode, mode).await;
        let _ = stream.answer().await;
        stream.send(response_head(&[(":status", "200"), ("content-type", "text/event-stream")], false));
        let other = stream.answer().await.expect("an answer").mode_override.map(|mode| mode.response_body_mode);
        assert_eq!(other, (mode == Buffered).then_some(Streamed as i32));
        stream.send(Request::ResponseBody(body("data: 1\n\n", false)));
        match mode {
            FullDuplexStreamed => assert_eq!(streamed(stream.response().await).body, "data: 1\n\n"),
            _ => assert_eq!(mutation(stream.response().await), None),
        }
        stream.send(Request::ResponseBody(body("data: secret\n\n", true)));
        assert_eq!(status(&stream.refusal().await), 502);
    }
    processor.ended(Outcome::CutOff, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_rules_want_and_envoy_does_not_send_are_noted() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    let mut stream = begun(&mut connection, form(), Unsent, Unsent).await;
    let _ = stream.answer().await;
    stream.send(page());
    let _ = stream.answer().await;
    let noted = [Counter::UnsentRequestBodies, Counter::UnsentResponseBodies].map(|counter| processor.noted(counter));
    assert_eq!(noted, [1, 1]);
    processor.logged(&["passed without inspection: request-body-rest, response-body-rest"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_did_not_wait_for_the_body_lets_no_more_of_it_pass() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    let mut stream = begun(&mut connection, form(), Streamed, Unsent).await;
    let _ = stream.answer().await;
    stream.send(Request::RequestBody(body("q=att", false)));
    let _ = stream.answer().await;
    stream.send(response_head(&[(":status", "401")], true));
    assert!(matches!(stream.response().await, Response::ResponseHeaders(_)));
    stream.send(Request::RequestBody(body("ack", true)));
    assert_eq!(mutation(stream.response().await), Some(Mutation::ClearBody(true)));
    assert_eq!(processor.noted(Counter::EarlyAnswers), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_that_envoy_answers_itself_go_on() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    for mode in [Buffered, Streamed, FullDuplexStreamed] {
        let error = response_head(&[(":status", "400"), ("content-type", "text/plain")], false);
        let mut stream = begun(&mut connection, error, mode, mode).await;
        assert!(matches!(stream.response().await, Response::ResponseHeaders(_)));
        stream.send(Request::ResponseBody(body("Bad Request", true)));
        match mode {
            FullDuplexStreamed => assert_eq!(streamed(stream.response().await).body, "Bad Request"),
            _ => assert_eq!(mutation(stream.response().await), None),
        }
        stream.close();
        assert_eq!(stream.ended().await, Some(0));
    }
    assert_eq!(processor.noted(Counter::AnswersOfEnvoy), 3);
    processor.ended(Outcome::Passed, 3);
    // Anything else has been at an upstream, and nobody has seen what it answers.
    for status in ["200", "302"] {
        let mut stream = begun(&mut connection, response_head(&[(":status", status)], true), Streamed, Streamed).await;
        assert!(stream.ended().await.is_some_and(|ended| ended != 0), "{status}");
    }
    processor.logged(&["request_header_mode"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_is_inspected_and_what_comes_after_it_is_not() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    let upgrade = |more: &[(&str, &str)]| {
        let fields = [
            (":method", "GET"),
            (":path", "/"),
            (":authority", "a"),
            ("connection", "upgrade"),
            ("upgrade", "WebSocket"),
        ];
        request_head(&[&fields[..], more].concat(), false)
    };
    let modes = |answer: Option<ProcessingResponse>| {
        answer.expect("an answer").mode_override.map(|mode| [mode.request_body_mode, mode.response_body_mode])
    };
    for (mode, asked, agreed) in [
        (Buffered, Some([Unsent, Buffered]), Some([Unsent, Unsent])),
        (Streamed, None, Some([Unsent, Unsent])),
        (FullDuplexStreamed, None, None),
    ] {
        let numbers = |modes: Option<[BodySendMode; 2]>| modes.map(|modes| modes.map(i32::from));
        let mut stream = begun(&mut connection, upgrade(&[]), mode, mode).await;
        assert_eq!(modes(stream.answer().await), numbers(asked), "{mode:?}");
        stream.send(response_head(&[(":status", "101")], false));
        assert_eq!(modes(stream.answer().await), numbers(agreed), "{mode:?}");
        stream.send(Request::RequestBody(body("a frame", false)));
        match mode {
            FullDuplexStreamed => assert_eq!(streamed(stream.response().await).body, "a frame"),
            _ => assert_eq!(mutation(stream.response().await), None),
        }
    }
    processor.logged(&["passed without inspection: tunnel"]);
    // An upstream that does not agree has answered a request like any other.
    let mut stream = begun(&mut connection, upgrade(&[]), Buffered, Buffered).await;
    let _ = stream.answer().await;
    stream.send(page());
    assert_eq!(modes(stream.answer().await), None);
    stream.send(Request::ResponseBody(body("a secret page", true)));
    assert_eq!(status(&stream.refusal().await), 502);
    // Nothing comes before it agrees.
    let mut stream = begun(&mut connection, upgrade(&[]), Streamed, Streamed).await;
    let _ = stream.answer().await;
    stream.send(Request::RequestBody(body("GET /admin", false)));
    assert_eq!(status(&stream.refusal().await), 400);
    let mut stream = begun(&mut connection, upgrade(&[("x", "attack")]), Streamed, Streamed).await;
    assert_eq!(status(&stream.refusal().await), 403);
    // A body is a body, whatever stands beside it.
    let mut stream = begun(
        &mut connection,
        upgrade(&[("content-length", "8"), ("content-type", "application/x-www-form-urlencoded")]),
        Streamed,
        Streamed,
    )
    .await;
    let _ = stream.answer().await;
    stream.send(Request::RequestBody(body("q=attack", true)));
    assert_eq!(status(&stream.refusal().await), 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_observes_is_not_answered() {
    let processor = Processor::start();
    let mut connection = Connection::open(processor.address).await;
    let mut stream = connection.process().await;
    let observed = |message: ProcessingRequest| ProcessingRequest { observability_mode: true, ..message };
    stream.message(&observed(first(get("/?q=attack"), (Streamed, Streamed), CLIENT)));
    let part = response_head(&[(":status", "200")], true);
    stream.message(&observed(ProcessingRequest { request: Some(part), ..ProcessingRequest::default() }));
    stream.close();
    assert_eq!(stream.ended().await, Some(0));
    processor.logged(&["[id \"10\"]"]);
    processor.logged(&["observability_mode: the request was not refused"]);
    assert_eq!(processor.noted(Counter::Observed), 1);
    processor.ended(Outcome::Passed, 1);
}
