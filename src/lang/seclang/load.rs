//! Follows files and includes, and hands each directive to its reader.

use super::lexer::{Directive, Word, directives};
use super::names::directives::{Kind, TABLE};
use super::names::rights::Rights;
use super::names::{Support, find, offered};
use super::reader::Reader;
use super::rules::Drafts;
use super::settings::{self, Pending};
use super::{Known, Part, codes, data, finish, update};
use crate::diag::{Diagnostic, Diagnostics, SourceMap, Span};
use crate::files::Files;
use crate::limits::Limits;
use crate::rule::{Ruleset, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The state of one load.
pub(super) struct Loader<'a> {
    reader: Reader<'a>,
    settings: Settings,
    pending: Pending,
    drafts: Drafts,
    /// The files being read, outermost first.
    stack: Vec<PathBuf>,
}

impl<'a> Loader<'a> {
    pub fn new(
        files: &'a dyn Files,
        limits: &'a Limits,
        known: Known<'a>,
        sources: &'a mut SourceMap,
        out: &'a mut Diagnostics,
    ) -> Self {
        let reader = Reader {
            files,
            limits,
            known,
            sources,
            out,
            folder: PathBuf::new(),
            opened: 0,
            datasets: BTreeMap::new(),
            block_lists: BTreeSet::new(),
            asks_http_bl: None,
            looks_up_places: None,
            names_stored_uploads: None,
            fetched: false,
            rights: Rights::All,
        };
        let settings = Settings {
            request_body_limit: limits.request_body,
            request_body_no_files_limit: limits.request_body_no_files,
            response_body_limit: limits.response_body,
            arguments_limit: limits.arguments,
            json_depth_limit: limits.json_depth,
            ..Settings::default()
        };
        Loader { reader, settings, pending: Pending::default(), drafts: Drafts::default(), stack: Vec::new() }
    }

    /// Goes on to rules that are reached otherwise and may do other things. A chain does not go on from one part into the next.
    pub fn part(&mut self, part: &Part<'a>) {
        self.drafts.end_of_rules(&mut self.reader);
        (self.reader.files, self.reader.rights, self.drafts.depth) = (part.files, part.rights, part.depth);
    }

    /// Everything read: resolves, checks, and hands the ruleset over.
    pub fn finish(mut self) -> Ruleset {
        self.drafts.end_of_rules(&mut self.reader);
        self.pending.finish(&mut self.settings, &mut self.reader);
        self.drafts.innermost_first();
        finish::ruleset(self.settings, self.drafts, &mut self.reader)
    }

    /// A path that the caller named: a file or a folder.
    pub fn top(&mut self, path: &Path) {
        match self.reader.files.read(path) {
            Ok(bytes) => {
                if self.reader.admit(path, bytes.len(), None) {
                    self.file(path, &bytes, None);
                }
            }
            Err(problem) => {
                if !self.folder(path, None) {
                    self.unreadable(&path.display().to_string(), &problem, None);
                }
            }
        }
    }

    /// All `*.conf` of a folder; false if there is none.
    fn folder(&mut self, path: &Path, span: Option<Span>) -> bool {
        let found = self.reader.files.glob(&path.join("*.conf")).unwrap_or_default();
        for file in &found {
            self.read(file, span);
        }
        !found.is_empty()
    }

    fn read(&mut self, path: &Path, span: Option<Span>) {
        match self.reader.files.read(path) {
            Ok(bytes) => {
                if self.reader.admit(path, bytes.len(), span) {
                    self.file(path, &bytes, span);
                }
            }
            Err(problem) => self.unreadable(&path.display().to_string(), &problem, span),
        }
    }

    fn unreadable(&mut self, path: &str, problem: &Error, span: Option<Span>) {
        self.reader.unreadable(path, "", problem, span, "");
    }

    /// Reads a rule text.
    pub fn text(&mut self, name: &str, bytes: &[u8]) {
        if self.reader.admit(Path::new(name), bytes.len(), None) {
            self.file(Path::new(name), bytes, None);
        }
    }

    fn file(&mut self, path: &Path, bytes: &[u8], span: Option<Span>) {
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        self.read_text(path, folder, bytes, span);
    }

    /// Reads a text whose relative paths start at `folder`.
    fn read_text(&mut self, path: &Path, folder: PathBuf, bytes: &[u8], span: Option<Span>) {
        let canonical = self.reader.files.canonical(path);
        if let Some(at) = self.stack.iter().position(|open| *open == canonical) {
            let through: Vec<_> = self.stack[at..].iter().map(|open| open.display().to_string()).collect();
            let message = format!("`{}` includes itself", path.display());
            let help = format!("it is reached through {}", through.join(", "));
            self.reader.out.push(Diagnostic::error(codes::CYCLE, span, message).help(help));
            return;
        }
        if self.stack.len() >= self.reader.limits.include_depth {
            let message = format!("files include each other more than {} deep", self.reader.limits.include_depth);
            let help = "include the files from one place, or raise `include_depth`";
            self.reader.out.push(Diagnostic::error(codes::TOO_DEEP, span, message).help(help));
            return;
        }
        let name: Arc<str> = path.display().to_string().into();
        let source = self.reader.sources.add(name.clone(), bytes);
        let outer = std::mem::replace(&mut self.reader.folder, folder);
        self.stack.push(canonical);
        let mut modules = 0;
        for directive in directives(source, bytes, self.reader.out) {
            self.directive(&directive, &name, &mut modules);
        }
        self.stack.pop();
        self.reader.folder = outer;
    }

    fn directive(&mut self, directive: &Directive, file: &Arc<str>, modules: &mut usize) {
        let name = &directive.name;
        if name.bytes().starts_with(b"<") {
            self.section(directive, modules);
            return;
        }
        let Some(row) = find(TABLE, name.bytes()) else {
            let message = format!("unknown directive `{}`", name.show());
            let found = Diagnostic::error(codes::UNKNOWN_DIRECTIVE, name.span(), message);
            self.reader.out.push(match self.reader.nearest(name.bytes(), offered(TABLE)) {
                Some(near) => found.help(format!("did you mean `{near}`?")),
                None => found.help("a directive over several lines needs `\\` at each line end but the last"),
            });
            return;
        };
        let first_is_off = directive.arguments.first().is_some_and(|word| word.text.is("off") || word.text.is("0"));
        match row.support {
            Support::Yes(kind) => self.supported(kind, row.name, directive, file),
            Support::Ignored(why) => {
                let message = format!("`{}` has no effect: {why}", row.name);
                self.reader.out.push(Diagnostic::note(codes::IGNORED, name.span(), message));
            }
            Support::NoEffect(why) => {
                let message = format!("`{}` has no effect: {why}", row.name);
                self.reader.warn(codes::NO_EFFECT, name.span(), message, "");
            }
            Support::OnlyOff(_) if first_is_off => {}
            Support::OnlyOff(why) => {
                let message = format!("`{}` can only be Off: {why}", row.name);
                self.reader.error(codes::REFUSED_DIRECTIVE, directive.span, message, "remove the line");
            }
            Support::Refused(why, help) => {
                let message = format!("`{}` is not supported: {why}", row.name);
                self.reader.error(codes::REFUSED_DIRECTIVE, name.span(), message, help);
            }
        }
    }

    fn supported(&mut self, kind: Kind, name: &str, directive: &Directive, file: &Arc<str>) {
        let words = &directive.arguments;
        let (least, most) = kind.arity();
        if let Some(last) = words.last().filter(|last| last.text.bytes() == b"\\") {
            let message = "this backslash joins no line: it is not the very last byte";
            self.reader.error(codes::ARGUMENTS, last.span, message, "remove the blanks behind it");
            return;
        }
        if !(least..=most).contains(&words.len()) {
            let takes = match (least, most) {
                (0, _) => "no argument".to_owned(),
                (1, 1) => "one argument".to_owned(),
                (least, usize::MAX) => format!("at least {least} arguments"),
                (least, most) if least == most => format!("{least} arguments"),
                (least, most) => format!("{least} to {most} arguments"),
            };
            let span = words.get(most).map_or(directive.name.span(), |extra| extra.span);
            let message = format!("`{name}` takes {takes}, here are {}", words.len());
            self.reader.error(codes::ARGUMENTS, span, message, arguments_help(kind, words));
            return;
        }
        if self.reader.fetched && kind.names_a_place() {
            let message = format!("`{name}` in fetched rules: they do not choose files, folders or servers");
            let help = "write it in a file on this machine";
            self.reader.error(codes::REFUSED_DIRECTIVE, directive.name.span(), message, help);
            return;
        }
        if !self.reader.may(kind.withheld(), codes::WITHHELD_DIRECTIVE, directive.name.span(), &format!("`{name}`")) {
            // Findings show the line.
            if kind == Kind::RemoteRules {
                self.hide_key(directive);
            }
            return;
        }
        match kind {
            Kind::RemoteRules => self.remote(directive),
            Kind::Include | Kind::IncludeOptional => self.include(directive, kind == Kind::IncludeOptional),
            Kind::Rule | Kind::Action => self.drafts.rule(directive, kind == Kind::Action, file, &mut self.reader),
            Kind::Dataset => data::dataset(words, &mut self.settings, &mut self.reader),
            Kind::DefaultAction => self.drafts.default_action(directive, &mut self.reader),
            Kind::Marker => self.drafts.marker(directive, &mut self.reader),
            Kind::RuleRemoveById
            | Kind::RuleRemoveByMsg
            | Kind::RuleRemoveByTag
            | Kind::RuleUpdateActionById
            | Kind::RuleUpdateTargetById
            | Kind::RuleUpdateTargetByMsg
            | Kind::RuleUpdateTargetByTag => {
                update::apply(kind, directive, &mut self.drafts, &mut self.settings, &mut self.reader);
            }
            _ => settings::apply(kind, words, &mut self.settings, &mut self.pending, &mut self.reader),
        }
    }

    /// `<IfModule security2_module>` is common around rules and always true here; other sections are refused.
    fn section(&mut self, directive: &Directive, modules: &mut usize) {
        let condition = directive.arguments.first().map(|word| word.text.show().trim_end_matches('>').to_owned());
        let ours = ["security2_module", "mod_security2.c", "security3_module", "mod_security3.c"];
        if directive.name.is("<IfModule") && condition.is_some_and(|module| ours.contains(&module.as_str())) {
            *modules += 1;
        } else if directive.name.is("</IfModule>") && *modules > 0 {
            *modules -= 1;
        } else if !directive.name.bytes().starts_with(b"</") {
            let message = format!("section `{}>` is not supported", directive.name.show().trim_end_matches('>'));
            let help = "rules apply to all requests: write conditions as rules, or choose rule files per host";
            self.reader.error(codes::SECTION, directive.span, message, help);
        }
    }

    /// Findings show the line of `SecRemoteRules`: the key in it is nobody's business.
    fn hide_key(&mut self, directive: &Directive) {
        if let [first, others @ ..] = directive.arguments.as_slice() {
            let key = if first.text.show().eq_ignore_ascii_case("crypto") { others.first() } else { Some(first) };
            key.into_iter().for_each(|key| self.reader.sources.hide(key.span));
        }
    }

    /// `SecRemoteRules`: what stands behind the URL is read in the place of the directive.
    fn remote(&mut self, directive: &Directive) {
        self.hide_key(directive);
        let Some(remote) = self.reader.files.remote() else {
            let message = "`SecRemoteRules` is not allowed: nothing is fetched while loading";
            let help = "fetch the file beforehand, check it, and Include it; or allow it: `--allow-remote-rules`";
            self.reader.error(codes::REFUSED_DIRECTIVE, directive.name.span(), message, help);
            return;
        };
        let [key, url] = directive.arguments.as_slice() else {
            let message = "encrypted rules (`crypto`) are not supported";
            let help = "write `SecRemoteRules key https://...`: TLS keeps them secret on their way";
            self.reader.error(codes::REFUSED_DIRECTIVE, directive.span, message, help);
            return;
        };
        let (key, shown) = (key.text.show().into_owned(), url.text.show().into_owned());
        if !shown.get(..8).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://")) {
            let message = format!("`{shown}` is not an https URL");
            self.reader.error(codes::ARGUMENT, url.span, message, "rules are fetched over TLS only");
            return;
        }
        match remote.fetch(&shown, &key, self.reader.limits.rule_file_bytes) {
            Ok(bytes) if bytes.trim_ascii().is_empty() => {
                self.pending.not_fetched.push((url.span, format!("`{shown}` answers with an empty text")));
            }
            Ok(bytes) => {
                if self.reader.admit(Path::new(&shown), bytes.len(), Some(url.span)) {
                    self.reader.fetched = true;
                    self.read_text(Path::new(&shown), PathBuf::new(), &bytes, Some(url.span));
                    self.reader.fetched = false;
                }
            }
            Err(problem) => self.pending.not_fetched.push((url.span, format!("cannot fetch `{shown}`: {problem}"))),
        }
    }

    fn include(&mut self, directive: &Directive, optional: bool) {
        let Some(word) = directive.arguments.first() else { return };
        let span = Some(word.span);
        let shown = word.text.show().into_owned();
        let given = PathBuf::from(&shown);
        let beside = self.reader.folder.join(&given);
        let candidates = if beside == given { vec![given] } else { vec![beside, given] };
        if shown.bytes().any(|byte| b"*?[".contains(&byte)) {
            for pattern in &candidates {
                match self.reader.files.glob(pattern) {
                    Ok(found) if found.is_empty() => {}
                    Ok(found) => return found.iter().for_each(|file| self.read(file, span)),
                    Err(problem) if problem.kind() == ErrorKind::NotFound => {}
                    Err(problem) => return self.unreadable(&pattern.display().to_string(), &problem, span),
                }
            }
        } else {
            for path in &candidates {
                match self.reader.files.read(path) {
                    Ok(bytes) => {
                        if self.reader.admit(path, bytes.len(), span) {
                            self.file(path, &bytes, span);
                        }
                        return;
                    }
                    Err(_) if self.folder(path, span) => return,
                    Err(problem) if problem.kind() == ErrorKind::NotFound => {}
                    Err(problem) => return self.unreadable(&path.display().to_string(), &problem, span),
                }
            }
        }
        if !optional {
            let folder = self.reader.folder.display().to_string();
            let place = if folder.is_empty() { String::new() } else { format!(" in `{folder}`") };
            let help = "write `IncludeOptional` if there may be none";
            self.reader.error(codes::NO_MATCH, word.span, format!("no file matches `{shown}`{place}"), help);
        }
    }
}

/// What has most likely gone wrong where a directive has too many or too few arguments.
fn arguments_help(kind: Kind, words: &[Word]) -> &'static str {
    let starts = |mark: &str| words.iter().any(|word| word.text.bytes().starts_with(mark.as_bytes()));
    if starts("#") {
        "a comment has a line of its own: `#` starts one only at the start of a line"
    } else if starts("\u{201c}") || starts("\u{201d}") || starts("\u{2018}") || starts("\u{2019}") {
        "write straight quotes: these curly ones are letters like any other"
    } else if kind == Kind::Rule {
        "put arguments that contain blanks in quotes, join targets with `|`, and write `\\\"` for a quote inside quotes"
    } else {
        "put arguments that contain blanks in quotes"
    }
}
