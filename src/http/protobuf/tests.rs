//! Messages as their readers meet them.

use super::{Descriptors, Message, NAMES_CONSTANT};
use crate::http::out::Out;
use crate::http::{Field, Fields, ParseLimits, Report};
use crate::meter::Meter;
use proptest::prelude::*;
use std::sync::Arc;

fn read_within(limits: &ParseLimits, message: &[u8]) -> (Vec<(String, Vec<u8>)>, Report) {
    let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 24), Report::default(), Meter::unlimited());
    let mut out = Out::new("Protobuf", 0, &mut fields, &mut report, &mut meter);
    Message::new(b"protobuf", NAMES_CONSTANT, limits, None).read(message, true, &mut out).unwrap();
    let named = |field: &Field| {
        (String::from_utf8_lossy(fields.bytes(field.name)).into_owned(), fields.bytes(field.value).to_vec())
    };
    (fields.items().iter().map(named).collect(), report)
}

fn read(message: &[u8]) -> (Vec<(String, Vec<u8>)>, Report) {
    read_within(&ParseLimits::default(), message)
}

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

#[test]
fn fields_are_named_by_their_numbers() {
    for (message, expected) in [
        (&b"\x08\x96\x01"[..], &[("protobuf.1", &b"150"[..])][..]),
        (b"\x12\x07testing", &[("protobuf.2", b"testing")]),
        (b"\x1a\x03\x08\x96\x01", &[("protobuf.3.1", b"150"), ("protobuf.3", b"\x08\x96\x01")]),
        (b"\x0d\x01\0\0\x80\x11\x02\0\0\0\0\0\0\0", &[("protobuf.1", b"2147483649"), ("protobuf.2", b"2")]),
        (b"\x0b\x10\x05\x0c\x12\x01x", &[("protobuf.1.2", b"5"), ("protobuf.2", b"x")]),
        (b"\x12\0", &[("protobuf.2", b"")]),
        (b"\x22\x03\x03\x8e\x02", &[("protobuf.4", b"\x03\x8e\x02")]),
        (b"", &[]),
    ] {
        let (fields, report) = read(message);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(fields, expected, "{message:?}");
        assert!(!report.error, "{message:?}: {}", report.error_message);
    }
}

#[test]
fn what_may_be_text_or_a_message_is_both() {
    let text = b"\x12\x08<script \x12\x09>alert(1)";
    let (fields, report) = read(&field(1, text));
    let all = [
        ("protobuf.1.2".to_owned(), b"<script ".to_vec()),
        ("protobuf.1.2".to_owned(), b">alert(1)".to_vec()),
        ("protobuf.1".to_owned(), text.to_vec()),
    ];
    assert_eq!(fields, all);
    assert!(!report.error);
}

#[test]
fn bytes_that_form_a_message_are_shown_as_they_are_however_deep() {
    // Eight bytes after `)` are a number, and \xff makes it no text.
    let hidden = b")' or 1=1\x0a\x01\xff";
    for message in [field(1, hidden), field(1, &field(3, &field(2, hidden)))] {
        let (fields, report) = read(&message);
        let shown = |field: &&(String, Vec<u8>)| field.1.windows(hidden.len()).any(|part| part == hidden);
        assert_eq!(
            fields.iter().filter(shown).map(|field| &*field.0).collect::<Vec<_>>(),
            ["protobuf.1"],
            "{fields:?}"
        );
        assert!(!report.error, "{}", report.error_message);
    }
}

#[test]
fn what_is_no_message_is_one_leaf_and_an_error() {
    for (message, leaf) in [
        (&b"\x08\x01' or 1=1"[..], &b"' or 1=1"[..]),
        (b"\x0f<b>", b"\x0f<b>"),
        (b"\x12\x20<b>", b"<b>"),
        (b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01<b>", b"<b>"),
        (b"\0<b>", b"\0<b>"),
    ] {
        let (fields, report) = read(message);
        assert!(fields.iter().any(|field| field.1.ends_with(leaf)), "{message:?}: {fields:?}");
        assert!(report.error, "{message:?}");
    }
}

#[test]
fn long_runs_of_characters_are_text_and_long_messages_are_limited() {
    for text in ["0".repeat(5000), "hahaha".repeat(900), "A".repeat(90_000)] {
        let (fields, report) = read(&field(1, &field(2, text.as_bytes())));
        assert!(fields.iter().any(|field| field.1 == text.as_bytes()), "{fields:?}");
        assert!(!report.error, "{}", report.error_message);
    }
    let numbers = read(&field(1, &b"\x08\x01".repeat(2000))).1;
    assert!(numbers.error && numbers.arguments_exceeded);
    let mut hidden = b"00".repeat(2000);
    hidden.extend(b"\x08\x01");
    assert!(read(&field(1, &hidden)).1.arguments_exceeded);
}

#[test]
fn depth_and_copies_are_limited() {
    let deep = (0..300).fold(b"\x08\x01".to_vec(), |inner, _| field(1, &inner));
    let (_, report) = read(&deep);
    assert!(report.error && report.depth_exceeded);
    let groups = [b"\x0b".repeat(300), b"\x0c".repeat(300)].concat();
    assert!(read(&groups).1.depth_exceeded);
    let text = (0..90).fold("x".repeat(50_000).into_bytes(), |inner, _| field(1, &inner));
    let (fields, _) = read_within(&ParseLimits { arguments: usize::MAX, ..ParseLimits::default() }, &text);
    assert!(fields.iter().map(|field| field.1.len()).sum::<usize>() <= 9 * text.len() + (128 << 10));
}

fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// A message type: its name, then its fields: name, number, `FieldDescriptorProto.Type`, the name of the type.
fn message_type(name: &str, fields: &[(&str, u8, u8, &str)]) -> Vec<u8> {
    let mut all = field(1, name.as_bytes());
    for (name, own, kind, type_name) in fields {
        let mut one = [field(1, name.as_bytes()), number(3, *own), number(5, *kind)].concat();
        if !type_name.is_empty() {
            one.extend(field(6, type_name.as_bytes()));
        }
        all.extend(field(2, &one));
    }
    all
}

/// A shop: `Order` with items, a note, a map and itself; a service that takes it.
fn shop() -> Arc<Descriptors> {
    let item = message_type("Item", &[("title", 1, 9, ""), ("count", 2, 5, ""), ("price", 3, 1, "")]);
    let labels = message_type("LabelsEntry", &[("key", 1, 9, ""), ("value", 2, 9, "")]);
    let fields = [
        ("items", 1, 11, ".shop.Item"),
        ("note", 2, 9, ""),
        ("labels", 3, 11, ".shop.Order.LabelsEntry"),
        ("parent", 4, 11, ".shop.Order"),
        ("numbers", 5, 13, ""),
        ("blob", 6, 12, ""),
        ("old", 7, 10, ".shop.Item"),
        ("far", 8, 11, ".other.Unknown"),
    ];
    let order = [message_type("Order", &fields), field(3, &labels)].concat();
    let method = [field(1, b"Put"), field(2, b".shop.Order"), field(3, b".shop.Item")].concat();
    let service = [field(1, b"Orders"), field(2, &method)].concat();
    let file = [field(1, b"shop.proto"), field(2, b"shop"), field(4, &item), field(4, &order), field(6, &service)];
    let set = field(1, &file.concat());
    Arc::new(Descriptors::parse([&set[..]]).unwrap())
}

/// The leaves of an `Order`: of a method that takes one, or of a sender who says so.
fn leaves(message: &[u8], certain: bool) -> (Vec<(String, Vec<u8>)>, Report) {
    let described = match certain {
        true => shop().of_path(b"/shop.Orders/Put").unwrap(),
        false => shop().of_content_type(b"application/protobuf; messageType=\"shop.Order\"").unwrap(),
    };
    let (mut fields, mut report, mut meter) = (Fields::with_limit(1 << 24), Report::default(), Meter::unlimited());
    let mut out = Out::new("Protobuf", 0, &mut fields, &mut report, &mut meter);
    let mut reader = Message::new(b"protobuf", NAMES_CONSTANT, &ParseLimits::default(), Some(&described));
    reader.read(message, true, &mut out).unwrap();
    let named = |field: &Field| {
        (String::from_utf8_lossy(fields.bytes(field.name)).into_owned(), fields.bytes(field.value).to_vec())
    };
    (fields.items().iter().map(named).collect(), report)
}

#[test]
fn described_fields_have_names() {
    let item = [field(1, b"<b>"), number(2, 7), b"\x19\x01\0\0\0\0\0\0\0".to_vec()].concat();
    for (message, expected) in [
        (
            field(1, &item),
            &[("protobuf.items.title", "<b>"), ("protobuf.items.count", "7"), ("protobuf.items.price", "1")][..],
        ),
        (field(4, &field(4, &field(2, b"deep"))), &[("protobuf.parent.parent.note", "deep")]),
        (
            field(3, &[field(1, b"k"), field(2, b"v")].concat()),
            &[("protobuf.labels.key", "k"), ("protobuf.labels.value", "v")],
        ),
        (
            [vec![7 << 3 | 3], field(1, b"in a group"), vec![7 << 3 | 4]].concat(),
            &[("protobuf.old.title", "in a group")],
        ),
        (number(5, 9), &[("protobuf.numbers", "9")]),
        // What no set describes keeps its number.
        (field(9, b"?"), &[("protobuf.9", "?")]),
        (field(8, &field(1, b"\x01\x02?")), &[("protobuf.far.1", "\x01\x02?"), ("protobuf.far", "\n\x03\x01\x02?")]),
        // So does what has another type on the wire.
        (number(2, 5), &[("protobuf.2", "5")]),
        (field(2, b""), &[("protobuf.note", "")]),
    ] {
        let (found, report) = leaves(&message, true);
        let found: Vec<_> = found.iter().map(|(name, value)| (&**name, std::str::from_utf8(value).unwrap())).collect();
        assert_eq!(found, expected, "{message:?}");
        assert!(!report.error, "{}", report.error_message);
    }
}

#[test]
fn a_string_of_a_method_is_no_message_and_a_message_no_string() {
    let text = b"\x12\x08<script \x12\x09>alert(1)";
    let named = |value: &[u8]| vec![("protobuf.note".to_owned(), value.to_vec())];
    assert_eq!(leaves(&field(2, text), true).0, named(text));
    assert_eq!(leaves(&field(4, &field(2, text)), true).0.len(), 1, "all its fields are known");
    let bytes = leaves(&field(6, text), true).0;
    assert_eq!(bytes.len(), 3, "bytes may hold a message: {bytes:?}");
    let binary = [&text[..], b"\x0a\x01\xff"].concat();
    assert!(leaves(&field(6, &binary), true).0.iter().any(|leaf| leaf.1 == binary), "and are shown as they are");
    let inner = field(6, &binary);
    assert!(leaves(&field(4, &inner), true).0.iter().all(|leaf| leaf.1 != inner), "a message is no bytes");
    assert!(leaves(&field(4, &inner), true).0.iter().any(|leaf| leaf.1 == binary));
    // A sender that chooses the type chooses names only.
    assert_eq!(leaves(&field(2, text), false).0.len(), 3);
    assert_eq!(leaves(&field(4, &field(2, text)), false).0.len(), 4);
}

#[test]
fn types_are_found_exactly() {
    let shop = shop();
    for path in
        ["/shop.Orders/put", "/shop.Orders/Put/", "/x/shop.Orders/Put", "shop.Orders/Put", "/shop.Orders/Get", ""]
    {
        assert!(shop.of_path(path.as_bytes()).is_none(), "{path}");
    }
    for (content_type, found) in [
        ("application/x-protobuf; type=shop.Item", true),
        ("application/x-protobuf;charset=x; PROTO = \".shop.Item\"", true),
        ("application/x-protobuf; messageType=shop.Order.LabelsEntry; a", true),
        ("application/x-protobuf; messageType=shop.None", false),
        ("application/x-protobuf; message=shop.Item", false),
        ("application/x-protobuf; type", false),
        ("shop.Item", false),
    ] {
        assert_eq!(shop.of_content_type(content_type.as_bytes()).is_some(), found, "{content_type}");
    }
}

#[test]
fn what_is_no_descriptor_set_is_refused() {
    let of_file = |file: &[u8]| Descriptors::parse([&field(1, file)[..]]);
    assert_eq!(Descriptors::parse([]).unwrap().types(), 0);
    assert!(Descriptors::parse([&b"message Note {}"[..]]).is_err());
    assert!(of_file(&field(4, &message_type("A B", &[]))).is_err());
    assert!(of_file(&field(4, &message_type("", &[]))).is_err());
    assert!(of_file(&field(4, &message_type("A", &[("a.b", 1, 9, "")]))).is_err());
    assert!(of_file(&field(4, &message_type("A", &[(&"a".repeat(129), 1, 9, "")]))).is_err());
    let nested = (0..400).fold(message_type("A", &[]), |inner, _| [message_type("A", &[]), field(3, &inner)].concat());
    assert!(of_file(&field(4, &nested)).is_err(), "a name of more than 512 bytes");
    let shop = shop();
    assert_eq!(shop.types(), 3);
}

proptest! {
    #[test]
    fn any_bytes_may_be_a_descriptor_set(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Descriptors::parse([&bytes[..]]);
        let _ = Descriptors::parse([&field(1, &field(4, &bytes))[..]]);
        let _ = Descriptors::parse([&field(1, &field(6, &bytes))[..]]);
    }

    #[test]
    fn a_chosen_type_changes_names_and_nothing_else(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0..32u8, Just(0x0A), Just(0x12), Just(0x22)], 0..80),
    ) {
        let (plain, plain_report) = read(&bytes);
        let (named, report) = leaves(&bytes, false);
        let values = |leaves: Vec<(String, Vec<u8>)>| leaves.into_iter().map(|leaf| leaf.1).collect::<Vec<_>>();
        prop_assert_eq!(values(plain), values(named));
        prop_assert_eq!(plain_report.error, report.error);
        // That of a method leaves readings out, but never a byte of what stands in a string.
        let (certain, _) = leaves(&bytes, true);
        prop_assert!(certain.len() <= read(&bytes).0.len().max(1));
    }
}
