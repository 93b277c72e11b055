//! `cmdLine`, one sentence of its description after the other.

use super::Family;
use fusewall::transform::Transformation as T;

pub const FAMILY: Family = Family {
    tokens: b"\\|\"|'|^|,|;| |\t|\r|\n|\x0b|\x0c|\0|/|(| /|; (| \"/|A|\xc4|cmd|plain words|\xa0",
    members: &[(T::CmdLine, cmd_line)],
};

fn cmd_line(input: &[u8]) -> Vec<u8> {
    let mut text = input.to_ascii_lowercase();
    text.retain(|byte| !b"\\\"'^".contains(byte));
    for byte in &mut text {
        if b",;\t\r\n".contains(byte) {
            *byte = b' ';
        }
    }
    text.dedup_by(|later, earlier| *later == b' ' && *earlier == b' ');
    let stays = |at: usize| text[at] != b' ' || !matches!(text.get(at + 1), Some(b'/' | b'('));
    (0..text.len()).filter(|&at| stays(at)).map(|at| text[at]).collect()
}
