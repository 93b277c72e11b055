//! `setvar`, `setenv`, `initcol` and its kin.

use super::codes;
use super::macros;
use super::names::variables::{self, Lookup};
use super::reader::Reader;
use super::text::Text;
use crate::diag::Diagnostic;
use crate::rule::{Action, Macro, SetOp, SetVar, Variable};

/// The collections that rules can write, besides TX.
const PERSISTENT: [Variable; 5] =
    [Variable::Global, Variable::Ip, Variable::Resource, Variable::Session, Variable::User];

/// `setvar:[!]collection.key[=[+|-]value]`.
pub(super) fn setvar(value: &Text, reader: &mut Reader<'_>) -> Option<Action> {
    let value = value.trimmed();
    let unset = value.bytes().first() == Some(&b'!');
    let body = value.slice(usize::from(unset)..value.len());
    let (name, right) = match body.split_once(b'=') {
        Some((name, right)) => (name.trimmed(), Some(right)),
        None => (body, None),
    };
    let Some((collection, key)) = name.split_once(b'.') else {
        let help = "write `setvar:tx.name=value`, `=+value`, `=-value` or `setvar:!tx.name`";
        reader.error(codes::SETVAR, name.span(), "`setvar` names no collection and key", help);
        return None;
    };
    let collection = writable(&collection, true, reader)?;
    if key.is_empty() {
        reader.error(codes::SETVAR, name.span(), "`setvar` names no key", "write `setvar:tx.name=value`");
        return None;
    }
    if collection != Variable::Tx {
        reader.warn_of_collections(value.span());
    }
    let key = macros::read(&key, reader);
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
    reader.warn_of_collections(key.span());
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
    let allowed = |variable: Variable| (tx && variable == Variable::Tx) || PERSISTENT.contains(&variable);
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
