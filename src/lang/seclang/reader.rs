//! What reading a part of a rule needs: files, limits, and where findings go.

use super::codes;
use super::names::rights::{Rights, Withheld};
use super::names::variables::Remark;
use super::nearest::nearest;
use super::text::Text;
use crate::diag::{Diagnostic, Diagnostics, SourceMap, Span};
use crate::files::{Files, Outside};
use crate::limits::Limits;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Shared by all readers of one load.
pub(super) struct Reader<'a> {
    pub files: &'a dyn Files,
    pub limits: &'a Limits,
    /// Patterns that need not be read again.
    pub known: super::Known<'a>,
    pub sources: &'a mut SourceMap,
    pub out: &'a mut Diagnostics,
    /// Folder of the file being read.
    pub folder: PathBuf,
    /// Files opened so far.
    pub opened: usize,
    /// The lines of each `SecDataset` so far, by name.
    pub datasets: BTreeMap<Box<str>, Vec<Box<[u8]>>>,
    /// Block lists that rules ask.
    pub block_lists: BTreeSet<Box<str>>,
    /// The first rule that asks the list that wants a key.
    pub asks_http_bl: Option<Span>,
    /// The first rule that looks up places.
    pub looks_up_places: Option<Span>,
    /// The first rule that names stored uploads (FILES_TMPNAMES).
    pub names_stored_uploads: Option<Span>,
    /// The text being read was fetched (`SecRemoteRules`): it names no place on this machine.
    pub fetched: bool,
    /// What the rules being read may do.
    pub rights: Rights,
}

impl Reader<'_> {
    /// The candidate that was probably meant. Once findings are only counted, nobody reads help any more.
    pub fn nearest<'n>(&self, word: &[u8], candidates: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
        if self.out.dropped() > 0 { None } else { nearest(word, candidates) }
    }

    /// Pushes an error.
    pub fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let help = help.into();
        let found = Diagnostic::error(code, span, message);
        self.out.push(if help.is_empty() { found } else { found.help(help) });
    }

    /// Whether the rules being read may use something that tenants may not; pushes an error if not.
    pub fn may(&mut self, withheld: Option<Withheld>, code: &'static str, span: Span, what: &str) -> bool {
        let Some(Withheld { why, instead }) = withheld.filter(|_| self.rights == Rights::Tenant) else { return true };
        self.error(code, span, format!("{what} is not for the rules of a tenant: {why}"), instead);
        false
    }

    /// Pushes an error about a file that cannot be read: `place` says where it was looked for.
    pub fn unreadable(&mut self, shown: &str, place: &str, problem: &io::Error, span: Option<Span>, help: &str) {
        let found = match Outside::of(problem) {
            Some(outside) => Diagnostic::error(codes::OUTSIDE, span, format!("`{shown}` is not read: {outside}"))
                .help("name a file in that folder, without `..` and without links that lead out of it"),
            None => {
                let found =
                    Diagnostic::error(codes::UNREADABLE, span, format!("cannot read `{shown}`{place}: {problem}"));
                if help.is_empty() { found } else { found.help(help) }
            }
        };
        self.out.push(found);
    }

    /// Pushes a warning.
    pub fn warn(&mut self, code: &'static str, span: Span, message: impl Into<String>, help: impl Into<String>) {
        let help = help.into();
        let found = Diagnostic::warning(code, span, message);
        self.out.push(if help.is_empty() { found } else { found.help(help) });
    }

    /// Says what should be known about a variable that a rule names.
    pub fn remark(&mut self, name: &str, remark: Remark, span: Span) {
        match remark {
            Remark::None => {}
            Remark::StoredUploads => {
                self.names_stored_uploads.get_or_insert(span);
            }
            Remark::Constant(why) => {
                let message = format!("variable `{name}` is constant: {why}");
                self.out.push(Diagnostic::note(codes::IGNORED, span, message));
            }
            Remark::Absent(why) => {
                let message = format!("variable `{name}` is always absent: {why}");
                self.warn(codes::NO_EFFECT, span, message, "remove the target");
            }
        }
    }

    /// Reads a file named at `name`: relative to the folder of the naming file, then as given.
    pub fn open_named(&mut self, name: &Text) -> Option<(PathBuf, Vec<u8>)> {
        self.open_within(name, self.limits.rule_file_bytes, "rule_file_bytes")
    }

    /// The same with a limit of its own, and the limit's name.
    pub fn open_within(&mut self, name: &Text, most: usize, limit: &str) -> Option<(PathBuf, Vec<u8>)> {
        let shown = name.show().into_owned();
        if shown.contains("://") {
            self.error(
                codes::REMOTE_FILE,
                name.span(),
                format!("`{shown}` is a URL: nothing is fetched while loading"),
                "fetch the file beforehand and name the local copy",
            );
            return None;
        }
        if self.fetched {
            let message =
                format!("fetched rules name the file `{shown}`: they do not choose files, folders or servers");
            self.error(
                codes::REMOTE_FILE,
                name.span(),
                message,
                "write the list into the rule, with `@pm` or `@ipMatch`",
            );
            return None;
        }
        let beside = self.folder.join(&shown);
        let read = match self.files.read(&beside) {
            Err(problem) if problem.kind() == ErrorKind::NotFound && !self.folder.as_os_str().is_empty() => {
                let given = PathBuf::from(&shown);
                self.files.read(&given).map(|bytes| (given, bytes)).map_err(|_| problem)
            }
            read => read.map(|bytes| (beside, bytes)),
        };
        match read {
            Ok((path, bytes)) => {
                self.admit_within(&path, bytes.len(), Some(name.span()), most, limit).then_some((path, bytes))
            }
            Err(problem) => {
                let folder = self.folder.display().to_string();
                let place = if folder.is_empty() { String::new() } else { format!(" in `{folder}`") };
                let help = "relative paths start at the folder of the file that names them";
                self.unreadable(&shown, &place, &problem, Some(name.span()), help);
                None
            }
        }
    }

    /// Counts a file and checks its size.
    pub fn admit(&mut self, path: &Path, bytes: usize, span: Option<Span>) -> bool {
        self.admit_within(path, bytes, span, self.limits.rule_file_bytes, "rule_file_bytes")
    }

    fn admit_within(&mut self, path: &Path, bytes: usize, span: Option<Span>, most: usize, limit: &str) -> bool {
        self.opened += 1;
        if self.opened > self.limits.rule_files {
            let message = format!("more than {} files", self.limits.rule_files);
            // Once is enough: every further file would say the same.
            if self.opened == self.limits.rule_files + 1 {
                self.out.push(Diagnostic::error(codes::TOO_MANY_FILES, span, message).help("raise `rule_files`"));
            }
            return false;
        }
        if bytes > most {
            let message = format!("`{}` has {bytes} bytes, at most {most} are read", path.display());
            let found = Diagnostic::error(codes::FILE_TOO_LARGE, span, message);
            self.out.push(found.help(format!("split it, or raise `{limit}`")));
            return false;
        }
        true
    }
}
