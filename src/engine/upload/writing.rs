//! The files of one request, on their way to the sink.

use super::{NotStored, UploadFile, UploadSink};
use crate::http::{Field, Fields, Kind, Report};
use crate::meter::{Exhausted, Meter, Price};
use crate::rule::UploadSettings;
use std::sync::Arc;

/// A file: opening and removing it are work of the system, about 50 microseconds together; then writing its bytes.
const PRICE: Price = Price::new(32_000, 1024);

/// What a request has stored.
#[derive(Default)]
pub(in crate::engine) struct Uploads {
    pub(in crate::engine) sink: Option<Arc<dyn UploadSink>>,
    stored: Vec<Box<dyn UploadFile>>,
    /// Why a file was not stored.
    pub(in crate::engine) failed: Option<NotStored>,
}

impl Uploads {
    /// Forgets the request before: what it has stored is gone.
    pub(in crate::engine) fn clear(&mut self) {
        self.stored.clear();
        self.sink = None;
        self.failed = None;
    }

    /// Lets everything stay.
    pub(in crate::engine) fn keep(&mut self) {
        self.stored.drain(..).for_each(UploadFile::keep);
    }
}

/// How far the writing has come.
pub(in crate::engine) struct Writing {
    settings: UploadSettings,
    /// Where to look for the next file among the fields.
    next: usize,
    /// The file that is being written: its field, its place, and how much is written.
    open: Option<(Field, Box<dyn UploadFile>, usize)>,
    files: usize,
    /// Bytes that may still be stored.
    room: u64,
}

impl Writing {
    /// At most `room` bytes of all files together.
    pub(in crate::engine) fn new(settings: &UploadSettings, room: u64) -> Self {
        Writing { settings: settings.clone(), next: 0, open: None, files: 0, room }
    }

    /// Writes on, about `quantum` bytes; answers whether everything is written. The first file that cannot be stored ends the
    /// writing, and is an error of the body.
    pub(in crate::engine) fn step(
        &mut self,
        quantum: usize,
        uploads: &mut Uploads,
        fields: &mut Fields,
        report: &mut Report,
        meter: &mut Meter,
    ) -> Result<bool, Exhausted> {
        match self.advance(quantum, uploads, fields, meter)? {
            Ok(done) => Ok(done),
            Err(error) => {
                report.fail_upload(&error);
                uploads.failed = Some(error);
                Ok(true)
            }
        }
    }

    fn advance(
        &mut self,
        quantum: usize,
        uploads: &mut Uploads,
        fields: &mut Fields,
        meter: &mut Meter,
    ) -> Result<Result<bool, NotStored>, Exhausted> {
        let Some((field, mut file, written)) = self.open.take() else { return self.open_next(uploads, fields, meter) };
        let content = fields.bytes(field.value);
        let rest = content.get(written..).unwrap_or_default();
        let piece = rest.get(..rest.len().min(quantum.max(1))).unwrap_or_default();
        meter.charge(Price::new(0, PRICE.per_kib).of(piece.len()))?;
        if let Err(error) = file.write(piece) {
            return Ok(Err(error));
        }
        if piece.len() < rest.len() {
            self.open = Some((field, file, written + piece.len()));
            return Ok(Ok(false));
        }
        file.written();
        let path = fields.store(file.path().as_bytes())?;
        fields.push_stored(Kind::FileTmpName, field.name, path);
        uploads.stored.push(file);
        Ok(Ok(false))
    }

    /// Opens the next file that has content.
    fn open_next(
        &mut self,
        uploads: &Uploads,
        fields: &Fields,
        meter: &mut Meter,
    ) -> Result<Result<bool, NotStored>, Exhausted> {
        let Some(sink) = &uploads.sink else { return Ok(Ok(true)) };
        let rest = fields.items().get(self.next..).unwrap_or_default();
        let is_file = |field: &Field| field.kind == Kind::FileContent && !field.value.is_empty();
        let found = rest.iter().position(is_file);
        meter.charge(found.unwrap_or(rest.len()) as u64)?;
        let Some((at, field)) = found.and_then(|at| Some((at, *rest.get(at)?))) else { return Ok(Ok(true)) };
        self.next += at + 1;
        if self.files >= self.settings.files {
            // MULTIPART_FILE_LIMIT_EXCEEDED tells.
            return Ok(Ok(true));
        }
        let size = field.value.len() as u64;
        let Some(room) = self.room.checked_sub(size) else {
            return Ok(Err(NotStored(format!("{size} bytes more are over the limit of stored bytes"))));
        };
        self.room = room;
        self.files += 1;
        meter.charge(PRICE.per_call)?;
        Ok(sink.create(&self.settings).map(|file| {
            self.open = Some((field, file, 0));
            false
        }))
    }
}
