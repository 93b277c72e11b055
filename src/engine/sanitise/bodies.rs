//! Covering bodies: by spans where every covered value is found in them, else whole.

use super::Place;
use super::mask::{Mask, cover, stars};
use super::pairs;
use crate::rule::BodyProcessor;

impl Mask {
    /// A request body. `cut`: it is the beginning of a longer one. `read`: who has read it to its end without an error.
    pub(in crate::engine) fn request_body(&self, body: &[u8], cut: bool, read: Option<BodyProcessor>) -> Vec<u8> {
        if self.request_body || !self.is_found(body, read) {
            return stars(body.len());
        }
        let mut ranges = self.search.as_ref().map(|search| search.find(body, cut)).unwrap_or_default();
        if read == Some(BodyProcessor::UrlEncoded) && self.has(Place::Arg) {
            ranges.extend(pairs::values(body, self.separator, &|name| self.names(Place::Arg, name)));
        }
        cover(body, &ranges)
    }

    /// A response body.
    pub(in crate::engine) fn response_body(&self, body: &[u8], cut: bool) -> Vec<u8> {
        if self.response_body {
            return stars(body.len());
        }
        let ranges = self.search.as_ref().map(|search| search.find(body, cut)).unwrap_or_default();
        cover(body, &ranges)
    }

    /// Whether every marked argument that is in the body can be covered by its place or found by its bytes.
    fn is_found(&self, body: &[u8], read: Option<BodyProcessor>) -> bool {
        if !self.has(Place::Arg) {
            return true;
        }
        match read {
            Some(BodyProcessor::UrlEncoded) => true,
            Some(BodyProcessor::Multipart | BodyProcessor::Json) if !self.short => match &self.search {
                Some(search) => search.all_in(&self.in_body, body),
                None => self.in_body.is_empty(),
            },
            // Nobody knows what is in it.
            _ => false,
        }
    }
}
