//! Values of tokens: what means something to what is tried, mixed with any bytes.

/// A value made of `data`: 00 to 7F stand for themselves, 80 to FD for one of the tokens, which stand between bars; FE and a byte repeat the piece before so many times
/// (values are looked at in blocks, and only long ones have several), FF takes the byte behind it as it is.
pub fn spelled_in(tokens: &[u8], data: &[u8]) -> Vec<u8> {
    let tokens: Vec<_> = tokens.split(|&byte| byte == b'|').collect();
    let (mut value, mut piece) = (Vec::new(), Vec::new());
    let mut data = data.iter().copied();
    while let Some(byte) = data.next() {
        let mut times = 1;
        match byte {
            0xfe => times = data.next().unwrap_or(0) % 70,
            0xff => piece = Vec::from_iter(data.next()),
            0x80.. => piece = tokens[usize::from(byte - 0x80) % tokens.len()].to_vec(),
            _ => piece = vec![byte],
        }
        value.extend(piece.repeat(times.into()));
    }
    value
}
