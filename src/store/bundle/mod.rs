//! Compiled bundles: a ruleset with all its files in one, and beside it what takes long to make of it.
//!
//! A bundle is data from an attacker until its signature is checked: [`open`] looks at its length, at its first eight bytes,
//! and checks the signature over the whole before anything else of it is read. What is in it then is still checked, because
//! files get damaged; and it can still be wrong, because a valid automaton is not yet the automaton of the pattern beside
//! it: [`Unverified`](super::Unverified) compiles it again and compares.
//!
//! | file | holds |
//! |---|---|
//! | `container` | the bytes of a bundle |
//! | `carried` | the files in it, and how they are collected |
//! | `signature` | whose it is |
//!
//! A file in the cache has the same form, but no rules in it: those are read where they always were.

mod carried;
mod container;
mod signature;

pub(super) use carried::{Carried, Hashes, Recorder};
pub use container::is_bundle;
pub(super) use container::{Bundle, Identity};
pub use signature::{BundleKey, NotAKey};

use super::loading::RuleSource;
use crate::diag::Diagnostic;
use crate::files::Files;
use crate::lang::seclang::codes;
use crate::limits::Limits;
use crate::wire::Damaged;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The version of the engine, as bundles name it. Artefacts of other versions are not used: whoever changes what an artefact
/// holds, or what compiling makes of a pattern, raises the number at the end.
pub const ENGINE: &str = concat!("fusewall ", env!("CARGO_PKG_VERSION"), ", artefacts 4");

/// Bytes of a signature file.
const SIGNATURE_BYTES: usize = 4096;

/// The path of the bundle that a source names, if it names one.
///
/// # Errors
/// A bundle among other paths.
pub(super) fn find(source: &RuleSource, files: &dyn Files) -> Result<Option<PathBuf>, Box<Diagnostic>> {
    let RuleSource::Paths(paths) = source else { return Ok(None) };
    let bundle = |path: &&PathBuf| files.beginning(path, container::MAGIC.len()).is_ok_and(|start| is_bundle(&start));
    match (paths.iter().find(bundle), paths.len()) {
        (None, _) => Ok(None),
        (Some(path), 1) => Ok(Some(path.clone())),
        (Some(path), _) => {
            let message = format!("the compiled bundle `{}` stands among other rules", path.display());
            let help = "a bundle is a whole ruleset: name it alone, or compile all the rules into one";
            Err(Box::new(Diagnostic::error(codes::BUNDLE, None, message).help(help)))
        }
    }
}

/// Reads a bundle whose signature is that of `key`, and the serial that was signed with it.
///
/// # Errors
/// A finding that says what is wrong with it and what to do.
pub(super) fn open(
    path: &Path,
    files: &dyn Files,
    key: Option<&BundleKey>,
    limits: &Limits,
) -> Result<(Bundle, Option<u64>), Box<Diagnostic>> {
    let (bytes, serial) = signed(path, files, key, limits)?;
    let bundle = Bundle::read(bytes, true, limits).map_err(|problem| Box::new(damaged(path, problem)))?;
    Ok((bundle, serial))
}

fn signed(
    path: &Path,
    files: &dyn Files,
    key: Option<&BundleKey>,
    limits: &Limits,
) -> Result<(Vec<u8>, Option<u64>), Box<Diagnostic>> {
    let shown = path.display();
    let unsigned =
        |message: String, help: String| Box::new(Diagnostic::error(codes::UNSIGNED, None, message).help(help));
    let unreadable =
        |problem| Box::new(Diagnostic::error(codes::UNREADABLE, None, format!("cannot read `{shown}`: {problem}")));
    let Some(key) = key else {
        let message = format!("`{shown}` is a compiled bundle, and no key says whose bundles are trusted");
        let help = "give the public key of whoever signs it: `--bundle-key minisign.pub`, or `bundle_key` in the configuration; \
                    without a signature load the rules themselves, with a cache: `--cache DIR`";
        return Err(unsigned(message, help.to_owned()));
    };
    let len = files.length(path).map_err(unreadable)?;
    let most = limits.bundle_bytes;
    if len > most as u64 {
        let message = format!("the compiled bundle `{shown}` has {len} bytes, at most {most} are read");
        let error = Diagnostic::error(codes::FILE_TOO_LARGE, None, message).help("split it, or raise `bundle_bytes`");
        return Err(Box::new(error));
    }
    let beside = signature_path(path);
    let signature = files.beginning(&beside, SIGNATURE_BYTES).map_err(|problem| {
        let missing = match problem.kind() {
            ErrorKind::NotFound => "has no signature".to_owned(),
            _ => format!("has a signature that cannot be read: {problem}"),
        };
        let message = format!("the compiled bundle `{shown}` {missing}");
        unsigned(message, format!("sign it: `minisign -S -m {shown}` writes `{}`", beside.display()))
    })?;
    let bytes = files.beginning(path, most).map_err(unreadable)?;
    let serial = key.verify(&bytes, &signature).map_err(|problem| {
        let message = format!("the signature of the compiled bundle `{shown}` is not valid: {problem}");
        let help = "do not use it; get bundle, signature and key again from where they come from, or sign it anew";
        unsigned(message, help.to_owned())
    })?;
    Ok((bytes, serial))
}

/// Where the signature of a bundle is: beside it, as minisign writes it.
fn signature_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

pub(super) fn damaged(path: &Path, problem: Damaged) -> Diagnostic {
    let message = format!("the compiled bundle `{}` cannot be read: {problem}", path.display());
    Diagnostic::error(codes::BUNDLE, None, message)
        .help("compile the rules again: `fusewall compile --rules PATH -o FILE`")
}
