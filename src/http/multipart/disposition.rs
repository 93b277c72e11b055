//! The Content-Disposition header of a part (RFC 7578, section 4.2; RFC 6266).

use crate::http::{Report, percent};

/// The parameters that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// `name`
    Name,
    /// `filename`, and `filename*` decoded: recipients differ in which of them they take.
    FileName,
}

/// What the header says, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Disposition {
    values: Vec<(Parameter, Vec<u8>)>,
    has_plain_file_name: bool,
    has_extended_file_name: bool,
    error: Option<&'static str>,
    missing_semicolon: bool,
    invalid_quoting: bool,
}

impl Disposition {
    /// Reads the header's value. Reading goes on after errors, so that every name is seen.
    pub(super) fn parse(value: &[u8]) -> Self {
        let mut found = Disposition::default();
        let value = trim_start(value.trim_ascii_end());
        let kind_len = value.iter().position(|&byte| byte == b';' || byte.is_ascii_whitespace()).unwrap_or(value.len());
        let (kind, mut rest) = value.split_at(kind_len);
        if !kind.eq_ignore_ascii_case(b"form-data") {
            found.fail("Invalid Content-Disposition header (not form-data)");
        }
        loop {
            rest = trim_start(rest);
            if rest.is_empty() {
                break;
            }
            match rest.strip_prefix(b";") {
                Some(after) => rest = trim_start(after),
                None => {
                    found.missing_semicolon = true;
                    found.fail("Invalid Content-Disposition header (semicolon missing)");
                }
            }
            rest = found.parameter(rest);
        }
        found
    }

    /// The values of a parameter in order.
    pub(super) fn values(&self, parameter: Parameter) -> impl Iterator<Item = &[u8]> {
        self.values.iter().filter(move |value| value.0 == parameter).map(|value| value.1.as_slice())
    }

    /// Hands over what was found wrong at byte `at`.
    pub(super) fn report(&self, report: &mut Report, at: usize) {
        report.multipart.missing_semicolon |= self.missing_semicolon;
        report.multipart.invalid_quoting |= self.invalid_quoting;
        if let Some(what) = self.error {
            report.multipart.invalid_part = true;
            report.fail_multipart(what, at);
        }
    }

    fn fail(&mut self, what: &'static str) {
        self.error.get_or_insert(what);
    }

    /// Reads one `name=value`; answers what follows. At least one byte is used up if there is one.
    fn parameter<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let end = input.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(input.len());
        let (name, rest) = input.split_at(end);
        let name = name.trim_ascii_end();
        let Some(rest) = rest.strip_prefix(b"=") else {
            if !name.is_empty() {
                self.fail("Invalid Content-Disposition header (parameter without value)");
            }
            return rest;
        };
        if name.is_empty() {
            self.fail("Invalid Content-Disposition header (parameter without name)");
        }
        let rest = trim_start(rest);
        let extended = name.eq_ignore_ascii_case(b"filename*");
        let (value, rest) = match rest.strip_prefix(b"\"") {
            Some(quoted) => self.quoted(quoted),
            None => {
                let end =
                    rest.iter().position(|&byte| byte == b';' || byte.is_ascii_whitespace()).unwrap_or(rest.len());
                let (value, rest) = rest.split_at(end);
                // Quotes in a bare value are read in more than one way; those of the extended notation are none.
                self.invalid_quoting |= value.iter().any(|&byte| byte == b'"' || byte == b'\'' && !extended);
                (value.to_vec(), rest)
            }
        };
        let duplicate = if name.eq_ignore_ascii_case(b"name") {
            let duplicate = self.values(Parameter::Name).next().is_some();
            self.values.push((Parameter::Name, value));
            duplicate
        } else if name.eq_ignore_ascii_case(b"filename") {
            self.values.push((Parameter::FileName, value));
            std::mem::replace(&mut self.has_plain_file_name, true)
        } else if extended {
            self.extended(value);
            std::mem::replace(&mut self.has_extended_file_name, true)
        } else {
            self.pieced(name, value);
            false
        };
        if duplicate {
            self.fail("Duplicate Content-Disposition name or filename");
        }
        rest
    }

    /// `name*`, `filename*0`, `filename*1*`: forms of RFC 2231 that RFC 7578 does not have. Some recipients put them together.
    fn pieced(&mut self, name: &[u8], value: Vec<u8>) {
        let Some(star) = name.iter().position(|&byte| byte == b'*') else { return };
        let (name, _) = name.split_at(star);
        let parameter = if name.eq_ignore_ascii_case(b"name") {
            Parameter::Name
        } else if name.eq_ignore_ascii_case(b"filename") {
            Parameter::FileName
        } else {
            return;
        };
        self.fail("Invalid Content-Disposition header (name or filename in pieces)");
        self.values.push((parameter, value));
    }

    /// A quoted string: `\"` and `\\` are escapes, any other backslash is a backslash, as in the paths old browsers send.
    fn quoted<'a>(&mut self, input: &'a [u8]) -> (Vec<u8>, &'a [u8]) {
        let mut value = Vec::new();
        let mut rest = input;
        loop {
            let run = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
            let (plain, after) = rest.split_at(run);
            value.extend_from_slice(plain);
            match after {
                [b'\\', escaped @ (b'"' | b'\\'), after @ ..] => {
                    value.push(*escaped);
                    rest = after;
                }
                [b'\\', after @ ..] => {
                    value.push(b'\\');
                    rest = after;
                }
                [_, after @ ..] => {
                    if after.first().is_some_and(|byte| matches!(byte, b'"' | b'\'')) {
                        self.invalid_quoting = true;
                    }
                    return (value, after);
                }
                [] => {
                    self.invalid_quoting = true;
                    self.fail("Invalid Content-Disposition header (quote not closed)");
                    return (value, after);
                }
            }
        }
    }

    /// `filename*=charset'language'%XX…` (RFC 8187); anything else is kept as it is.
    fn extended(&mut self, value: Vec<u8>) {
        let mut pieces = value.splitn(3, |&byte| byte == b'\'');
        let mut decoded = Vec::with_capacity(value.len());
        match (pieces.next(), pieces.next(), pieces.next()) {
            (Some(charset), Some(_), Some(encoded)) if !charset.is_empty() => {
                if !percent::decode(encoded, &mut decoded) {
                    self.fail("Invalid Content-Disposition header (filename* encoding)");
                }
            }
            _ => {
                self.fail("Invalid Content-Disposition header (filename* notation)");
                decoded = value;
            }
        }
        self.values.push((Parameter::FileName, decoded));
    }
}

/// Drops leading white space, the vertical tab of C's `isspace` included: headers may be folded with it.
fn trim_start(bytes: &[u8]) -> &[u8] {
    let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0B).count();
    bytes.get(blank..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_notation() {
        // header value; names; file names; invalid quoting, missing semicolon, error
        for (value, names, file_names, flags) in [
            (r#" form-data; name="a""#, &["a"][..], &[][..], [false, false, false]),
            (r#"Form-Data;NAME=a;FileName=b.txt"#, &["a"], &["b.txt"], [false, false, false]),
            (r#"form-data; name="a"; size=3;"#, &["a"], &[], [false, false, false]),
            (r#"form-data; name="a\"b\\c\d""#, &["a\"b\\c\\d"], &[], [false, false, false]),
            (r#"form-data; name="it's"; filename="C:\x\y.z""#, &["it's"], &["C:\\x\\y.z"], [false, false, false]),
            (r#"form-data; name="a;filename=b""#, &["a;filename=b"], &[], [false, false, false]),
            (
                r#"form-data; name="f"; filename="a"; filename*=UTF-8''%41%2fb"#,
                &["f"],
                &["a", "A/b"],
                [false, false, false],
            ),
            (r#"form-data; name="f"; filename*="utf-8''x""#, &["f"], &["x"], [false, false, false]),
            (r#"form-data; name="f"; filename*=x.php"#, &["f"], &["x.php"], [false, false, true]),
            (r#"form-data; name="f"; filename*=UTF-8''%zz"#, &["f"], &["%zz"], [false, false, true]),
            (r#"form-data; name=file'data"#, &["file'data"], &[], [true, false, false]),
            (r#"form-data; name=';filename="dummy';name=b;""#, &["'"], &["dummy';name=b;"], [true, false, false]),
            (r#"form-data; name="a"; name="b""#, &["a", "b"], &[], [false, false, true]),
            (r#"form-data; name=a; filename=b; filename=c"#, &["a"], &["b", "c"], [false, false, true]),
            (r#"form-data; name="a""b""#, &["a"], &[], [true, true, true]),
            (r#"form-data; name="a" filename="b""#, &["a"], &["b"], [false, true, true]),
            (r#"form-data name="a""#, &["a"], &[], [false, true, true]),
            (r#"form-data; name="a"#, &["a"], &[], [true, false, true]),
            (r#"form-data; name"#, &[], &[], [false, false, true]),
            (r#"form-data; ; name=a;; ="#, &["a"], &[], [false, false, true]),
            (r#"form-data; name*0="a"; filename*0="x.p"; FileName*1=hp"#, &["a"], &["x.p", "hp"], [false, false, true]),
            (r#"form-data; name*=utf-8''a; size*=1"#, &["utf-8''a"], &[], [true, false, true]),
            ("attachment; filename=x", &[], &["x"], [false, false, true]),
            ("form-data;", &[], &[], [false, false, false]),
            ("", &[], &[], [false, false, true]),
            ("form-data; name=\"a\0b\"", &["a\0b"], &[], [false, false, false]),
        ] {
            let found = Disposition::parse(value.as_bytes());
            let strings = |parameter| found.values(parameter).map(String::from_utf8_lossy).collect::<Vec<_>>();
            assert_eq!(strings(Parameter::Name), names, "{value}");
            assert_eq!(strings(Parameter::FileName), file_names, "{value}");
            assert_eq!([found.invalid_quoting, found.missing_semicolon, found.error.is_some()], flags, "{value}");
        }
    }
}
