//! How a ruleset was compiled, as text: what `fusewall explain` prints and what snapshot tests hold.

use super::{Fate, Look, Need, Program, Screen, Selection, Source, Step, Test, Text, TextPart, Which};
use std::fmt::Write;

/// Describes a program: tables, then each phase's schedule, then what was folded away.
pub fn explain(program: &Program) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(program, &mut out);
    out
}

fn write(program: &Program, out: &mut String) -> std::fmt::Result {
    let live: usize = program.schedule.iter().map(Vec::len).sum();
    writeln!(
        out,
        "{} rules, {live} scheduled; {} selections, {} pipeline nodes, {} operators, {} patterns, {} literals, {} screened, windows {:?}",
        program.rules.len(),
        program.selections.len(),
        program.nodes.len(),
        program.tests.len(),
        program.patterns.len(),
        program.literals.len(),
        program.sieves.iter().map(|sieve| sieve.slots.len()).sum::<usize>(),
        program.sieves.each_ref().map(|sieve| sieve.windows.len())
    )?;
    for (phase, rules) in program.schedule.iter().enumerate() {
        if rules.is_empty() {
            continue;
        }
        writeln!(out, "\nphase {}", phase + 1)?;
        for (position, &ix) in rules.iter().enumerate() {
            let (Some(rule), Some(planned)) = (program.source(ix), program.rules.get(ix.index())) else { continue };
            write!(out, "{position:4} rule {}", rule.id)?;
            if planned.fate == Fate::Always {
                write!(out, " (constant: always)")?;
            }
            if let Some(jump) = planned.jump {
                write!(out, " -> {jump}")?;
            }
            writeln!(out, "  price {} + {}/KiB", planned.price.per_call, planned.price.per_kib)?;
            for link in &planned.links {
                if let Some(look) = &link.look {
                    writeln!(out, "       {}", describe_look(program, look))?;
                }
                for step in &link.actions {
                    writeln!(out, "       do {}", describe_step(program, step))?;
                }
            }
        }
    }
    let folded: Vec<_> = program
        .rules
        .iter()
        .zip(&program.ruleset.rules)
        .filter(|(planned, _)| matches!(planned.fate, Fate::Never | Fate::Unreachable))
        .map(|(planned, rule)| {
            let why = if planned.fate == Fate::Never { "constant: never" } else { "unreachable" };
            format!("{} ({why})", rule.id)
        })
        .collect();
    if !folded.is_empty() {
        writeln!(out, "\nfolded away: {}", folded.join(", "))?;
    }
    Ok(())
}

fn describe_look(program: &Program, look: &Look) -> String {
    let selection =
        program.selections.get(look.selection.index()).map_or(String::new(), |s| describe_selection(program, s));
    let path = program.nodes.get(look.node.index()).map(|node| node.path.as_slice()).unwrap_or_default();
    let steps: Vec<_> =
        path.iter().filter_map(|node| program.nodes.get(node.index())?.step.map(|(_, step)| step.name())).collect();
    let pipeline = if steps.is_empty() { String::new() } else { format!(" |> {}", steps.join(" |> ")) };
    let sign = if look.negated { "!" } else { "" };
    let multi = if look.multi_match { " (multiMatch)" } else { "" };
    let test = program.tests.get(look.test.index()).map_or(String::new(), |test| describe_test(program, test));
    format!("{selection}{pipeline}{multi} {sign}{test}")
}

fn describe_selection(program: &Program, selection: &Selection) -> String {
    let included = selection.targets.iter().map(|source| describe_source(program, source));
    let excluded = selection.exclusions.iter().map(|source| format!("!{}", describe_source(program, source)));
    included.chain(excluded).collect::<Vec<_>>().join("|")
}

/// A target as rule authors write it.
pub(crate) fn describe_source(program: &Program, source: &Source) -> String {
    let count = if source.count { "&" } else { "" };
    let name = source.variable.name();
    match &source.which {
        Which::All => format!("{count}{name}"),
        Which::Key(key) => format!("{count}{name}:{}", key.escape_ascii()),
        Which::Tx(key) => {
            let key = program.tx_keys.get(key.index()).map_or(String::new(), |key| key.escape_ascii().to_string());
            format!("{count}{name}:{key}")
        }
        Which::Regex(id) => {
            let text =
                program.patterns.get(id.index()).map_or(String::new(), |p| p.pattern.text.escape_ascii().to_string());
            format!("{count}{name}:/{text}/")
        }
    }
}

fn describe_test(program: &Program, test: &Test) -> String {
    match test {
        Test::Rx(id) | Test::RxGlobal(id) | Test::Verify(_, id) => {
            let Some(plan) = program.patterns.get(id.index()) else { return String::new() };
            let text: String = plan.pattern.text.escape_ascii().to_string().chars().take(60).collect();
            format!(
                "@rx {text} [{:?}{}, {:?}, {} + {}/KiB{}]",
                plan.engine,
                match plan.exact {
                    crate::scan::Exact::Automaton => "",
                    crate::scan::Exact::Memoised => " + linear backtracking",
                    crate::scan::Exact::Metered => " + backtracking within the rule's budget",
                },
                plan.want,
                plan.price.per_call,
                plan.price.per_kib,
                plan.screens
                    .last()
                    .and_then(Option::as_ref)
                    .map_or_else(String::new, |screen| describe_screen(program, screen))
            )
        }
        Test::RxExpanded { text, want, .. } => {
            format!("@rx {} [compiled by each request, {want:?}]", describe_text(program, text))
        }
        Test::Pm(id) => {
            format!("@pm ({} phrases)", program.phrases.get(id.index()).map_or(0, |p| p.phrases.list.len()))
        }
        Test::Text(kind, text) => format!("{kind:?} {}", describe_text(program, text)),
        Test::Number(kind, text) => format!("{kind:?} {}", describe_text(program, text)),
        Test::IpMatch(set) => format!("@ipMatch ({} ranges)", set.len()),
        other => format!("{other:?}").split('(').next().unwrap_or_default().to_owned(),
    }
}

fn describe_screen(program: &Program, screen: &Screen) -> String {
    let mut out = String::new();
    if screen.min_len > 0 {
        let _ = write!(out, ", length >= {}", screen.min_len);
    }
    if !screen.any_of.is_empty() {
        let _ = write!(out, ", {} byte sets", screen.any_of.len());
    }
    if screen.need != Need::Always {
        let text: String = describe_need(program, &screen.need).chars().take(80).collect();
        let _ = write!(out, ", needs {text}");
    }
    for cut in &screen.windows {
        let _ = write!(out, ", a window of {}", cut.len());
    }
    out
}

fn describe_need(program: &Program, need: &Need) -> String {
    let list = |needs: &[Need], with: &str| {
        needs.iter().map(|need| describe_need(program, need)).collect::<Vec<_>>().join(with)
    };
    match need {
        Need::Always => "-".to_owned(),
        Need::Literal(at) => program
            .literals
            .get(*at as usize)
            .map_or(String::new(), |literal| format!("{:?}", literal.escape_ascii().to_string())),
        Need::All(needs) => format!("({})", list(needs, " and ")),
        Need::Any(needs) => format!("({})", list(needs, " or ")),
        Need::AnyOf(words) => {
            let bits = words
                .iter()
                .flat_map(|(at, bits)| (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| at * 64 + bit));
            format!("({})", list(&bits.map(Need::Literal).collect::<Vec<_>>(), " or "))
        }
    }
}

fn describe_text(program: &Program, text: &Text) -> String {
    text.parts
        .iter()
        .map(|part| match part {
            TextPart::Literal(text) => text.escape_ascii().to_string(),
            TextPart::Tx(key) => {
                let key = program.tx_keys.get(key.index()).map_or(String::new(), |key| key.escape_ascii().to_string());
                format!("%{{tx.{key}}}")
            }
            TextPart::Matching(variable, id) => {
                let pattern = program
                    .patterns
                    .get(id.index())
                    .map_or(String::new(), |plan| plan.pattern.text.escape_ascii().to_string());
                format!("%{{{}./{pattern}/}}", variable.name())
            }
            TextPart::Variable(variable, None) => format!("%{{{}}}", variable.name()),
            TextPart::Variable(variable, Some(key)) => format!("%{{{}.{}}}", variable.name(), key.escape_ascii()),
        })
        .collect()
}

fn describe_step(program: &Program, step: &Step) -> String {
    let right = |right: &super::SetStep| match right {
        super::SetStep::Set(text) => format!("= {}", describe_text(program, text)),
        super::SetStep::Add(text) => format!("+= {}", describe_text(program, text)),
        super::SetStep::Subtract(text) => format!("-= {}", describe_text(program, text)),
        super::SetStep::Unset => "unset".to_owned(),
    };
    match step {
        Step::SetTx(key, set) => {
            let key = program.tx_keys.get(key.index()).map_or(String::new(), |key| key.escape_ascii().to_string());
            format!("tx.{key} {}", right(set))
        }
        Step::SetVar(variable, key, set) => {
            format!("{}.{} {}", variable.name(), describe_text(program, key), right(set))
        }
        Step::Ctl(ctl) => format!("ctl {ctl:?}"),
        Step::InitCollection(variable, key) => format!("initcol {} {}", variable.name(), describe_text(program, key)),
        Step::Expire(variable, key, seconds) => {
            let seconds = describe_text(program, seconds);
            format!("expire {}.{} after {seconds} s", variable.name(), describe_text(program, key))
        }
        Step::Deprecate(variable, key, rate) => {
            let rate = describe_text(program, rate);
            format!("deprecate {}.{} by {rate} s", variable.name(), describe_text(program, key))
        }
        Step::Sanitise(what) => format!("sanitise {what:?}"),
        Step::SetEnv(name, value) => {
            format!("setenv {}={}", describe_text(program, name), describe_text(program, value))
        }
    }
}
