//! Uploaded files: a place outside the engine for the parts of a multipart body that are files, so that a scanner can open them
//! by name (FILES_TMPNAMES) and evidence can stay (`SecUploadKeepFiles`).
//!
//! The engine knows two traits and nothing of folders or disks: an [`UploadSink`] opens a place for each file, an [`UploadFile`]
//! takes its bytes. A file that is not told to stay is gone when it is dropped: at the end of the transaction, and also when the
//! transaction is abandoned half-way or a panic unwinds it.
//!
//! The bytes are those that the parser has left in the request's memory: they are handed on in pieces, between which the
//! evaluation can pause, and are not copied. A file that cannot be stored is an error of the body (REQBODY_ERROR), as in
//! ModSecurity: rules that refuse broken bodies refuse it.

mod writing;

pub(super) use writing::{Uploads, Writing};

use crate::rule::UploadSettings;

/// Why a file was not stored: for the error log and REQBODY_ERROR_MSG.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotStored(pub String);

/// Where uploaded files go. Supplied by the host.
///
/// The methods are called while a request waits: they return soon.
pub trait UploadSink: Send + Sync {
    /// Whether files could be stored now: asked when rules are loaded that want it.
    ///
    /// # Errors
    /// [`NotStored`]: the rules are not put into service.
    fn check(&self, _settings: &UploadSettings) -> Result<(), NotStored> {
        Ok(())
    }

    /// Opens a place for one file. Nothing of the client's choice is told: neither its name for the file nor its type.
    ///
    /// # Errors
    /// [`NotStored`]: there is no place.
    fn create(&self, settings: &UploadSettings) -> Result<Box<dyn UploadFile>, NotStored>;
}

/// A file that is being stored, or is stored. Dropped, it is gone.
pub trait UploadFile: Send + Sync {
    /// The path by which other programs open it: a value of FILES_TMPNAMES.
    fn path(&self) -> &str;

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`NotStored`]: the file is of no use any more, and is dropped.
    fn write(&mut self, bytes: &[u8]) -> Result<(), NotStored>;

    /// All bytes are there. Only the place is needed from now on: a request that waits for its answer must not hold what others
    /// need, such as a descriptor.
    fn written(&mut self) {}

    /// Ends its life with the transaction: it stays where it is.
    fn keep(self: Box<Self>);
}
