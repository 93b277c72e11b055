//! What each transformation makes of a value, byte by byte: the choices that its documentation states.

use fusewall::transform::{Changed, Context, Transformation, UnicodeMap};

/// Name, input, output; an output that equals the input must be reported as unchanged.
const CASES: &[(&str, &[u8], &[u8])] = &[
    ("base64Decode", b"Zm9v", b"foo"),
    ("base64Decode", b"Zm9vYg", b"foob"),
    ("base64Decode", b"Zm9v YmFy", b"foo"),
    ("base64Decode", b"Z", b""),
    ("base64DecodeExt", b"Zm9v YmFy", b"foobar"),
    ("base64DecodeExt", b"Zg==Zg==", b"f\x06`"),
    ("base64DecodeExt", b"Z\0m\xff9.v", b"foo"),
    ("base64DecodeText", b"PHNjcmlwdD4=", b"<script>"),
    ("base64DecodeText", b" PHNjcmlwdD4\r\n", b"<script>"),
    ("base64DecodeText", b"w6nDqT8_Pz4-", b"\xc3\xa9\xc3\xa9???>>"),
    ("base64DecodeText", b"w6nDqT8/Pz4-", b"w6nDqT8/Pz4-"),
    ("base64DecodeText", b"PHNjcmlwdD4==", b"PHNjcmlwdD4=="),
    ("base64DecodeText", b"PHNj cmlwdD4=", b"PHNj cmlwdD4="),
    ("base64DecodeText", b"PHNjcmlwd", b"PHNjcmlwd"),
    ("base64DecodeText", b"PHNjcm", b"PHNjcm"),
    ("base64DecodeText", b"password", b"password"),
    ("base64DecodeText", b"AAAAAAAAAAAA", b"AAAAAAAAAAAA"),
    ("base64Encode", b"fo", b"Zm8="),
    ("cmdLine", b"C^MD  /c \"DIR\"", b"cmd/c dir"),
    ("cmdLine", b"a;,\t\r\nb (c) /d ", b"a b(c)/d "),
    ("cmdLine", b"plain words here", b"plain words here"),
    ("cmdLine", b" \"/", b"/"),
    ("compressWhitespace", b"a \t\x0b\xa0b", b"a b"),
    ("compressWhitespace", b"a\tb", b"a b"),
    ("compressWhitespace", b"a b", b"a b"),
    ("cssDecode", b"ja\\vascript", b"javascript"),
    ("cssDecode", b"\\6a\\000061 v", b"jav"),
    ("cssDecode", b"\\ff21\\0ff21\\1ff21", b"AA!"),
    ("cssDecode", b"a\\\nb\\", b"ab"),
    ("escapeSeqDecode", b"\\x41\\X42\\103\\n\\q\\\\", b"ABC\nq\\"),
    ("escapeSeqDecode", b"\\777\\8\\", b"\xff8\\"),
    ("hexDecode", b"414", b"A"),
    ("hexEncode", b"\x00\xAB", b"00ab"),
    ("htmlEntityDecode", b"&#60;&#x3C&#X3c;&LT;&nbsp", b"<<<<\xa0"),
    ("htmlEntityDecode", b"&#0000000000000000000000000000000060x", b"<x"),
    ("htmlEntityDecode", b"&#99999999999999999999999;", b"\xff"),
    ("htmlEntityDecode", b"&&#&#x&#xg;&ltx;&colon;& ", b"&&#&#x&#xg;&ltx;&colon;& "),
    ("jsDecode", b"\\u0061\\x62\\143\\q", b"abcq"),
    ("jsDecode", b"\\uff1c\\uFF1E\\u0100", b"<>\0"),
    ("jsDecode", b"\\400\\377\\", b" 0\xff\\"),
    ("length", b"", b"0"),
    ("length", b"1", b"1"),
    ("length", b"\0\0\0", b"3"),
    ("lowercase", b"A\xc4z", b"a\xc4z"),
    ("uppercase", b"a\xe4Z", b"A\xe4Z"),
    ("normalizePath", b"/a/./b//../c/", b"/a/c/"),
    ("normalizePath", b"/../../etc", b"/etc"),
    ("normalizePath", b"../a/../..", b"../.."),
    ("normalizePath", b"a/..", b""),
    ("normalizePath", b"/a/..", b"/"),
    ("normalizePath", b"/..", b"/"),
    ("normalizePath", b"a../b/...", b"a../b/..."),
    ("normalizePath", b"//", b"/"),
    ("normalizePathWin", b"C:\\a\\..\\b", b"C:/b"),
    ("normalizePathWin", b"/a/b", b"/a/b"),
    ("parityEven7bit", b"\x01\x81\x03\x83", b"\x81\x81\x03\x03"),
    ("parityOdd7bit", b"\x01\x81\x03\x83", b"\x01\x01\x83\x83"),
    ("parityZero7bit", b"\x81a", b"\x01a"),
    ("phpArgsNames", b" a.b c[d.e][ ]f", b"a_b_c[d.e][]"),
    ("phpArgsNames", b"a.b[c.d", b"a_b_c.d"),
    ("phpArgsNames", b"[a]", b""),
    ("phpArgsNames", b"a[b][c", b"a[b]"),
    ("phpArgsNames", b"a[b]", b"a[b]"),
    ("removeComments", b"a/*x*/b<!--y-->c", b"abc"),
    ("removeComments", b"a/*x*//*y*/b", b"ab"),
    ("removeComments", b"a/*x", b"a "),
    ("removeComments", b"a/*x*/", b"a\0"),
    ("removeComments", b"a--b", b"a"),
    ("removeComments", b"a#b", b"a"),
    ("removeComments", b"a/b*/-<!-", b"a/b*/-<!-"),
    ("removeCommentsChar", b"a/*b*/c--d#e<!--f-->g", b"abcdefg"),
    ("removeCommentsChar", b"a-/<!-*b", b"a-/<!-*b"),
    ("removeNulls", b"\0a\0\0b", b"ab"),
    ("replaceNulls", b"\0a\0\0b", b" a  b"),
    ("removeWhitespace", b" a\xa0\t\x0bb\n", b"ab"),
    ("replaceComments", b"a/*b*/c/*d", b"a c "),
    ("replaceComments", b"/*/a*/b", b" b"),
    ("replaceComments", b"a*/b/", b"a*/b/"),
    ("sqlHexDecode", b"x=0x616263 0X64", b"x=abc d"),
    ("sqlHexDecode", b"0x616", b"a6"),
    ("sqlHexDecode", b"0x0x61 00x62", b"0xa 0b"),
    ("sqlHexDecode", b"0x 0xg1 0x1", b"0x 0xg1 0x1"),
    ("trim", b" \x0ba b\r\n", b"a b"),
    ("trim", b" \t", b""),
    ("trimLeft", b" a ", b"a "),
    ("trimRight", b" a ", b" a"),
    ("trim", b"\xa0a", b"\xa0a"),
    ("urlDecode", b"a%20b+c%2", b"a b c%2"),
    ("urlDecode", b"%u0041%zz%%41", b"%u0041%zz%A"),
    ("urlDecodeUni", b"%u0041%U0042%uff03+%43", b"AB# C"),
    ("urlDecodeUni", b"%u00zz%u41%", b"%u00zz%u41%"),
    ("urlEncode", b"a b*c-_.\xff", b"a+b*c%2d%5f%2e%ff"),
    ("utf8toUnicode", "aé€😀".as_bytes(), b"a%u00e9%u20ac%u1f600"),
    ("utf8toUnicode", b"\xc0\xaf\xed\xa0\x80\xf4\x8f\xbf\xbf", b"%u002f\xc0%ud800\xed%u10ffff"),
    ("utf8toUnicode", b"\xf0\x80\x80\xaf\xf0\x8d\xa0\x80\xe0\x80\xaf", b"%u002f\xf0%ud800\xf0\xf0%u002f\xe0"),
    ("utf8toUnicode", b"\x80\xc3\xe2\x82\xff\xfa", b"\x80\x82\xff\xfa"),
    ("utf8toUnicode", b"\xc0.\xc0./\0a\0", b"../a"),
    ("utf8toUnicode", b"\xf4\x90\x80\x80\xf5\x80\x80\x80\xf7", b"%u110000\xf5%u140000\xf7"),
];

#[test]
fn values_become_what_the_documentation_says() {
    for &(name, input, expected) in CASES {
        let mut out = Vec::new();
        let changed = Transformation::from_name(name).unwrap().apply(input, &mut out, &Context::default());
        let got = if changed == Changed::Yes { &out[..] } else { input };
        assert_eq!(
            got.escape_ascii().to_string(),
            expected.escape_ascii().to_string(),
            "{name} of {}",
            input.escape_ascii()
        );
        assert_eq!(changed == Changed::Yes, input != expected, "{name} of {}", input.escape_ascii());
    }
}

#[test]
fn every_transformation_but_the_digests_has_a_case() {
    for transformation in Transformation::ALL {
        let digest = matches!(transformation, Transformation::Md5 | Transformation::Sha1);
        assert!(digest || CASES.iter().any(|(name, ..)| *name == transformation.name()), "{}", transformation.name());
    }
}

#[test]
fn digests_are_raw_bytes() {
    let hex = |name: &str, input: &[u8]| {
        let (mut digest, mut text) = (Vec::new(), Vec::new());
        Transformation::from_name(name).unwrap().apply(input, &mut digest, &Context::default());
        Transformation::HexEncode.apply(&digest, &mut text, &Context::default());
        String::from_utf8(text).unwrap()
    };
    // RFC 1321, appendix A.5, and FIPS 180-4's "abc".
    assert_eq!(hex("md5", b"abc"), "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(hex("md5", b""), "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(hex("sha1", b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

#[test]
fn the_unicode_map_decides_before_anything_else() {
    let map = UnicodeMap { map: [(0x2032, b'\''), (0xff1c, b'(')].into() };
    let context = Context { unicode_map: Some(&map) };
    let mut out = Vec::new();
    Transformation::UrlDecodeUni.apply(b"%u2032%uff1c%uff1e%u0041%41", &mut out, &context);
    assert_eq!(out, b"'(>AA");
    Transformation::UrlDecodeUni.apply(b"%u2032", &mut out, &Context::default());
    assert_eq!(out, b"2");
}
