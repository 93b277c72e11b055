//! The operator of a rule: `!@name argument`, or a bare pattern, which means `@rx`.

use super::lexer::Word;
use super::names::operators::{Kind, TABLE};
use super::names::{Support, find, offered};
use super::reader::Reader;
use super::text::{Text, is_blank};
use super::{codes, data, macros, pattern};
use crate::diag::Diagnostic;
use crate::rule::{Macro, Operator, Test};

/// Reads an operator; `None` after an error.
pub(super) fn read(word: &Word, reader: &mut Reader<'_>) -> Option<Test> {
    let text = &word.text;
    let bytes = text.bytes();
    let blanks = |at: usize| bytes[at..].iter().take_while(|byte| is_blank(**byte)).count();
    let lead = blanks(0);
    let negated = bytes.get(lead) == Some(&b'!');
    let after_sign = if negated { lead + 1 + blanks(lead + 1) } else { lead };
    if bytes.get(after_sign) != Some(&b'@') {
        // Without a name everything behind the sign is the pattern, blanks included.
        let start = if negated { after_sign } else { 0 };
        let argument = text.slice(start..text.len());
        let first = bytes[after_sign..].split(|byte| is_blank(*byte)).next().unwrap_or_default();
        if first.len() < argument.trimmed().len()
            && let Some(row) = find(TABLE, first)
        {
            let span = text.span_of(after_sign..after_sign + first.len());
            let message = format!("without `@` this is a pattern that begins with the word `{}`", row.name);
            reader.warn(codes::LITERAL, span, message, format!("write `@{} ...` if the operator is meant", row.name));
        }
        return Some(Test { negated, operator: operator(Kind::Rx, "rx", &argument, word, reader)? });
    }
    let name_start = after_sign + 1;
    let name_end = bytes[name_start..].iter().position(|byte| is_blank(*byte)).map_or(bytes.len(), |n| name_start + n);
    let name = text.slice(name_start..name_end);
    let argument = text.slice(name_end + blanks(name_end)..text.len());
    let shown = name.show();
    let Some(row) = find(TABLE, name.bytes()) else {
        let span = text.span_of(after_sign..name_end);
        let found = Diagnostic::error(codes::UNKNOWN_OPERATOR, span, format!("unknown operator `@{shown}`"));
        reader.out.push(match reader.nearest(name.bytes(), offered(TABLE)) {
            Some(near) => found.help(format!("did you mean `@{near}`?")),
            None => found.help("a pattern that starts with `@` is written `@rx @...`"),
        });
        return None;
    };
    match row.support {
        Support::Yes(kind) => {
            let (withheld, span) = (kind.withheld(), text.span_of(after_sign..name_end));
            if !reader.may(withheld, codes::WITHHELD_OPERATOR, span, &format!("`@{}`", row.name)) {
                return None;
            }
            Some(Test { negated, operator: operator(kind, row.name, &argument, word, reader)? })
        }
        Support::Refused(why, help) => {
            let span = text.span_of(after_sign..name_end);
            reader.error(codes::REFUSED_OPERATOR, span, format!("`@{}` is not supported: {why}", row.name), help);
            None
        }
        Support::Ignored(_) | Support::NoEffect(_) | Support::OnlyOff(_) => unreachable_support(&name, reader),
    }
}

/// An operator cannot be ignored: its rule would match nothing or everything.
fn unreachable_support(name: &Text, reader: &mut Reader<'_>) -> Option<Test> {
    reader.error(codes::REFUSED_OPERATOR, name.span(), format!("`@{}` is not supported", name.show()), "");
    None
}

fn operator(kind: Kind, name: &str, argument: &Text, word: &Word, reader: &mut Reader<'_>) -> Option<Operator> {
    if word.halved_backslash && is_pattern(kind) {
        let message = "`\\\\` in this pattern is read as one backslash, as ModSecurity v2 reads it";
        reader.warn(codes::HALVED_BACKSLASH, word.span, message, "write `\\x5c` for a literal backslash");
    }
    let first = macros::first(argument.bytes());
    let has_macro = first.is_some();
    if is_compiled(kind)
        && let Some(found) = first
    {
        let message = format!("`@{name}` cannot expand macros: it is compiled before any request");
        let help = "use `@rx`, `@within`, `@contains`, `@streq` or `@beginsWith`, which expand macros; `%\\{` is a literal `%{` in a pattern";
        reader.error(codes::MACRO_NOT_ALLOWED, argument.span_of(found), message, help);
        return None;
    }
    let blank = argument.bytes().iter().all(|byte| is_blank(*byte));
    match wants(kind) {
        Wants::Nothing if !blank => {
            let message = format!("`@{name}` takes no argument: this one has no effect");
            reader.warn(codes::NO_EFFECT, argument.span(), message, "remove it");
        }
        Wants::Search if argument.is_empty() => {
            let message = format!("`@{name}` without argument matches every value");
            reader.warn(codes::EMPTY_OPERATOR, word.span, message, "write `@unconditionalMatch` if that is meant");
        }
        Wants::Listed if blank => {
            let help = format!("write `@{name} ...`");
            reader.error(codes::OPERATOR_ARGUMENT, word.span, format!("`@{name}` needs an argument"), help);
            return None;
        }
        _ => {}
    }
    Some(match kind {
        Kind::Rx | Kind::RxGlobal if has_macro => {
            Operator::RxExpanded { text: macros::read(argument, reader), global: kind == Kind::RxGlobal }
        }
        Kind::Rx => Operator::Rx(pattern::pattern(argument, false, reader)?),
        Kind::RxGlobal => Operator::RxGlobal(pattern::pattern(argument, false, reader)?),
        Kind::Pm => Operator::Pm(data::phrases(argument, reader)?),
        Kind::PmFromFile => Operator::Pm(data::phrase_files(argument, reader)?),
        Kind::PmFromDataset => Operator::Pm(data::phrase_dataset(argument, reader)?),
        Kind::StrEq => Operator::StrEq(macros::read(argument, reader)),
        Kind::Contains => Operator::Contains(macros::read(argument, reader)),
        Kind::ContainsWord => Operator::ContainsWord(macros::read(argument, reader)),
        Kind::BeginsWith => Operator::BeginsWith(macros::read(argument, reader)),
        Kind::EndsWith => Operator::EndsWith(macros::read(argument, reader)),
        Kind::StrMatch => Operator::StrMatch(strmatch(macros::read(argument, reader))),
        Kind::Within => Operator::Within(macros::read(argument, reader)),
        Kind::Eq => Operator::Eq(number(argument, reader)),
        Kind::Ge => Operator::Ge(number(argument, reader)),
        Kind::Gt => Operator::Gt(number(argument, reader)),
        Kind::Le => Operator::Le(number(argument, reader)),
        Kind::Lt => Operator::Lt(number(argument, reader)),
        Kind::IpMatch => Operator::IpMatch(data::addresses(argument, reader)?),
        Kind::IpMatchFromFile => Operator::IpMatch(data::address_files(argument, reader)?),
        Kind::IpMatchFromDataset => Operator::IpMatch(data::address_dataset(argument, reader)?),
        Kind::Rbl => Operator::Rbl(data::block_list(argument, reader)?),
        Kind::GeoLookup => {
            reader.looks_up_places.get_or_insert(word.span);
            Operator::GeoLookup
        }
        Kind::DetectSqli => Operator::DetectSqli,
        Kind::DetectXss => Operator::DetectXss,
        Kind::ValidateByteRange => Operator::ValidateByteRange(data::byte_range(argument, reader)?),
        Kind::ValidateUrlEncoding => Operator::ValidateUrlEncoding,
        Kind::ValidateUtf8Encoding => Operator::ValidateUtf8Encoding,
        Kind::VerifyCc => Operator::VerifyCc(pattern::pattern(argument, false, reader)?),
        Kind::VerifyCpf => Operator::VerifyCpf(pattern::pattern(argument, false, reader)?),
        Kind::VerifySsn => Operator::VerifySsn(pattern::pattern(argument, false, reader)?),
        Kind::VerifySvnr => Operator::VerifySvnr(pattern::pattern(argument, false, reader)?),
        Kind::UnconditionalMatch => Operator::UnconditionalMatch,
        Kind::NoMatch => Operator::NoMatch,
    })
}

/// What an operator wants as its argument.
enum Wants {
    Nothing,
    /// A text to search for; an empty one is found everywhere.
    Search,
    /// A text to compare with; an empty one is a value like any other.
    Text,
    /// A number, list or file name.
    Listed,
}

fn wants(kind: Kind) -> Wants {
    match kind {
        Kind::DetectSqli | Kind::DetectXss | Kind::ValidateUrlEncoding | Kind::ValidateUtf8Encoding => Wants::Nothing,
        Kind::UnconditionalMatch | Kind::NoMatch | Kind::GeoLookup => Wants::Nothing,
        Kind::Rx | Kind::RxGlobal | Kind::Contains | Kind::ContainsWord => Wants::Search,
        Kind::BeginsWith | Kind::EndsWith | Kind::StrMatch => Wants::Search,
        Kind::StrEq | Kind::Within => Wants::Text,
        _ => Wants::Listed,
    }
}

fn is_pattern(kind: Kind) -> bool {
    use Kind::{Rx, RxGlobal, VerifyCc, VerifyCpf, VerifySsn, VerifySvnr};
    matches!(kind, Rx | RxGlobal | VerifyCc | VerifyCpf | VerifySsn | VerifySvnr)
}

fn is_compiled(kind: Kind) -> bool {
    use Kind::{IpMatch, IpMatchFromDataset, IpMatchFromFile, Pm, PmFromDataset, PmFromFile, Rbl, ValidateByteRange};
    // `@rx` and `@rxGlobal` are compiled when their macros are expanded.
    use Kind::{VerifyCc, VerifyCpf, VerifySsn, VerifySvnr};
    matches!(kind, VerifyCc | VerifyCpf | VerifySsn | VerifySvnr)
        || matches!(
            kind,
            Rbl | Pm | PmFromDataset | PmFromFile | IpMatch | IpMatchFromDataset | IpMatchFromFile | ValidateByteRange
        )
}

/// A number, or a macro that gives one. Text counts as its leading integer, and as 0 without one, which is seldom meant.
fn number(argument: &Text, reader: &mut Reader<'_>) -> Macro {
    let value = macros::read(argument, reader);
    let digits = |text: &[u8]| {
        let text = text.trim_ascii();
        text.strip_prefix(b"-").unwrap_or(text).first().is_some_and(u8::is_ascii_digit)
    };
    if value.as_text().is_some_and(|text| !digits(text)) {
        let message = format!("`{}` is not a number and counts as 0", argument.show());
        reader.warn(codes::LITERAL, argument.span(), message, "write a number, or a macro such as `%{tx.limit}`");
    }
    value
}

/// `@strmatch` decodes `|hex|`, as v2 does.
fn strmatch(value: Macro) -> Macro {
    match value.as_text().and_then(data::snort) {
        Some(decoded) => Macro::text(decoded),
        None => value,
    }
}
