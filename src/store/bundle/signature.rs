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
    /// minisign's default.
    pub(super) fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(signature).map_err(|_| "it is no text".to_owned())?;
        let signature = Signature::decode(text).map_err(|error| error.to_string())?;
        self.0.verify(bytes, &signature, false).map_err(|error| error.to_string())
    }
}
