//! Rule languages. Each lowers to [`crate::rule`].

pub mod pcre;
pub mod seclang;
