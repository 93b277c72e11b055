//! Protobuf bodies whose messages are described by a descriptor set.

use fusewall::Waf;
use fusewall::governor::thread_cpu_time;
use fusewall::http::{BodyParser, Descriptors, Fields, ParseLimits, Processor, Progress, Report};
use fusewall::meter::Meter;
use std::sync::Arc;

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    let mut len = content.len();
    while len >= 0x80 {
        bytes.push(len as u8 | 0x80);
        len >>= 7;
    }
    bytes.push(len as u8);
    bytes.extend_from_slice(content);
    bytes
}

/// A field of a message type; kinds are those of `FieldDescriptorProto.Type`.
fn declared(name: &str, number: u8, kind: u8, type_name: &str) -> Vec<u8> {
    let one = [field(1, name.as_bytes()), vec![3 << 3, number, 5 << 3, kind], field(6, type_name.as_bytes())].concat();
    field(2, &one)
}

/// `shop.Order { string note = 1; Order parent = 2; int32 count = 3; }`, and `shop.Orders/Put`, which takes it.
fn set() -> Vec<u8> {
    let order = [
        field(1, b"Order"),
        declared("note", 1, 9, ""),
        declared("parent", 2, 11, ".shop.Order"),
        declared("count", 3, 5, ""),
    ];
    let method = [field(1, b"Put"), field(2, b".shop.Order")].concat();
    let service = [field(1, b"Orders"), field(2, &method)].concat();
    field(1, &[field(2, b"shop"), field(4, &order.concat()), field(6, &service)].concat())
}

/// Names and values.
type Leaves = Vec<(Vec<u8>, Vec<u8>)>;

fn frame(message: &[u8]) -> Vec<u8> {
    [&[0], &(message.len() as u32).to_be_bytes()[..], message].concat()
}

/// Reads a gRPC body of `shop.Orders/Put` in pieces; answers its leaves and the fuel.
fn read(body: &[u8], piece: usize, limits: &ParseLimits) -> (Leaves, u64) {
    let descriptors = Arc::new(Descriptors::parse([&set()[..]]).unwrap());
    let described = descriptors.of_path(b"/shop.Orders/Put");
    let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 30), Report::default(), Meter::unlimited());
    let mut parser = BodyParser::described(Processor::Grpc, b"application/grpc", limits, described);
    for end in (piece..body.len()).step_by(piece).chain([body.len()]) {
        let last = end == body.len();
        let mut step = || parser.step(&body[..end], last, 4096, &mut fields, &mut report, &mut meter).unwrap();
        while step() == Progress::More {}
    }
    let owned = |span| fields.bytes(span).to_vec();
    (fields.items().iter().map(|field| (owned(field.name), owned(field.value))).collect(), meter.spent())
}

#[test]
fn rules_see_the_names_of_a_method_s_fields() {
    let rules = r#"SecRuleEngine On
        SecRequestBodyAccess On
        SecRule REQUEST_HEADERS:Content-Type "@beginsWith application/grpc" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=GRPC"
        SecRule REQUEST_HEADERS:Content-Type "@contains protobuf" "id:2,phase:1,pass,nolog,ctl:requestBodyProcessor=PROTOBUF"
        SecRule ARGS:grpc.0.parent.note|ARGS:protobuf.note "@contains <script" "id:3,phase:2,deny,status:418"
        SecRule ARGS "@contains <script" "id:4,phase:2,deny,status:403""#;
    let build = |described: bool| {
        let builder = Waf::builder().rules_text("grpc.conf", rules);
        let descriptors = Descriptors::parse([&set()[..]]).unwrap();
        if described { builder.descriptors(descriptors).build().unwrap() } else { builder.build().unwrap() }
    };
    let ask = |waf: &Waf, target: &str, content_type: &str, body: &[u8]| {
        let mut exchange = waf.transaction();
        exchange.process_request_line(b"POST", target.as_bytes(), b"HTTP/2.0");
        exchange.add_request_header(b"Content-Type", content_type.as_bytes());
        exchange.process_request_headers();
        exchange.write_request_body(body);
        exchange.process_request_body().map_or(200, |ended| ended.status)
    };
    let note = field(1, b"<script>");
    let body = frame(&field(2, &note));
    let (with, without) = (build(true), build(false));
    assert_eq!(ask(&with, "/shop.Orders/Put", "application/grpc", &body), 418);
    assert_eq!(ask(&with, "/shop.Orders/Get", "application/grpc", &body), 403, "unknown methods have numbers");
    assert_eq!(ask(&without, "/shop.Orders/Put", "application/grpc", &body), 403);
    let protobuf = "application/x-protobuf; messageType=\"shop.Order\"";
    assert_eq!(ask(&with, "/", protobuf, &note), 418);
    assert_eq!(ask(&with, "/", "application/x-protobuf", &note), 403);
}

#[test]
fn however_a_body_arrives_it_has_the_same_leaves() {
    let order = [field(1, b"a note of some length"), field(2, &[field(1, b"<b>"), vec![3 << 3, 7]].concat())].concat();
    let body = [frame(&order), frame(&field(9, &order)), frame(&order)].concat();
    let whole = read(&body, body.len(), &ParseLimits::default());
    assert!(whole.0.iter().any(|(name, value)| name == b"grpc.2.parent.count" && value == b"7"), "{whole:?}");
    for piece in [1, 2, 3, 7, 50] {
        assert_eq!(read(&body, piece, &ParseLimits::default()), whole, "in pieces of {piece}");
    }
}

#[test]
fn twice_the_message_costs_twice() {
    let limits = ParseLimits { arguments: usize::MAX, protobuf_depth: usize::MAX, ..ParseLimits::default() };
    let shapes: [fn(usize) -> Vec<u8>; 4] = [
        |size| b"\x0a\x01a".repeat(size / 3),
        |size| field(1, &b"\x0a\x01a".repeat(size / 3)),
        |size| b"\x18\x01".repeat(size / 2),
        // Orders in orders: lengths that nothing is behind.
        |size| (0..size / 6).rev().flat_map(|_| [0x12, 0xFF, 0xFF, 0xFF, 0x7F]).collect(),
    ];
    for (number, shape) in shapes.iter().enumerate() {
        let cost = |size| read(&frame(&shape(size)), usize::MAX / 2, &limits).1 as f64;
        let (once, twice) = (cost(40_000), cost(80_000));
        assert!(twice < 2.3 * once, "shape {number}: {once} and {twice}");
    }
}

#[test]
fn descriptor_sets_are_read_in_linear_time() {
    let shapes: [fn(usize) -> Vec<u8>; 3] = [
        |size| field(1, &field(4, &[field(1, b"A"), declared("a", 1, 9, "").repeat(size / 12)].concat())),
        |size| field(1, &field(4, b"\x0a\x01A").repeat(size / 5)),
        |size| field(1, b"").repeat(size / 2),
    ];
    for (number, shape) in shapes.iter().enumerate() {
        let time = |size| {
            let set = shape(size);
            let once = || {
                let started = thread_cpu_time();
                let _ = std::hint::black_box(Descriptors::parse([&set[..]]));
                thread_cpu_time() - started
            };
            (0..5).map(|_| once()).min().unwrap().as_secs_f64().max(400e-6)
        };
        let (short, long) = (time(100_000), time(1_600_000));
        assert!(long < 90.0 * short, "shape {number}: {short} s and {long} s");
    }
}
