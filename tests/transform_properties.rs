//! What every transformation promises, on random and on hostile input: it says truly whether it changed anything, needs its
//! triggers, keeps its bounds, and survives whatever it is given (hostile-input class I11).

use fusewall::byteset::ByteSet;
use fusewall::transform::{Changed, Context, Transformation, UnicodeMap};
use proptest::prelude::*;

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

#[test]
fn every_short_input() {
    for transformation in Transformation::ALL {
        check(transformation, b"");
        for first in 0..=255u8 {
            check(transformation, &[first]);
        }
        for piece in PIECES {
            for cut in 0..=piece.len() {
                check(transformation, &piece[..cut]);
            }
        }
        // Three bytes out of those that mean something.
        let alphabet = b"%\\&/.+*-#<[]xu0a A\0\xa0\xc3\xe2";
        for a in alphabet {
            for b in alphabet {
                for c in alphabet {
                    check(transformation, &[*a, *b]);
                    check(transformation, &[*a, *b, *c]);
                }
            }
        }
    }
}

/// A step that looked back over all it has seen would take minutes on each of these: that the test ends is what it shows.
#[test]
fn long_runs_of_what_is_dearest() {
    const LONG: usize = 64 << 10;
    let seeds: &[&[u8]] = &[
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
    for seed in seeds {
        let mut input: Vec<u8> = seed.iter().copied().cycle().take(LONG).collect();
        for transformation in Transformation::ALL {
            check(transformation, &input);
        }
        // Odd length, and a byte that ends what is open only at the very end.
        input.push(b';');
        for transformation in Transformation::ALL {
            check(transformation, &input);
        }
    }
    // One entity, one run of digits, one segment that fills the whole value.
    for prefix in [&b"&#"[..], b"&#x", b"&", b"0x", b"/", b"/*", b"<!--", b"a[", b"../"] {
        let mut input = prefix.to_vec();
        input.resize(LONG, b'0');
        for transformation in Transformation::ALL {
            check(transformation, &input);
        }
    }
}

#[test]
fn a_megabyte() {
    let reference: &[u8] = &b"&#00000041".repeat(100_000);
    let climbing = b"../".repeat(350_000);
    for transformation in Transformation::ALL {
        check(transformation, reference);
        check(transformation, &climbing);
        check(transformation, &vec![0; 1 << 20]);
    }
}
