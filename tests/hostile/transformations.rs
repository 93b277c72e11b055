//! I11: what every transformation promises, on random and on hostile input: it says truly whether it changed anything, needs its
//! triggers, keeps its bounds, and survives whatever it is given. That its time doubles with its input stands in `doubling`.

use crate::row::Row;
use fusewall::byteset::ByteSet;
use fusewall::transform::{Changed, Context, Transformation, UnicodeMap};
use proptest::prelude::*;
use std::sync::LazyLock;

/// Pieces that mean something to at least one transformation, whole and torn.
const PIECES: &[&[u8]] = &[
    b"%",
    b"%u",
    b"%uff",
    b"%41",
    b"%u0041",
    b"%uFF21",
    b"+",
    b"\\",
    b"\\x",
    b"\\u00",
    b"\\u0041",
    b"\\12",
    b"\\9",
    b"\\\n",
    b"&",
    b"&#",
    b"&#x",
    b"&#65",
    b"&#x41;",
    b"&lt",
    b"&amp;",
    b"&ampx",
    b";",
    b"0",
    b"0x",
    b"0x41",
    b"0X4",
    b"/",
    b"//",
    b".",
    b"..",
    b"/..",
    b"/./",
    b"a",
    b"B",
    b"f",
    b"\t",
    b" ",
    b"  ",
    b"\x0b",
    b"\xa0",
    b"\0",
    b"/*",
    b"*/",
    b"<!--",
    b"-->",
    b"--",
    b"#",
    b"[",
    b"]",
    b"[ ]",
    b"[a]",
    b"\"",
    b"^",
    b",",
    b"(",
    b"=",
    b"QUJD",
    b"\xc3\xa9",
    b"\xc0\xaf",
    b"\xe2\x82\xac",
    b"\xed\xa0\x80",
    b"\xf0\x9f\x98\x80",
    b"\xf4\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xc3",
    b"\xff",
    b"\x80",
];

fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(PIECES).prop_map(<[u8]>::to_vec),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop_oneof![
        4 => prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
        // One byte over and over, so that a set without it is met often.
        1 => (any::<u8>(), 0usize..6).prop_map(|(byte, count)| vec![byte; count]),
    ]
}

fn unicode_map() -> UnicodeMap {
    UnicodeMap { map: [(0x41, b'!'), (0xff21, b'A')].into() }
}

/// Checks all promises on one input.
fn check(transformation: Transformation, input: &[u8]) {
    let name = transformation.name();
    let map = unicode_map();
    for unicode_map in [None, Some(&map)] {
        // What lay in the buffer before must not matter.
        let mut out = b"left over".to_vec();
        let changed = transformation.apply(input, &mut out, &Context { unicode_map });
        let triggered = if input.is_empty() {
            transformation.changes_empty()
        } else {
            transformation.triggers().intersects(&ByteSet::in_bytes(input))
        };
        let shown = || input.get(..60).unwrap_or(input).escape_ascii().to_string();
        if changed == Changed::Yes {
            assert_ne!(out, input, "{name} says that it changed {}", shown());
            assert!(triggered, "{name} changes {} without a trigger", shown());
            let bound = transformation.max_output(input.len());
            assert!(out.len() <= bound, "{name}: {} bytes of at most {bound} from {}", out.len(), shown());
            let possible = transformation.reach().image(ByteSet::in_bytes(input));
            assert!(
                input.is_empty() || ByteSet::in_bytes(&out).is_subset(&possible),
                "{name} makes other bytes from {}",
                shown()
            );
            // A vector doubles; more than that is memory out of proportion.
            assert!(out.capacity() <= 2 * bound + 64, "{name} keeps {} bytes for {bound}", out.capacity());
        } else {
            let mut again = Vec::new();
            assert_eq!(transformation.apply(input, &mut again, &Context { unicode_map }), Changed::No);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promises_hold_on_random_input(input in input()) {
        for transformation in Transformation::ALL {
            check(transformation, &input);
        }
    }

    #[test]
    fn decoders_undo_encoders(input in prop::collection::vec(any::<u8>(), 0..64)) {
        use Transformation as T;
        for (encode, decode) in [
            (T::Base64Encode, T::Base64Decode),
            (T::Base64Encode, T::Base64DecodeExt),
            (T::HexEncode, T::HexDecode),
            (T::UrlEncode, T::UrlDecode),
            (T::UrlEncode, T::UrlDecodeUni),
        ] {
            prop_assert_eq!(run(decode, &run(encode, &input)), input.clone(), "{} {}", encode.name(), decode.name());
        }
    }

    #[test]
    fn wrapped_text_is_unwrapped_and_nothing_else(text in "[ -~\\t\\n\\ré-ü]{6,64}", other in input()) {
        use Transformation as T;
        prop_assert_eq!(run(T::Base64DecodeText, &run(T::Base64Encode, text.as_bytes())), text.as_bytes());
        let unwrapped = run(T::Base64DecodeText, &other);
        if unwrapped != other {
            let text = std::str::from_utf8(&unwrapped).expect("only text comes out");
            prop_assert!(!text.chars().any(|char| char.is_ascii_control() && !matches!(char, '\t' | '\n' | '\r')));
            prop_assert_eq!(&unwrapped, &run(T::Base64Decode, &other.trim_ascii().iter().map(|&byte| match byte {
                b'-' => b'+',
                b'_' => b'/',
                byte => byte,
            }).collect::<Vec<u8>>()));
        }
    }

    #[test]
    fn normal_forms_are_stable(input in input()) {
        use Transformation as T;
        for transformation in [
            T::CompressWhitespace, T::Lowercase, T::NormalizePath, T::NormalizePathWin, T::ParityEven7bit, T::ParityOdd7bit,
            T::ParityZero7bit, T::RemoveNulls, T::RemoveWhitespace, T::ReplaceNulls, T::Trim, T::TrimLeft, T::TrimRight,
            T::Uppercase,
        ] {
            let once = run(transformation, &input);
            prop_assert_eq!(run(transformation, &once), once, "{}", transformation.name());
        }
    }
}

fn run(transformation: Transformation, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    match transformation.apply(input, &mut out, &Context::default()) {
        Changed::Yes => out,
        Changed::No => input.to_vec(),
    }
}

/// What is dear to at least one transformation when it is repeated.
pub const SEEDS: &[&[u8]] = &[
    b"\0",
    b" ",
    b"\t",
    b"a",
    b"/",
    b"../",
    b"a/",
    b"/./",
    b"..\\",
    b"a/../",
    b"%",
    b"%u",
    b"%41",
    b"%u0041",
    b"&",
    b"&#",
    b"&#00000041",
    b"&a",
    b"\\",
    b"\\x",
    b"\\u",
    b"\\0",
    b"/*",
    b"*/",
    b"/**/",
    b"<!--",
    b"-",
    b"-->",
    b"<",
    b"[",
    b"a[b]",
    b"[]",
    b". ",
    b" /",
    b" (",
    b"0x",
    b"0x41",
    b"00",
    b"\xc3",
    b"\xc3\xa9",
    b"\xf0\x9f\x98\x80",
    b"=",
];

pub static ROW: LazyLock<Row> = LazyLock::new(|| {
    let mut row = Row::new("I11", "every transformation on 0 to 3 bytes, torn escapes, runs of 64 KB, a megabyte");
    for input in short().into_iter().chain(long()) {
        for transformation in Transformation::ALL {
            check(transformation, &input);
            row.hold(true, String::new);
        }
    }
    row
});

#[test]
fn promises_hold_on_hostile_input() {
    ROW.assert();
}

/// Every byte, every piece torn at every place, and three bytes out of those that mean something.
fn short() -> Vec<Vec<u8>> {
    let mut inputs = vec![vec![]];
    inputs.extend((0..=255).map(|byte| vec![byte]));
    inputs.extend(PIECES.iter().flat_map(|piece| (0..=piece.len()).map(|cut| piece[..cut].to_vec())));
    let alphabet = b"%\\&/.+*-#<[]xu0a A\0\xa0\xc3\xe2";
    for a in alphabet {
        for b in alphabet {
            inputs.push(vec![*a, *b]);
            inputs.extend(alphabet.iter().map(|c| vec![*a, *b, *c]));
        }
    }
    inputs
}

/// Runs of what is dearest, of even and odd length; one construct that fills the whole value; a megabyte.
fn long() -> Vec<Vec<u8>> {
    const LONG: usize = 64 << 10;
    let mut inputs = Vec::new();
    for seed in SEEDS {
        let run: Vec<u8> = seed.iter().copied().cycle().take(LONG).collect();
        // A byte that ends what is open only at the very end.
        inputs.push([run.as_slice(), b";"].concat());
        inputs.push(run);
    }
    for prefix in [&b"&#"[..], b"&#x", b"&", b"0x", b"/", b"/*", b"<!--", b"a[", b"../"] {
        let mut input = prefix.to_vec();
        input.resize(LONG, b'0');
        inputs.push(input);
    }
    inputs.extend([b"&#00000041".repeat(100_000), b"../".repeat(350_000), vec![0; 1 << 20]]);
    inputs
}
