//! From targets to the values they select. A selection over fixed values is resolved once a phase; one over values that
//! actions change is resolved each time.

use super::buffers::Cell;
use super::matched::full_name;
use super::memory::Slice;
use super::scratch::Scratch;
use super::values::{Part, shows};
use crate::meter::{Exhausted, Meter, Price};
use crate::program::{Loaded, PatternId, Selection, SelectionId, Source, Which};
use crate::rule::Variable;
use crate::scan;

/// Comparing one member's name with a selector.
const COMPARE: u64 = 2;
/// Making a value that exists for this look only.
const MAKE: Price = Price::new(16, 128);

/// A selected value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item {
    pub(super) variable: Variable,
    /// Name of the member; `None` for scalars.
    pub(super) member: Option<Slice>,
    pub(super) value: ItemValue,
}

/// Where the value comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum ItemValue {
    /// A value that lasts as long as the request: its transformations are shared.
    Cell(Cell, Slice),
    /// A value of this moment.
    Once(Slice),
    /// The number of members (`&ARGS`) that this target of the selection names.
    Count(Slice, u32),
}

/// Resolved selections.
#[derive(Debug, Default)]
pub(super) struct Selections {
    /// For each selection of the program: range of `items`, if resolved in this phase.
    resolved: Vec<Option<(u32, u32)>>,
    items: Vec<Item>,
    /// The items of the link that runs, if its selection is dynamic.
    dynamic: Vec<Item>,
    current: Option<(u32, u32)>,
}

impl Selections {
    /// Forgets what was resolved: the values have changed.
    pub(super) fn clear(&mut self, count: usize) {
        self.resolved.clear();
        self.resolved.resize(count, None);
        self.items.clear();
        self.dynamic.clear();
        self.current = None;
    }

    /// The `at`-th item of the link that runs.
    pub(super) fn item(&self, at: usize) -> Option<Item> {
        match self.current {
            Some((start, end)) => {
                let range = self.items.get(start as usize..end as usize)?;
                range.get(at).copied()
            }
            None => self.dynamic.get(at).copied(),
        }
    }
}

/// Resolves the selection of the link that runs.
pub(super) fn resolve(
    id: SelectionId,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<(), Exhausted> {
    let Some(selection) = loaded.program().selections.get(id.index()) else { return Ok(()) };
    if !selection.dynamic
        && let Some(range) = scratch.selections.resolved.get(id.index()).copied().flatten()
    {
        scratch.selections.current = Some(range);
        return Ok(());
    }
    let mut items = std::mem::take(&mut scratch.found);
    items.clear();
    let collected = collect(selection, loaded, scratch, meter, &mut items);
    let selections = &mut scratch.selections;
    if selection.dynamic {
        selections.current = None;
        selections.dynamic.clear();
        selections.dynamic.extend_from_slice(&items);
    } else {
        let start = selections.items.len() as u32;
        selections.items.extend_from_slice(&items);
        let range = (start, selections.items.len() as u32);
        selections.current = Some(range);
        if let Some(place) = selections.resolved.get_mut(id.index()) {
            *place = Some(range);
        }
    }
    scratch.found = items;
    collected
}

fn collect(
    selection: &Selection,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
    items: &mut Vec<Item>,
) -> Result<(), Exhausted> {
    for (target, source) in selection.targets.iter().enumerate() {
        let before = items.len();
        members(source, loaded, scratch, meter, items)?;
        if source.count {
            let count = items.len() - before;
            items.truncate(before);
            meter.charge(MAKE.of(8))?;
            let text = itoa(count as u64);
            let value = Slice::Field(scratch.memory.fields.store(text.as_bytes())?);
            items.push(Item { variable: source.variable, member: None, value: ItemValue::Count(value, target as u32) });
        }
        let mut at = before;
        while let Some(item) = items.get(at).copied() {
            let mut excluded = false;
            for exclusion in &selection.exclusions {
                excluded = excluded || selects(exclusion, &item, &selection.targets, loaded, scratch, meter)?;
            }
            if excluded {
                // Order matters to rules; exclusions are few.
                items.remove(at);
            } else {
                at += 1;
            }
        }
    }
    Ok(())
}

/// Decimal digits without an allocation.
pub(super) fn itoa(number: u64) -> Digits {
    let mut digits = Digits { text: [b'0'; 20], start: 20 };
    let mut rest = number;
    loop {
        digits.start -= 1;
        if let Some(place) = digits.text.get_mut(digits.start) {
            *place = b'0' + (rest % 10) as u8;
        }
        rest /= 10;
        if rest == 0 {
            return digits;
        }
    }
}

/// A number as text.
pub(super) struct Digits {
    text: [u8; 20],
    start: usize,
}

impl Digits {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.get(self.start..).unwrap_or_default()
    }
}

/// Whether an exclusion takes an item away. A count is no member: only the exclusion of a count (`!&ARGS`) takes it away, so
/// that leaving a header uninspected does not make it look absent.
pub(super) fn selects(
    source: &Source,
    item: &Item,
    targets: &[Source],
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    if source.variable != item.variable {
        return Ok(false);
    }
    let counted = match item.value {
        ItemValue::Count(_, target) => targets.get(target as usize).map(|target| &target.which),
        ItemValue::Cell(..) | ItemValue::Once(_) => None,
    };
    if source.count || counted.is_some() {
        return Ok(source.count && counted.is_some_and(|which| source.which == Which::All || source.which == *which));
    }
    match (&source.which, item.member) {
        (Which::All, _) => Ok(true),
        (_, None) => Ok(false),
        (which, Some(member)) => name_fits(which, source.variable, member, loaded, scratch, meter),
    }
}

/// Whether a member's name is the one that a selector asks for.
fn name_fits(
    which: &Which,
    variable: Variable,
    name: Slice,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    meter.charge(COMPARE)?;
    let text = scratch.memory.get(name);
    match which {
        Which::All => Ok(true),
        // Selectors of variables that fold case are lower case already.
        Which::Key(key) if variable.folds_case() => Ok(text.eq_ignore_ascii_case(key)),
        Which::Key(key) => Ok(*text == **key),
        Which::Tx(key) => {
            let key = loaded.program().tx_keys.get(key.index()).map(|key| &**key).unwrap_or_default();
            Ok(text.eq_ignore_ascii_case(key))
        }
        Which::Regex(id) => {
            let (Some(pattern), Some(cache)) = (loaded.pattern(*id), scratch.caches.get_mut(id.index())) else {
                return Ok(false);
            };
            let mut cursor = scan::Cursor::default();
            let mut groups = scan::Groups::default();
            loop {
                // Names are short: no need to pause inside one.
                match pattern.scan(cache, text, &mut cursor, u64::MAX, &mut groups, meter)? {
                    scan::Outcome::Pending => {}
                    scan::Outcome::Hit => return Ok(true),
                    scan::Outcome::Miss => return Ok(false),
                }
            }
        }
    }
}

/// The value of the first member whose name the pattern finds.
pub(super) fn first_matching(
    variable: Variable,
    pattern: PatternId,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
) -> Result<Option<Slice>, Exhausted> {
    let source = Source { variable, which: Which::Regex(pattern), count: false };
    let mut items = Vec::new();
    members(&source, loaded, scratch, meter, &mut items)?;
    Ok(items.first().map(|item| match item.value {
        ItemValue::Cell(_, slice) | ItemValue::Once(slice) | ItemValue::Count(slice, _) => slice,
    }))
}

/// The members that a target selects, its exclusions and count left aside.
fn members(
    source: &Source,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
    items: &mut Vec<Item>,
) -> Result<(), Exhausted> {
    let variable = source.variable;
    if let Some((group, part)) = shows(variable) {
        for position in 0..scratch.values.members(group).len() {
            let Some(&at) = scratch.values.members(group).get(position) else { break };
            let Some(field) = scratch.memory.fields.items().get(at as usize).copied() else { break };
            meter.charge(COMPARE)?;
            let name = Slice::Field(field.name);
            let fits = match &source.which {
                Which::All => true,
                which => name_fits(which, variable, name, loaded, scratch, meter)?,
            };
            if fits {
                let value = Slice::Field(if part == Part::Name { field.name } else { field.value });
                let member = if matches!(variable, Variable::Xml) { None } else { Some(name) };
                items.push(Item { variable, member, value: ItemValue::Cell(part.cell(at), value) });
            }
        }
        return Ok(());
    }
    match variable {
        Variable::Tx => tx_members(source, loaded, scratch, meter, items),
        Variable::MatchedVars | Variable::MatchedVarsNames => {
            for at in 0..scratch.matched.list().len() {
                let Some(found) = scratch.matched.list().get(at).copied() else { break };
                let mut name = std::mem::take(&mut scratch.text);
                name.clear();
                full_name(&found, &scratch.memory, &mut name);
                let charged = meter.charge(MAKE.of(name.len()));
                let member = scratch.memory.keep(&name);
                scratch.text = name;
                charged?;
                if source.which == Which::All || name_fits(&source.which, variable, member, loaded, scratch, meter)? {
                    let value = if variable == Variable::MatchedVars { found.value } else { member };
                    items.push(Item { variable, member: Some(member), value: ItemValue::Once(value) });
                }
            }
            Ok(())
        }
        Variable::Ip | Variable::Global | Variable::Session | Variable::User | Variable::Resource | Variable::Env => {
            for at in 0..scratch.collections.len() {
                let Some((collection, key, value)) = scratch.collections.get(at) else { break };
                if *collection != variable {
                    continue;
                }
                meter.charge(MAKE.of(key.len() + value.len()))?;
                let member = scratch.memory.keep(key);
                let value = scratch.memory.keep(value);
                if source.which == Which::All || name_fits(&source.which, variable, member, loaded, scratch, meter)? {
                    items.push(Item { variable, member: Some(member), value: ItemValue::Once(value) });
                }
            }
            Ok(())
        }
        Variable::Rule => {
            for key in ["id", "rev", "severity", "logdata", "msg", "ver"] {
                meter.charge(MAKE.of(16))?;
                let member = Slice::Static(key.as_bytes());
                if source.which != Which::All && !name_fits(&source.which, variable, member, loaded, scratch, meter)? {
                    continue;
                }
                if let Some(value) = super::expand::rule_member(key.as_bytes(), loaded, scratch, meter)? {
                    items.push(Item { variable, member: Some(member), value: ItemValue::Once(value) });
                }
            }
            Ok(())
        }
        scalar => {
            if let Some(slice) = scratch.values.scalar(scalar) {
                let value = ItemValue::Cell(Cell::Scalar(scalar), slice);
                items.push(Item { variable, member: None, value });
            } else if let Some(slice) = super::expand::live_scalar(scalar, scratch, meter)? {
                items.push(Item { variable, member: None, value: ItemValue::Once(slice) });
            }
            Ok(())
        }
    }
}

fn tx_members(
    source: &Source,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
    items: &mut Vec<Item>,
) -> Result<(), Exhausted> {
    let program = loaded.program();
    if let Which::Tx(key) = source.which {
        meter.charge(COMPARE)?;
        let Some(value) = scratch.tx.get(key) else { return Ok(()) };
        meter.charge(MAKE.of(value.len()))?;
        let value = scratch.memory.keep(value);
        let member = scratch.memory.keep(scratch.tx.name(program, key));
        items.push(Item { variable: Variable::Tx, member: Some(member), value: ItemValue::Once(value) });
        return Ok(());
    }
    let first = items.len();
    for (key, value) in scratch.tx.iter() {
        let name = scratch.tx.name(program, key);
        meter.charge(MAKE.of(name.len() + value.len()))?;
        let member = scratch.memory.keep(name);
        let value = scratch.memory.keep(value);
        items.push(Item { variable: Variable::Tx, member: Some(member), value: ItemValue::Once(value) });
    }
    if source.which == Which::All {
        return Ok(());
    }
    let mut kept = first;
    for at in first..items.len() {
        let Some(item) = items.get(at).copied() else { break };
        let Some(member) = item.member else { continue };
        if name_fits(&source.which, Variable::Tx, member, loaded, scratch, meter)? {
            if let Some(place) = items.get_mut(kept) {
                *place = item;
            }
            kept += 1;
        }
    }
    items.truncate(kept);
    Ok(())
}
