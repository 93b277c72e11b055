//! Words joined with and/or.

use super::Bounds;
use super::likelihood;

/// A condition on the words that a value contains, without regard to ASCII case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Nothing is required.
    Always,
    /// No value can satisfy it.
    Never,
    /// The value contains these bytes, which have no upper-case ASCII letter.
    Literal(Box<[u8]>),
    /// Each of them holds.
    All(Vec<Need>),
    /// One of them holds.
    Any(Vec<Need>),
}

impl Need {
    /// Whether it holds for a value, given whether the value contains a literal without regard to ASCII case.
    ///
    /// ```
    /// use fusewall::scan::require::Need;
    ///
    /// let need = Need::Any(vec![Need::Literal((*b"union").into()), Need::Literal((*b"select").into())]);
    /// assert!(need.holds(&|literal| literal == b"select"));
    /// assert!(!need.holds(&|_| false));
    /// ```
    pub fn holds(&self, contains: &dyn Fn(&[u8]) -> bool) -> bool {
        match self {
            Need::Always => true,
            Need::Never => false,
            Need::Literal(literal) => contains(literal),
            Need::All(needs) => needs.iter().all(|need| need.holds(contains)),
            Need::Any(needs) => needs.iter().any(|need| need.holds(contains)),
        }
    }

    /// Calls `visit` with each literal, some perhaps more than once.
    pub fn each_literal<'a>(&'a self, visit: &mut dyn FnMut(&'a [u8])) {
        match self {
            Need::Always | Need::Never => {}
            Need::Literal(literal) => visit(literal),
            Need::All(needs) | Need::Any(needs) => needs.iter().for_each(|need| need.each_literal(visit)),
        }
    }

    /// A guess at the share of ordinary values that satisfy it, 0 to 1; good for comparing needs, not more.
    pub fn likelihood(&self) -> f64 {
        match self {
            Need::Always => 1.0,
            Need::Never => 0.0,
            Need::Literal(literal) => likelihood::of_literal(literal),
            // Words that stand together in a pattern stand together in texts, so the likelihoods are not multiplied.
            Need::All(needs) => needs.iter().map(Need::likelihood).fold(1.0, f64::min),
            Need::Any(needs) => needs.iter().map(Need::likelihood).sum::<f64>().min(1.0),
        }
    }

    /// Number of literals, counting repeated ones.
    fn size(&self) -> usize {
        let mut size = 0;
        self.each_literal(&mut |_| size += 1);
        size
    }

    /// A need that stands for all of these, the rarest that the bounds allow.
    pub(super) fn all(needs: Vec<Need>, bounds: &Bounds) -> Need {
        let mut flat: Vec<Need> = Vec::with_capacity(needs.len());
        for need in needs {
            match need {
                Need::Never => return Need::Never,
                Need::Always => {}
                Need::All(inner) => flat.extend(inner),
                other if flat.contains(&other) => {}
                other => flat.push(other),
            }
        }
        let mut rated: Vec<(f64, usize, Need)> =
            flat.into_iter().map(|need| (need.likelihood(), need.size(), need)).collect();
        rated.sort_by(|(a, a_size, _), (b, b_size, _)| a.total_cmp(b).then(a_size.cmp(b_size)));
        let (mut kept, mut size) = (Vec::new(), 0);
        for (_, more, need) in rated {
            if kept.len() < bounds.all && size + more <= bounds.literals && !kept.contains(&need) {
                size += more;
                kept.push(need);
            }
        }
        one_or(kept, Need::Always, Need::All)
    }

    /// A need that stands for any of these; nothing is required if that would take more literals than the bounds allow.
    pub(super) fn any(needs: Vec<Need>, bounds: &Bounds) -> Need {
        let (mut literals, mut others) = (Vec::new(), Vec::new());
        let flat = needs.into_iter().flat_map(|need| match need {
            Need::Any(inner) => inner,
            other => vec![other],
        });
        for need in flat {
            match need {
                Need::Always => return Need::Always,
                Need::Never => {}
                Need::Literal(literal) => literals.push(literal),
                _ if others.len() > bounds.literals => return Need::Always,
                other if others.contains(&other) => {}
                other => others.push(other),
            }
        }
        let room = bounds.literals.saturating_sub(others.iter().map(Need::size).sum());
        let Some(literals) = few(literals, room) else { return Need::Always };
        let needs = literals.into_iter().map(Need::Literal).chain(others).collect();
        one_or(needs, Need::Never, Need::Any)
    }
}

/// Literals of this length are rare enough to stand for all that share them.
const SHARED: usize = 5;
/// What literals may be cut to, one after the other, until there are few enough.
const CUTS: [usize; 5] = [10, 8, 6, 5, 4];

/// Literals of which one occurs wherever one of these occurs: fewer, as far as that costs little.
fn few(mut literals: Vec<Box<[u8]>>, limit: usize) -> Option<Vec<Box<[u8]>>> {
    share_starts(&mut literals);
    reverse(&mut literals);
    share_starts(&mut literals);
    reverse(&mut literals);
    for len in CUTS {
        if literals.len() <= limit {
            break;
        }
        literals = literals.iter().map(|literal| literal.get(..len).unwrap_or(literal).into()).collect();
        literals.sort();
        literals.dedup();
    }
    (literals.len() <= limit).then(|| shortest(&literals))
}

/// Replaces literals that begin alike by what they have in common.
fn share_starts(literals: &mut Vec<Box<[u8]>>) {
    literals.sort();
    let common = |group: &[Box<[u8]>]| {
        let (first, last) = (group.first()?, group.last()?);
        let len = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        first.get(..len).map(Box::from)
    };
    *literals = literals
        .chunk_by(|a, b| a.get(..SHARED).is_some_and(|start| b.starts_with(start)))
        .filter_map(common)
        .collect();
}

fn reverse(literals: &mut [Box<[u8]>]) {
    literals.iter_mut().for_each(|literal| literal.reverse());
}

/// Those literals that contain no other: where a longer one occurs, so does the one in it.
fn shortest(literals: &[Box<[u8]>]) -> Vec<Box<[u8]>> {
    let contains = |long: &[u8], short: &[u8]| memchr::memmem::find(long, short).is_some();
    let implied = |literal: &[u8]| literals.iter().any(|other| other.len() < literal.len() && contains(literal, other));
    literals.iter().filter(|literal| !implied(literal)).cloned().collect()
}

fn one_or(mut needs: Vec<Need>, none: Need, many: impl Fn(Vec<Need>) -> Need) -> Need {
    match needs.len() {
        0 => none,
        1 => needs.pop().unwrap_or(none),
        _ => many(needs),
    }
}
