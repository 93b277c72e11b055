//! Content codings: what encoders write is read back, however it arrives; bombs, broken streams and limits end the reading.

use fusewall::http::coding::{Coding, DecodeLimits, Decoded, Decoding, End, price_in, price_out};
use fusewall::meter::Meter;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::io::Write;

const LIMITS: DecodeLimits = DecodeLimits { decoded: 64 << 20, ratio: 100, ratio_from: 1 << 20 };
const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn encode(coding: Coding, bytes: &[u8]) -> Vec<u8> {
    match coding {
        Coding::Gzip => gzip(bytes),
        Coding::Deflate => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Brotli => {
            let mut out = Vec::new();
            let params = brotli::enc::BrotliEncoderParams { quality: 4, ..Default::default() };
            brotli::BrotliCompress(&mut &*bytes, &mut out, &params).unwrap();
            out
        }
        Coding::Zstd => ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest),
    }
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Decodes a body that is there at once.
fn decode(codings: &[Coding], body: &[u8], limits: &DecodeLimits) -> (End, Vec<u8>, u64) {
    decode_in_pieces(codings, body, limits, &[], usize::MAX)
}

fn decode_in_pieces(
    codings: &[Coding],
    body: &[u8],
    limits: &DecodeLimits,
    cuts: &[usize],
    quantum: usize,
) -> (End, Vec<u8>, u64) {
    let (mut out, mut meter) = (Vec::new(), Meter::unlimited());
    let mut decoding = Decoding::new(codings, limits);
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
    ends.sort_unstable();
    let mut arrivals = ends.iter().map(|&end| (end, false)).chain([(body.len(), true)]);
    let (mut end, mut last) = arrivals.next().unwrap();
    loop {
        match decoding.step(&body[..end], last, quantum, &mut out, &mut meter).unwrap() {
            Decoded::More => {}
            Decoded::NeedInput => (end, last) = arrivals.next().expect("all of the body is there"),
            Decoded::Done(done) => return (done, out, meter.spent()),
        }
    }
}

fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let text = vec(select(vec![&b"name="[..], b"<script>", b"value&", b"\0\xff", b"0123456789"]), 0..400);
    prop_oneof![
        vec(any::<u8>(), 0..20_000),
        text.prop_map(|words| words.concat()),
        (any::<u8>(), 0..300_000usize).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn what_was_encoded_is_decoded_however_it_arrives(
        body in bodies(),
        codings in vec(select(&ALL[..]), 1..4),
        cuts in vec(any::<usize>(), 0..6),
        quantum in 1..100_000usize,
    ) {
        let coded = codings.iter().fold(body.clone(), |body, &coding| encode(coding, &body));
        let limits = DecodeLimits { ratio: usize::MAX, ..LIMITS };
        let whole = decode(&codings, &coded, &limits);
        prop_assert_eq!((whole.0, &whole.1), (End::Complete, &body));
        prop_assert_eq!(whole, decode_in_pieces(&codings, &coded, &limits, &cuts, quantum));
    }

    #[test]
    fn broken_streams_end_the_same_way_however_they_arrive(
        body in bodies(),
        codings in vec(select(&ALL[..]), 1..3),
        (at, xor) in (any::<usize>(), 1..=255u8),
        cuts in vec(any::<usize>(), 0..6),
        quantum in 1..100_000usize,
        decoded in select(vec![10usize, 5_000, 64 << 20]),
    ) {
        let mut coded = codings.iter().fold(body, |body, &coding| encode(coding, &body));
        let at = at % coded.len();
        coded[at] ^= xor;
        let limits = DecodeLimits { decoded, ..LIMITS };
        let whole = decode(&codings, &coded, &limits);
        prop_assert!(whole.1.len() <= decoded);
        prop_assert_eq!(whole, decode_in_pieces(&codings, &coded, &limits, &cuts, quantum));
    }

    #[test]
    fn any_bytes_are_taken(body in vec(any::<u8>(), 0..6000), codings in vec(select(&ALL[..]), 1..4)) {
        let (_, out, fuel) = decode(&codings, &body, &LIMITS);
        prop_assert!(fuel <= price_in().of(body.len()) + codings.len() as u64 * (price_in().plus(price_out())).of(LIMITS.decoded));
        prop_assert!(out.len() <= LIMITS.decoded);
    }

    #[test]
    fn a_body_that_breaks_off_is_told_from_a_whole_one(body in bodies(), coding in select(&ALL[..]), cut in any::<usize>()) {
        let coded = encode(coding, &body);
        let cut = cut % coded.len();
        let (end, out, _) = decode(&[coding], &coded[..cut], &LIMITS);
        prop_assert!(end == End::Truncated || end == End::Ratio, "{:?}", end);
        prop_assert!(body.starts_with(&out));
    }
}

#[test]
fn deflate_is_zlib_or_raw() {
    let body = b"q=%3Cscript%3E".repeat(20);
    assert_eq!(decode(&[Coding::Deflate], &raw_deflate(&body), &LIMITS).1, body);
    assert_eq!(decode(&[Coding::Deflate], &encode(Coding::Deflate, &body), &LIMITS).1, body);
    assert_eq!(decode(&[Coding::Deflate], &raw_deflate(b""), &LIMITS).0, End::Complete);
}

#[test]
fn members_and_frames_are_one_body() {
    for coding in [Coding::Gzip, Coding::Zstd] {
        let coded = [encode(coding, b"q=<scr"), encode(coding, b""), encode(coding, b"ipt>")].concat();
        let (end, out, _) = decode(&[coding], &coded, &LIMITS);
        assert_eq!((end, &*out), (End::Complete, &b"q=<script>"[..]), "{coding:?}");
    }
}

#[test]
fn every_optional_part_of_a_gzip_header_is_skipped() {
    let plain = gzip(b"body");
    let mut coded = plain[..10].to_vec();
    coded[3] = 2 | 4 | 8 | 16;
    coded.extend_from_slice(b"\x03\0abcname\0comment\0\x12\x34");
    coded.extend_from_slice(&plain[10..]);
    assert_eq!(
        decode(&[Coding::Gzip], &coded, &LIMITS),
        (End::Complete, b"body".to_vec(), decode(&[Coding::Gzip], &coded, &LIMITS).2)
    );
    coded[3] |= 0x20;
    assert_eq!(decode(&[Coding::Gzip], &coded, &LIMITS).0, End::Broken);
}

/// A frame of the reference encoder, level 19: Huffman-coded literals, sequences, a checksum; before it a skippable frame.
#[test]
fn frames_of_the_reference_encoder_are_read() {
    let text: Vec<u8> = (0..400u32).flat_map(|n| format!("line {} of {}\n", n * n % 977, n).into_bytes()).collect();
    let coded = [&b"\x50\x2a\x4d\x18\x03\0\0\0abc"[..], include_bytes!("../data/lines.zst")].concat();
    let (end, out, _) = decode(&[Coding::Zstd], &coded, &LIMITS);
    assert_eq!((end, out), (End::Complete, text));
}

#[test]
fn bytes_after_the_end_are_an_error() {
    for coding in ALL {
        let coded = [encode(coding, b"q=1"), b"&id=1".to_vec()].concat();
        let (end, out, _) = decode(&[coding], &coded, &LIMITS);
        assert_eq!((end, &*out), (End::Broken, &b"q=1"[..]), "{coding:?}");
    }
}

#[test]
fn a_wrong_checksum_is_an_error() {
    for (coding, from_end) in [(Coding::Gzip, 8), (Coding::Gzip, 1), (Coding::Deflate, 1)] {
        let mut coded = encode(coding, b"q=1");
        let at = coded.len() - from_end;
        coded[at] ^= 1;
        assert_eq!(decode(&[coding], &coded, &LIMITS).0, End::Broken);
    }
}

#[test]
fn plain_text_is_no_coded_body() {
    for coding in ALL {
        let (end, ..) = decode(&[coding], b"q=<script>alert(1)</script>&lang=en", &LIMITS);
        assert!(matches!(end, End::Broken | End::Truncated), "{coding:?}: {end:?}");
    }
}

#[test]
fn bombs_end_at_the_ratio_and_cost_little() {
    let zeros = vec![0; 40 << 20];
    for coding in ALL {
        let bomb = encode(coding, &zeros);
        let (end, out, fuel) = decode(&[coding], &bomb, &LIMITS);
        assert_eq!(end, End::Ratio, "{coding:?}");
        assert!(out.len() <= LIMITS.ratio_from + bomb.len() * LIMITS.ratio + (256 << 10), "{coding:?}");
        assert!(fuel <= price_in().of(bomb.len()) + price_out().of(out.len() + (256 << 10)), "{coding:?}");
        // One over the other: the inner one may not unfold between the stages either.
        let nested = gzip(&gzip(&bomb));
        let (end, out, _) = decode(&[coding, Coding::Gzip, Coding::Gzip], &nested, &LIMITS);
        assert_eq!(end, End::Ratio, "{coding:?}");
        assert!(out.len() <= 2 * LIMITS.ratio_from, "{coding:?}");
    }
}

#[test]
fn what_expands_under_the_floor_is_no_bomb() {
    let body = vec![b'a'; LIMITS.ratio_from];
    for coding in ALL {
        assert_eq!(decode(&[coding], &encode(coding, &body), &LIMITS).0, End::Complete, "{coding:?}");
    }
}

#[test]
fn the_limit_holds_for_every_stage() {
    let limits = DecodeLimits { decoded: 1000, ..LIMITS };
    for coding in ALL {
        let (end, out, _) = decode(&[coding], &encode(coding, &[b'a'; 1001]), &limits);
        assert_eq!((end, out.len()), (End::Limit, 1000), "{coding:?}");
        assert_eq!(decode(&[coding], &encode(coding, &[b'a'; 1000]), &limits).0, End::Complete, "{coding:?}");
        // Nothing comes out of ten thousand empty members, but they are a body of their own inside the outer coding.
        let empty = gzip(&gzip(b"").repeat(10_000));
        assert_eq!(decode(&[Coding::Gzip, Coding::Gzip], &empty, &limits).0, End::Limit);
    }
}

#[test]
fn a_budget_ends_the_decoding() {
    let body = gzip(&vec![0; 1 << 20]);
    let mut decoding = Decoding::new(&[Coding::Gzip], &LIMITS);
    let mut out = Vec::new();
    assert!(decoding.step(&body, true, usize::MAX, &mut out, &mut Meter::new(1_000_000)).is_err());
    assert!(out.len() < 1 << 20);
}
