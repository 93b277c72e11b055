//! Length, MD5 (RFC 1321) and SHA-1 (RFC 3174), as the standards write them.

use super::Family;
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"\0|a|\x80|12345678|eleven bytes|1|2",
    members: &[(T::Length, |input| input.len().to_string().into_bytes()), (T::Md5, md5), (T::Sha1, sha1)],
};

/// The message with a one, zeros and its length in bits, in blocks of 64 bytes.
fn padded(input: &[u8], length: [u8; 8]) -> Vec<u8> {
    let mut message = input.to_vec();
    message.push(0x80);
    while message.len() % 64 != 56 {
        message.push(0);
    }
    message.extend(length);
    message
}

fn words(block: &[u8], word: fn([u8; 4]) -> u32) -> Vec<u32> {
    block.chunks(4).map(|bytes| word([bytes[0], bytes[1], bytes[2], bytes[3]])).collect()
}

fn md5(input: &[u8]) -> Vec<u8> {
    const TURNS: [[u32; 4]; 4] = [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded(input, (input.len() as u64 * 8).to_le_bytes()).chunks(64) {
        let message = words(block, u32::from_le_bytes);
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64 {
            let (mix, word) = match step / 16 {
                0 => ((b & c) | (!b & d), step),
                1 => ((b & d) | (c & !d), 5 * step + 1),
                2 => (b ^ c ^ d, 3 * step + 5),
                _ => (c ^ (b | !d), 7 * step),
            };
            let sine = ((step + 1) as f64).sin().abs() * 4_294_967_296.0;
            let sum = a.wrapping_add(mix).wrapping_add(message[word % 16]).wrapping_add(sine as u32);
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(TURNS[step / 16][step % 4]));
        }
        for (state, word) in state.iter_mut().zip([a, b, c, d]) {
            *state = state.wrapping_add(word);
        }
    }
    state.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn sha1(input: &[u8]) -> Vec<u8> {
    let mut state = [0x6745_2301_u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded(input, (input.len() as u64 * 8).to_be_bytes()).chunks(64) {
        let mut message = words(block, u32::from_be_bytes);
        for at in 16..80 {
            message.push((message[at - 3] ^ message[at - 8] ^ message[at - 14] ^ message[at - 16]).rotate_left(1));
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (step, word) in message.into_iter().enumerate() {
            let (mix, constant) = match step / 20 {
                0 => ((b & c) | (!b & d), 0x5a82_7999),
                1 => (b ^ c ^ d, 0x6ed9_eba1),
                2 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let sum = a.rotate_left(5).wrapping_add(mix).wrapping_add(e).wrapping_add(constant).wrapping_add(word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, sum);
        }
        for (state, word) in state.iter_mut().zip([a, b, c, d, e]) {
            *state = state.wrapping_add(word);
        }
    }
    state.into_iter().flat_map(u32::to_be_bytes).collect()
}
