//! Whose bundle it is: signatures of minisign.

use minisign_verify::{PublicKey, Signature};

/// The public key of whoever signs bundles: a key of [minisign](https://jedisct1.github.io/minisign/).
///
/// ```
/// use fusewall::store::BundleKey;
/// assert!(BundleKey::parse("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3").is_ok());
/// assert!(BundleKey::parse("no key").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleKey(PublicKey);

/// This is no public key of minisign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no public key of minisign: a line of 56 characters that begins with RW, perhaps below a comment")]
pub struct NotAKey;

impl BundleKey {
    /// Reads a key: the file that `minisign -G` writes, or its last line alone.
    ///
    /// # Errors
    /// A text that is neither.
    pub fn parse(text: &str) -> Result<BundleKey, NotAKey> {
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).ok_or(NotAKey)?;
        PublicKey::from_base64(line).map(BundleKey).map_err(|_| NotAKey)
    }

    /// Whether `signature` (the text of a `.minisig` file) is one of `bytes` by this key. Only the form that signs a hash is taken:
    /// minisign's default. Answers the serial in the trusted comment, which is signed as well: `minisign -S -t "serial:7"`.
    pub(super) fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<Option<u64>, String> {
        let text = std::str::from_utf8(signature).map_err(|_| "it is no text".to_owned())?;
        let signature = Signature::decode(text).map_err(|error| error.to_string())?;
        self.0.verify(bytes, &signature, false).map_err(|error| error.to_string())?;
        serial(signature.trusted_comment())
    }
}

/// The number behind `serial:` in a comment.
fn serial(comment: &str) -> Result<Option<u64>, String> {
    let mut given = comment.split_ascii_whitespace().filter_map(|word| word.strip_prefix("serial:"));
    match (given.next().map(str::parse), given.next()) {
        (None, _) => Ok(None),
        (Some(Ok(number)), None) => Ok(Some(number)),
        _ => Err(format!("its comment `{comment}` does not have one serial that is a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::serial;

    #[test]
    fn a_comment_has_one_serial_or_none() {
        assert_eq!(serial("timestamp:1633700835\tfile:crs.fwb\thashed"), Ok(None));
        assert_eq!(serial("weekly serial:42"), Ok(Some(42)));
        for wrong in ["serial:", "serial:-1", "serial:1x", "serial:1 serial:2"] {
            assert!(serial(wrong).is_err(), "{wrong}");
        }
    }
}
