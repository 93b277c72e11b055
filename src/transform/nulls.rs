//! NUL bytes: deleted (`removeNulls`) or turned into spaces (`replaceNulls`).

use super::Changed;
use super::rewrite::{Step, find, rewrite};

pub(super) fn remove(input: &[u8], out: &mut Vec<u8>) -> Changed {
    rewrite(input, out, find(0), |rest| Step::drop(rest.iter().take_while(|&&byte| byte == 0).count()))
}

pub(super) fn replace(input: &[u8], out: &mut Vec<u8>) -> Changed {
    rewrite(input, out, find(0), |_| Step::put(1, b' '))
}
