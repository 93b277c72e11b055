//! Frames and values: read as a second reader reads them, printed and read back.

use super::super::choices::Choices;
use super::wire::{self, Typed};
use fusewall::host::spoa::Status;
use fusewall::host::spoa::answers::{self, Setting, Variable};
use fusewall::host::spoa::frames::{Frame, Kind, Message, Reader, Value};

fn typed(value: Value<'_>) -> Typed {
    match value {
        Value::Null => Typed::Null,
        Value::Bool(bit) => Typed::Bool(bit),
        Value::Integer(number) => Typed::Number(number),
        Value::Address(address) => Typed::Address(address),
        Value::Text(text) => Typed::Text(text.to_vec()),
        Value::Binary(binary) => Typed::Binary(binary.to_vec()),
    }
}

fn owned(message: &Message<'_>) -> wire::Message {
    let arguments = message.arguments.iter().map(|(name, value)| (name.to_vec(), typed(*value)));
    (message.name.to_vec(), arguments.collect())
}

fn frame(read: &Frame<'_>) -> wire::Frame {
    let kind = match read.kind {
        Kind::More => 0,
        Kind::Hello => 1,
        Kind::Disconnect => 2,
        Kind::Notify => 3,
        Kind::Other(kind) => kind,
    };
    wire::Frame { kind, flags: read.flags, stream: read.stream, number: read.frame, payload: read.payload.to_vec() }
}

fn messages(payload: &[u8]) -> Option<Vec<wire::Message>> {
    let (mut reader, mut messages) = (Reader::new(payload), Vec::new());
    while !reader.is_empty() {
        messages.push(owned(&reader.message().ok()?));
    }
    Some(messages)
}

/// Any bytes, as a frame and as messages.
pub fn any(data: &[u8]) {
    let read = Frame::read(data).ok().map(|read| frame(&read));
    assert_eq!(read, wire::Frame::read(data));
    for payload in read.iter().map(|read| &read.payload[..]).chain([data]) {
        let read = messages(payload);
        assert_eq!(read, wire::messages(payload));
        let mut printed = Vec::new();
        read.iter().flatten().for_each(|message| wire::put_message(&mut printed, message));
        assert_eq!(messages(&printed).filter(|_| read.is_some()), read, "printed, and read back");
    }
    if let Some(read) = read {
        assert_eq!(Frame::read(&read.written()).map(|again| frame(&again)), Ok(read));
    }
}

/// What the agent writes.
pub fn written(from: &mut Choices<'_>) {
    let mut number = || u64::from_be_bytes([0; 8].map(|_| from.byte())) >> from.below(64);
    let (stream, id, fact) = (number(), number(), number());
    let mut out = Vec::new();
    answers::varint(&mut out, fact);
    assert_eq!((wire::number(&mut &out[..]), Reader::new(&out).varint()), (Some(fact), Ok(fact)));
    let names = ["fail", "", "action", "a name of more than a few bytes"];
    let count = from.below(6);
    let variables: Vec<_> = (0..count)
        .map(|_| {
            let length = [0, 1, 10, 239, 240, 255][from.below(6)];
            (from.one(&names), if from.one_in(3) { None } else { Some(from.bytes(length)) })
        })
        .collect();
    let set = variables.iter().map(|(name, text)| {
        let value = text.map_or(Setting::Number(fact), Setting::Text);
        Variable { name, value }
    });
    let ack = answers::ack(stream, id, &set.collect::<Vec<_>>());
    let expected = variables.iter().map(|(name, text)| {
        (name.as_bytes().to_vec(), text.map_or(Typed::Number(fact), |text| Typed::Text(text.to_vec())))
    });
    let read = unwrapped(&ack);
    assert_eq!((read.kind, read.flags, read.stream, read.number), (103, wire::FIN, stream, id));
    assert_eq!(wire::variables(&read.payload), Some(expected.collect()));

    let hello = unwrapped(&answers::hello(fact as u32));
    let size = (b"max-frame-size".to_vec(), Typed::Number(u64::from(fact as u32)));
    assert!(hello.kind == 101 && wire::pairs(&hello.payload).is_some_and(|pairs| pairs.contains(&size)));

    let status = from.one(&Status::ALL);
    let last = unwrapped(&answers::disconnect(status));
    let code = (b"status-code".to_vec(), Typed::Number(status.code().into()));
    let why = (b"message".to_vec(), Typed::Text(status.to_string().into_bytes()));
    assert_eq!((last.kind, wire::pairs(&last.payload)), (102, Some(vec![code, why])));
}

/// A frame that is as long as it says.
fn unwrapped(wire: &[u8]) -> wire::Frame {
    let (length, frame) = wire.split_first_chunk().expect("a length");
    assert_eq!(u32::from_be_bytes(*length) as usize, frame.len());
    wire::Frame::read(frame).expect("a frame")
}
