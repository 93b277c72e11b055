//! `utf8toUnicode`, from the shape of a sequence alone.

use super::{Family, replaced};
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"\0|a|\x7f|\x80|\xbf|\xc0|\xc0\xaf|\xc1|\xc2\x80|\xdf|\xe0|\xe0\x80\xaf|\
        \xe0\xa0\x80|\xed\x9f\xbf|\xed\xa0\x80|\xed\xbf\xbf|\xef\xbf\xbf|\xf0|\xf0\x80\x80\xaf|\
        \xf0\x8d\xa0\x80|\xf0\x9f\x98\x80|\xf4\x8f\xbf\xbf|\xf4\x90\x80\x80|\xf5|\xf7\xbf\xbf\xbf|\xf8|\xff|\xe2\x82|\
        plain text",
    members: &[(T::Utf8ToUnicode, name)],
};

fn name(input: &[u8]) -> Vec<u8> {
    replaced(input, |text| {
        let first = text[0];
        let (width, bits) = match first {
            0 => return Some((vec![], 1)),
            0xc0..=0xdf => (2, first % 32),
            0xe0..=0xef => (3, first % 16),
            0xf0..=0xf7 => (4, first % 8),
            _ => return None,
        };
        let mut out = Vec::new();
        if first >= 0xf5 {
            out.push(first);
        }
        let Some(rest) = text.get(1..width).filter(|rest| rest.iter().all(|byte| (0x80..0xc0).contains(byte))) else {
            return Some((out, 1));
        };
        let code_point = rest.iter().fold(u32::from(bits), |sum, byte| sum * 64 + u32::from(byte % 64));
        out.extend(format!("%u{code_point:04x}").bytes());
        let surrogate = (0xd800..=0xdfff).contains(&code_point);
        let overlong = code_point < [0x80, 0x800, 0x1_0000][width - 2];
        out.extend([surrogate, overlong].into_iter().filter(|&odd| odd).map(|_| first));
        Some((out, width))
    })
}
