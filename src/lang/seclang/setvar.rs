//! `setvar`, `expirevar`, `deprecatevar`, `setenv`, `initcol` and its kin.

use super::codes;
use super::macros;
use super::names::variables::{self, Lookup};
use super::reader::Reader;
use super::text::Text;
use crate::diag::Diagnostic;
use crate::rule::{Action, Macro, SetOp, SetVar, Variable};

/// The entries that every record of a persistent collection has; TIMEOUT is one more, and rules may set it.
const READ_ONLY: [&str; 6] = ["CREATE_TIME", "IS_NEW", "KEY", "LAST_UPDATE_TIME", "UPDATE_COUNTER", "UPDATE_RATE"];

/// `setvar:[!]collection.key[=[+|-]value]`.
pub(super) fn setvar(value: &Text, reader: &mut Reader<'_>) -> Option<Action> {
    let value = value.trimmed();
    let unset = value.bytes().first() == Some(&b'!');
    let body = value.slice(usize::from(unset)..value.len());
    let (name, right) = match body.split_once(b'=') {
        Some((name, right)) => (name.trimmed(), Some(right)),
        None => (body, None),
    };
    let help = "write `setvar:tx.name=value`, `=+value`, `=-value` or `setvar:!tx.name`";
    let (collection, key) = entry("setvar", &name, help, reader)?;
    let op = match (unset, right) {
        (true, Some(right)) => {
            reader.error(codes::SETVAR, right.span(), "`!` removes a variable: it takes no value", "remove `=...`");
            return None;
        }
        (true, None) => SetOp::Unset,
        (false, None) => SetOp::Set(Macro::text(*b"1")),
        (false, Some(right)) => {
            let right = right.unquoted();
            let rest = right.slice(1.min(right.len())..right.len());
            match right.bytes().first() {
                Some(b'+') => SetOp::Add(macros::read(&rest, reader)),
                Some(b'-') => SetOp::Subtract(macros::read(&rest, reader)),
                _ => SetOp::Set(macros::read(&right, reader)),
            }
        }
    };
    Some(Action::SetVar(SetVar { collection, key, op }))
}

/// `expirevar:collection.key=seconds`. `Some(None)`: accepted without effect.
pub(super) fn expirevar(value: &Text, reader: &mut Reader<'_>) -> Option<Option<Action>> {
    let help = "write `expirevar:ip.counter=60`";
    let (collection, key, right) = timed("expirevar", value, help, reader)?;
    let seconds = macros::read(&right, reader);
    if seconds.as_text().is_some_and(|text| !is_number(text)) {
        let message = format!("`{}` is not a number of seconds", right.show());
        reader.error(codes::SETVAR, right.span(), message, help);
        return None;
    }
    Some(lasting("expirevar", collection, value, reader).then_some(Action::ExpireVar { collection, key, seconds }))
}

/// `deprecatevar:collection.key=amount/seconds`. `Some(None)`: accepted without effect.
pub(super) fn deprecatevar(value: &Text, reader: &mut Reader<'_>) -> Option<Option<Action>> {
    let help = "write `deprecatevar:ip.score=60/300` to take 60 off every 300 seconds";
    let (collection, key, right) = timed("deprecatevar", value, help, reader)?;
    let rate = macros::read(&right, reader);
    let positive = |text: &[u8]| is_number(text) && text.iter().any(|digit| *digit != b'0');
    let fits = |text: &[u8]| match text.iter().position(|byte| *byte == b'/') {
        Some(at) => positive(text[..at].trim_ascii()) && positive(text[at + 1..].trim_ascii()),
        None => false,
    };
    if rate.as_text().is_some_and(|text| !fits(text)) {
        let message = format!("`{}` is not an amount and a period, both above 0", right.show());
        reader.error(codes::SETVAR, right.span(), message, help);
        return None;
    }
    Some(lasting("deprecatevar", collection, value, reader).then_some(Action::DeprecateVar { collection, key, rate }))
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// `collection.key=value` of an action that needs all three.
fn timed(action: &str, value: &Text, help: &'static str, reader: &mut Reader<'_>) -> Option<(Variable, Macro, Text)> {
    let Some((name, right)) = value.split_once(b'=') else {
        reader.error(codes::SETVAR, value.span(), format!("`{action}` has no value"), help);
        return None;
    };
    let (collection, key) = entry(action, &name.trimmed(), help, reader)?;
    Some((collection, key, right.unquoted().trimmed()))
}

/// Whether time passes for a collection: TX ends with its transaction, before anything in it could.
fn lasting(action: &str, collection: Variable, value: &Text, reader: &mut Reader<'_>) -> bool {
    if collection == Variable::Tx {
        let message = format!("`{action}` has no effect on TX: its entries end with the transaction");
        reader.warn(codes::NO_EFFECT, value.span(), message, "use it on GLOBAL, IP, RESOURCE, SESSION or USER");
    }
    collection != Variable::Tx
}

/// The collection and key of `collection.key`.
fn entry(action: &str, name: &Text, help: &'static str, reader: &mut Reader<'_>) -> Option<(Variable, Macro)> {
    let Some((collection, key)) = name.split_once(b'.') else {
        reader.error(codes::SETVAR, name.span(), format!("`{action}` names no collection and key"), help);
        return None;
    };
    let collection = writable(&collection, true, reader)?;
    if key.is_empty() {
        reader.error(codes::SETVAR, name.span(), format!("`{action}` names no key"), help);
        return None;
    }
    let read_only = READ_ONLY.iter().any(|fact| key.is(fact)) || (action != "setvar" && key.is("TIMEOUT"));
    if collection != Variable::Tx && read_only {
        let message = format!("`{}` is kept by the engine: `{action}` does not change it", key.show());
        reader.warn(codes::READ_ONLY, key.span(), message, "choose another name");
    }
    Some((collection, macros::read(&key, reader)))
}

/// `initcol:collection=key`.
pub(super) fn initcol(value: &Text, reader: &mut Reader<'_>) -> Option<Action> {
    let Some((collection, key)) = value.split_once(b'=') else {
        reader.error(codes::SETVAR, value.span(), "`initcol` names no key", "write `initcol:ip=%{REMOTE_ADDR}`");
        return None;
    };
    let collection = writable(&collection.trimmed(), false, reader)?;
    init(collection, &key, reader)
}

/// `initcol`, `setsid`, `setuid`, `setrsc` with the collection known.
pub(super) fn init(collection: Variable, key: &Text, reader: &mut Reader<'_>) -> Option<Action> {
    Some(Action::InitCollection { collection, key: macros::read(&key.trimmed().unquoted(), reader) })
}

/// `setenv:name=value`; without a value `1`.
pub(super) fn setenv(value: &Text, reader: &mut Reader<'_>) -> Option<Action> {
    if value.bytes().first() == Some(&b'!') {
        let help = "set it to another value that the host understands";
        reader.error(codes::SETVAR, value.span(), "`setenv` cannot take a variable back", help);
        return None;
    }
    let (name, right) = match value.split_once(b'=') {
        Some((name, right)) => (name.trimmed(), Some(right.unquoted())),
        None => (value.trimmed(), None),
    };
    if name.is_empty() {
        reader.error(codes::SETVAR, value.span(), "`setenv` names no variable", "write `setenv:name=value`");
        return None;
    }
    let value = right.map_or_else(|| Macro::text(*b"1"), |right| macros::read(&right, reader));
    Some(Action::SetEnv { name: macros::read(&name, reader), value })
}

fn writable(name: &Text, tx: bool, reader: &mut Reader<'_>) -> Option<Variable> {
    let allowed = |variable: Variable| (tx && variable == Variable::Tx) || variable.is_persistent();
    if let Lookup::Found(variable, _) = variables::lookup(name.bytes())
        && allowed(variable)
    {
        return Some(variable);
    }
    let names: Vec<_> = Variable::ALL.iter().filter(|v| allowed(**v)).map(|v| v.name()).collect();
    let message = format!("rules cannot write to `{}`, only to {}", name.show(), names.join(", "));
    let found = Diagnostic::error(codes::SETVAR, name.span(), message);
    reader.out.push(match reader.nearest(name.bytes(), names.iter().copied()) {
        Some(near) => found.help(format!("did you mean `{}`?", near.to_ascii_lowercase())),
        None => found,
    });
    None
}
