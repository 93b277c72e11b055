//! Whether an archive is the one that the project has published: by a digest that the operator has from there, or by a signature.
//!
//! A certificate alone would say that it comes from the server of somebody who may publish anything. So one of the two is needed.

use anyhow::{Context, bail, ensure};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::Path;
use std::process::Command;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// The digest is the one that was given.
    Sha256(String),
    /// `gpgv` has checked the signature; what it said.
    Signature(String),
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Proof::Sha256(digest) => write!(f, "SHA-256, as given: {digest}"),
            Proof::Signature(said) => write!(f, "signature checked by gpgv: {said}"),
        }
    }
}

/// The SHA-256 of bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares the digest.
///
/// # Errors
/// Another one, or a text that is none.
pub fn digest(bytes: &[u8], expected: &str) -> anyhow::Result<Proof> {
    let expected = expected.trim().to_ascii_lowercase();
    let is_digest = expected.len() == 64 && expected.bytes().all(|byte| byte.is_ascii_hexdigit());
    ensure!(is_digest, "--sha256 {expected}: expected 64 hexadecimal digits");
    let found = sha256(bytes);
    ensure!(
        found == expected,
        "its SHA-256 is {found}, not {expected}: this is not the archive that you have the digest of"
    );
    Ok(Proof::Sha256(found))
}

/// Has `gpgv` check a detached signature.
///
/// # Errors
/// A signature that is not by a key of the keyring; no `gpgv`.
pub fn signature(bytes: &[u8], signature: &[u8], keyring: &Path) -> anyhow::Result<Proof> {
    // `gpgv` looks for other names than paths in a folder of its own.
    let keyring = std::path::absolute(keyring)?;
    ensure!(keyring.exists(), "{} cannot be read", keyring.display());
    let folder = Scratch::new()?;
    let (archive, detached) = (folder.0.join("archive.tar.gz"), folder.0.join("archive.tar.gz.asc"));
    std::fs::write(&archive, bytes).with_context(|| archive.display().to_string())?;
    std::fs::write(&detached, signature).with_context(|| detached.display().to_string())?;
    let mut gpgv = Command::new("gpgv");
    gpgv.env("LC_ALL", "C").arg("--keyring").arg(&keyring).arg("--").arg(&detached).arg(&archive);
    let output = gpgv.output().context("gpgv cannot be started: install it, or use --sha256")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = said.lines().map(|line| line.trim_start_matches("gpgv: ").trim()).collect();
    if !output.status.success() {
        bail!("the signature is not good: {}", lines.join("; "));
    }
    Ok(Proof::Signature(lines.iter().find(|line| line.starts_with("Good")).unwrap_or(&"good").to_string()))
}

/// A folder for two files, of this process alone.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Scratch> {
        let mut name = [0; 16];
        std::fs::File::open("/dev/urandom").and_then(|mut file| std::io::Read::read_exact(&mut file, &mut name))?;
        let path = std::env::temp_dir().join(format!("fusewall-{}", &sha256(&name)[..16]));
        std::fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_digest_is_refused() {
        // FIPS 180-2, appendix B.1.
        let abc = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
        assert!(digest(b"abc", abc).is_ok());
        assert!(digest(b"abd", abc).is_err_and(|error| error.to_string().contains("its SHA-256 is")));
        assert!(digest(b"abc", "ba78").is_err_and(|error| error.to_string().contains("64 hexadecimal digits")));
    }
}
