//! From targets to the values they select. A selection over fixed values is resolved once a phase; one over values that
//! actions change is resolved each time.

use super::buffers::Cell;
use super::caches::Caches;
use super::env::Env;
use super::matched::full_name;
use super::memory::{Memory, Slice};
use super::scratch::Scratch;
use super::values::{Values, shows, tag};
use crate::meter::{Exhausted, Meter, Price};
use crate::program::{Loaded, PatternId, Selection, SelectionId, Source, Step, Which};
use crate::rule::Variable;
use crate::scan::Plain;

/// Comparing one member's name with a selector.
const COMPARE: u64 = 3;
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
    /// For each selection of the program: range of `places`, if resolved in this phase.
    resolved: Vec<Option<(u32, u32)>>,
    /// The selected values: the place of the cell among all of the request, or from [`OTHER`] on the position in `others`. Everything
    /// else about a cell is where it belongs: rules that look at all arguments are many, and so would be the copies.
    places: Vec<u32>,
    /// As what they were selected.
    variables: Vec<Variable>,
    /// Values that no cell holds.
    others: Vec<Item>,
    /// The items of the link that runs, if its selection is dynamic; else room to collect them.
    dynamic: Vec<Item>,
    current: Option<(u32, u32)>,
}

/// Above the places of all cells.
const OTHER: u32 = 1 << 31;

impl Selections {
    /// Forgets what was resolved: the values have changed.
    pub(super) fn clear(&mut self, count: usize) {
        self.resolved.clear();
        self.resolved.resize(count, None);
        self.places.clear();
        self.variables.clear();
        self.others.clear();
        self.dynamic.clear();
        self.current = None;
    }

    /// Gives back what is not in use beyond about `bytes` for each list.
    pub(super) fn shrink_to(&mut self, bytes: usize) {
        self.others.shrink_to(bytes / size_of::<Item>());
        self.dynamic.shrink_to(bytes / size_of::<Item>());
        self.places.shrink_to(bytes / size_of::<u32>());
        self.variables.shrink_to(bytes / size_of::<Variable>());
    }

    /// Bytes that an item takes while it is collected.
    const ITEM: usize = size_of::<Item>();
    /// Bytes that it takes from then on, if a cell holds its value.
    const PLACE: usize = size_of::<u32>() + size_of::<Variable>();

    /// Bytes of the lists, to bound them.
    fn memory(&self) -> usize {
        (self.others.len() + self.dynamic.len()) * Self::ITEM + self.places.len() * Self::PLACE
    }

    /// For each item of the link that runs: the place of its cell; nothing if its selection is dynamic.
    pub(super) fn places(&self) -> &[u32] {
        let range = self.current.map_or(0..0, |(start, end)| start as usize..end as usize);
        self.places.get(range).unwrap_or_default()
    }

    /// The `at`-th item of the link that runs.
    pub(super) fn item(&self, at: usize, memory: &Memory, values: &Values) -> Option<Item> {
        let Some((start, end)) = self.current else { return self.dynamic.get(at).copied() };
        let at = (start as usize).saturating_add(at);
        if at >= end as usize {
            return None;
        }
        let (place, variable) = (*self.places.get(at)?, *self.variables.get(at)?);
        if let Some(other) = place.checked_sub(OTHER) {
            return self.others.get(other as usize).copied();
        }
        let cell = Cell::at(place as usize);
        let field = |at: u32| memory.fields.items().get(at as usize);
        let (member, value) = match cell {
            Cell::Scalar(variable) => (None, values.scalar(variable)?),
            Cell::Value(at) => field(at).map(|field| (Some(field.name), Slice::Field(field.value)))?,
            Cell::Name(at) => field(at).map(|field| (Some(field.name), Slice::Field(field.name)))?,
        };
        let member = member.filter(|_| has_members(variable)).map(Slice::Field);
        Some(Item { variable, member, value: ItemValue::Cell(cell, value) })
    }

    /// Keeps what was collected; answers its range.
    fn keep(&mut self) -> (u32, u32) {
        let start = self.places.len() as u32;
        for item in &self.dynamic {
            let place = match item.value {
                ItemValue::Cell(cell, _) => cell.place() as u32,
                ItemValue::Once(_) | ItemValue::Count(..) => {
                    self.others.push(*item);
                    OTHER + (self.others.len() - 1) as u32
                }
            };
            self.places.push(place);
            self.variables.push(item.variable);
        }
        self.dynamic.clear();
        (start, self.places.len() as u32)
    }
}

/// Whether a variable that shows fields calls them by their names.
fn has_members(variable: Variable) -> bool {
    !matches!(variable, Variable::Xml)
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
    let selections = &mut scratch.selections;
    scratch.memory.tables.selections = selections.memory();
    selections.dynamic.clear();
    selections.current = None;
    let mut items = std::mem::take(&mut selections.dynamic);
    let collected = collect(selection, loaded, scratch, meter, &mut items)
        .and_then(|()| scratch.memory.admit(items.len() * Selections::ITEM));
    if collected.is_err() {
        // What was found so far is not what the selection means: the next rule must not take it for that.
        items.clear();
    }
    let selections = &mut scratch.selections;
    selections.dynamic = items;
    collected?;
    if !selection.dynamic {
        let range = selections.keep();
        selections.current = Some(range);
        if let Some(place) = selections.resolved.get_mut(id.index()) {
            *place = Some(range);
        }
    }
    Ok(())
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
        if !selection.exclusions.is_empty() {
            exclude(selection, before, loaded, scratch, meter, items)?;
        }
    }
    Ok(())
}

/// Takes out of the items from `first` on what the exclusions name; the others keep their order.
fn exclude(
    selection: &Selection,
    first: usize,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
    items: &mut Vec<Item>,
) -> Result<(), Exhausted> {
    let mut kept = first;
    for at in first..items.len() {
        let Some(item) = items.get(at).copied() else { break };
        let mut excluded = false;
        for exclusion in &selection.exclusions {
            excluded = excluded || selects(exclusion, &item, &selection.targets, loaded, scratch, meter)?;
        }
        if !excluded {
            if let Some(place) = items.get_mut(kept) {
                *place = item;
            }
            kept += 1;
        }
    }
    items.truncate(kept);
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
    meter.charge(1)?;
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
        Which::Regex(id) => finds(*id, text, loaded, &mut scratch.caches, meter),
    }
}

/// Whether a pattern finds anything in a name.
fn finds(
    id: PatternId,
    text: &[u8],
    loaded: &Loaded,
    caches: &mut Caches,
    meter: &mut Meter,
) -> Result<bool, Exhausted> {
    if let Some(plain) = loaded.program().patterns.get(id.index()).and_then(|plan| plan.plain.as_ref()) {
        meter.charge_rule(Plain::PRICE.of(text.len()))?;
        if let Some(found) = plain.finds_in(text) {
            return Ok(found);
        }
    }
    let (Some(pattern), Some(cache)) = (loaded.pattern(id), caches.get_mut(id)) else { return Ok(false) };
    pattern.finds(cache, text, meter)
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
        let wanted = match &source.which {
            Which::Key(key) => Some(tag(key)),
            _ => None,
        };
        let count = scratch.values.members(group).len();
        meter.charge(COMPARE * count as u64)?;
        if source.which == Which::All {
            // Before they are listed, not when they are: there may be a million.
            scratch.memory.admit(count * Selections::ITEM)?;
        }
        let mut position = 0;
        while position < count {
            if let Some(wanted) = wanted {
                let rest = scratch.values.tags(group).get(position..).unwrap_or_default();
                let Some(next) = rest.iter().position(|tag| *tag == wanted) else { break };
                position += next;
            }
            let Some(&at) = scratch.values.members(group).get(position) else { break };
            let Some(field) = scratch.memory.fields.items().get(at as usize).copied() else { break };
            position += 1;
            let name = Slice::Field(field.name);
            let fits = match &source.which {
                Which::All => true,
                which => name_fits(which, variable, name, loaded, scratch, meter)?,
            };
            if fits {
                let value = Slice::Field(part.of(&field));
                let member = has_members(variable).then_some(name);
                items.push(Item { variable, member, value: ItemValue::Cell(part.cell(at), value) });
            }
        }
        return Ok(());
    }
    match variable {
        Variable::Tx => tx_members(source, loaded, scratch, meter, items),
        Variable::MatchedVars | Variable::MatchedVarsNames => {
            if scratch.matched.is_cut() {
                scratch.flags.note("matched variables");
            }
            for at in 0..scratch.matched.list().len() {
                let Some(found) = scratch.matched.list().get(at).copied() else { break };
                let mut name = std::mem::take(&mut scratch.text);
                name.clear();
                full_name(&found, &scratch.memory, &mut name);
                let kept = meter.charge(MAKE.of(name.len())).and_then(|()| scratch.memory.keep(&name));
                scratch.text = name;
                let member = kept?;
                if source.which == Which::All || name_fits(&source.which, variable, member, loaded, scratch, meter)? {
                    let value = if variable == Variable::MatchedVars { found.value } else { member };
                    items.push(Item { variable, member: Some(member), value: ItemValue::Once(value) });
                }
            }
            Ok(())
        }
        Variable::Env => {
            let first = items.len();
            let env = scratch.env.clone();
            let set = scratch.environment.iter().map(|(name, value)| (&**name, value.as_slice()));
            for (key, value) in set.chain(given(&*env, &scratch.environment)) {
                meter.charge(MAKE.of(key.len() + value.len()))?;
                let member = Some(scratch.memory.keep(key)?);
                items.push(Item { variable, member, value: ItemValue::Once(scratch.memory.keep(value)?) });
            }
            keep_named(source, first, loaded, scratch, meter, items)
        }
        Variable::Geo => {
            let Some(place) = scratch.geo.take() else { return Ok(()) };
            let done = place.members().try_for_each(|(key, value)| {
                meter.charge(MAKE.of(key.len() + value.len()))?;
                let member = Slice::Static(key.as_bytes());
                if source.which == Which::All || name_fits(&source.which, variable, member, loaded, scratch, meter)? {
                    let value = scratch.memory.keep(value)?;
                    items.push(Item { variable, member: Some(member), value: ItemValue::Once(value) });
                }
                Ok(())
            });
            scratch.geo = Some(place);
            done
        }
        Variable::PerfRules => {
            meter.charge(scratch.rule_fuel.len() as u64)?;
            let rules: Vec<_> = super::performance::rules(loaded, scratch).collect();
            for (rule, micros) in rules {
                meter.charge(MAKE.of(32))?;
                let member = scratch.memory.keep(itoa(rule.0).as_bytes())?;
                if source.which == Which::All || name_fits(&source.which, variable, member, loaded, scratch, meter)? {
                    let value = scratch.memory.keep(itoa(micros).as_bytes())?;
                    items.push(Item { variable, member: Some(member), value: ItemValue::Once(value) });
                }
            }
            Ok(())
        }
        collection if collection.is_persistent() => collection_members(source, loaded, scratch, meter, items),
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

fn collection_members(
    source: &Source,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
    items: &mut Vec<Item>,
) -> Result<(), Exhausted> {
    let variable = source.variable;
    if let Which::Key(key) = &source.which {
        meter.charge(Step::FIND.saturating_mul(scratch.opened.len(variable) as u64))?;
        let found = scratch.opened.entries(variable).find(|(name, _)| name.eq_ignore_ascii_case(key));
        let Some((name, value)) = found else { return Ok(()) };
        meter.charge(MAKE.of(name.len() + value.len()))?;
        let member = Some(scratch.memory.keep(name)?);
        items.push(Item { variable, member, value: ItemValue::Once(scratch.memory.keep(value)?) });
        return Ok(());
    }
    let first = items.len();
    for (name, value) in scratch.opened.entries(variable) {
        meter.charge(MAKE.of(name.len() + value.len()))?;
        let member = Some(scratch.memory.keep(name)?);
        items.push(Item { variable, member, value: ItemValue::Once(scratch.memory.keep(value)?) });
    }
    keep_named(source, first, loaded, scratch, meter, items)
}

/// The host's environment variables that no `setenv` has replaced.
fn given<'e>(env: &'e dyn Env, set: &'e [(Box<[u8]>, Vec<u8>)]) -> impl Iterator<Item = (&'e [u8], &'e [u8])> {
    let replaced = |name: &[u8]| set.iter().any(|(own, _)| **own == *name);
    env.variables().iter().filter(move |given| !replaced(&given.name)).map(|given| (&*given.name, &*given.value))
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
        let value = scratch.memory.keep(value)?;
        let member = scratch.memory.keep(scratch.tx.name(program, key))?;
        items.push(Item { variable: Variable::Tx, member: Some(member), value: ItemValue::Once(value) });
        return Ok(());
    }
    let known = match &source.which {
        Which::Regex(id) => loaded.tx_names(*id),
        _ => &[],
    };
    meter.charge(COMPARE * scratch.tx.listed() as u64)?;
    for (key, value) in scratch.tx.iter() {
        let fits = match (&source.which, known.get(key.index())) {
            (_, Some(known)) => *known,
            (Which::All, _) => true,
            (Which::Key(wanted), _) => scratch.tx.name(program, key).eq_ignore_ascii_case(wanted),
            (Which::Tx(wanted), _) => *wanted == key,
            (Which::Regex(id), _) => finds(*id, scratch.tx.name(program, key), loaded, &mut scratch.caches, meter)?,
        };
        if fits {
            let name = scratch.tx.name(program, key);
            meter.charge(MAKE.of(name.len() + value.len()))?;
            let member = scratch.memory.keep(name)?;
            let value = scratch.memory.keep(value)?;
            items.push(Item { variable: Variable::Tx, member: Some(member), value: ItemValue::Once(value) });
        }
    }
    Ok(())
}

/// Leaves, of the items from `first` on, those whose names the target selects.
fn keep_named(
    source: &Source,
    first: usize,
    loaded: &Loaded,
    scratch: &mut Scratch,
    meter: &mut Meter,
    items: &mut Vec<Item>,
) -> Result<(), Exhausted> {
    if source.which == Which::All {
        return Ok(());
    }
    let mut kept = first;
    for at in first..items.len() {
        let Some(item) = items.get(at).copied() else { break };
        let Some(member) = item.member else { continue };
        if name_fits(&source.which, source.variable, member, loaded, scratch, meter)? {
            if let Some(place) = items.get_mut(kept) {
                *place = item;
            }
            kept += 1;
        }
    }
    items.truncate(kept);
    Ok(())
}
