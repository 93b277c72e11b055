//! What a replay has found, for people.

use super::against::Troubles;
use super::differences::Found;
use super::source::Account;
use super::summary::{Figures, ScoreCount};
use super::{Answer, Compared, Lacking};
use crate::cli::say;
use std::io;

/// Rows of a table; machines see all.
const SHOWN: usize = 20;

/// Scores of a row, from the first to the last.
const SCORES: [(i64, i64); 6] = [(i64::MIN, 0), (1, 4), (5, 9), (10, 19), (20, 49), (50, i64::MAX)];

/// Prints all of it.
///
/// # Errors
/// A reader that has gone.
pub fn print(answer: &Answer) -> io::Result<()> {
    answer.sources.iter().try_for_each(source)?;
    answer.lacking.iter().try_for_each(lacking)?;
    verdicts(answer)?;
    rules(&answer.figures)?;
    candidates(&answer.figures)?;
    answer.against.iter().try_for_each(compared)
}

fn source(account: &Account) -> io::Result<()> {
    let Account { name, requests, unread, first_unread } = account;
    say(format_args!("{name}: {requests} requests, {unread} that cannot be read"))?;
    for place in first_unread {
        say(format_args!("  line {}: {}", place.line, place.reason))?;
    }
    more(*unread as usize, first_unread.len(), "such places")
}

fn lacking(lacking: &Lacking) -> io::Result<()> {
    let Lacking { what, requests, not_judged, judged_in_part, of } = lacking;
    say(format_args!(
        "{requests} requests without {what}: of {of} rules, {} are not judged for them, {} in part",
        not_judged.len(),
        judged_in_part.len()
    ))
}

fn verdicts(answer: &Answer) -> io::Result<()> {
    let Figures { requests, blocked, failed, exhausted, exhausted_example, scores, uninspected, .. } = &answer.figures;
    let percent = 100.0 * *blocked as f64 / (*requests).max(1) as f64;
    say(format_args!("\n{blocked} of {requests} requests would be blocked ({percent:.3} %)"))?;
    if answer.engine != "On" {
        say(format_args!("  the rules say `SecRuleEngine {}`: --enforce judges as if they said On", answer.engine))?;
    }
    if *failed > 0 {
        say(format_args!("  {failed} of them because of an internal error"))?;
    }
    if let Some(example) = exhausted_example {
        say(format_args!("  {exhausted} have spent a budget, first {}: {}", example.id, example.request))?;
    }
    for (what, requests) in uninspected {
        say(format_args!("  not inspected: {what}, in {requests}"))?;
    }
    say("anomaly scores:")?;
    for (first, last) in SCORES {
        let of = |count: &&ScoreCount| (first..=last).contains(&count.score);
        let requests: u64 = scores.iter().filter(of).map(|count| count.requests).sum();
        let range = match (first, last) {
            (i64::MIN, last) => last.to_string(),
            (first, i64::MAX) => format!("{first} and more"),
            (first, last) => format!("{first} to {last}"),
        };
        say(format_args!("  {range:12}{requests:>10}"))?;
    }
    Ok(())
}

fn rules(figures: &Figures) -> io::Result<()> {
    if figures.rules.is_empty() {
        return Ok(());
    }
    say(format_args!(
        "\n{:>10} {:>10} {:>10}  rules that were logged, with an example",
        "rule", "requests", "blocked"
    ))?;
    for rule in figures.rules.iter().take(SHOWN) {
        let (example, message) = (&rule.example, &rule.message);
        say(format_args!("{:>10} {:>10} {:>10}  {message}", rule.id, rule.requests, rule.blocked))?;
        say(format_args!("{:34}{}: {}", "", example.id, example.request))?;
    }
    more(figures.rules.len(), SHOWN, "rules")
}

fn candidates(figures: &Figures) -> io::Result<()> {
    if figures.candidates.is_empty() {
        return Ok(());
    }
    say("\nwhere legitimate requests may be blocked, those of most clients first:")?;
    for candidate in figures.candidates.iter().take(SHOWN) {
        let super::paths::Candidate { path, rule, variable, requests, of, clients, example } = candidate;
        say(format_args!("  {path}  rule {rule} at {variable}: {requests} of {of} requests, {clients} clients"))?;
        say(format_args!("      {}: {}", example.id, example.request))?;
    }
    more(figures.candidates.len(), SHOWN, "such places")?;
    match figures.other_paths {
        0 => Ok(()),
        others => say(format_args!("  {others} requests have paths too many to be counted one by one")),
    }
}

fn compared(compared: &Compared) -> io::Result<()> {
    let Compared { engine, found, not_compared } = compared;
    let Found { compared, different, decided_differently, groups, other_groups } = found;
    say(format_args!(
        "\nbeside {engine}: {different} of {compared} requests differ, {decided_differently} of them in what is decided"
    ))?;
    for group in groups.iter().take(SHOWN) {
        let ids = |what: &str, ids: &[u64]| match ids {
            [] => String::new(),
            ids => format!("; only {what}: {}", ids.iter().map(u64::to_string).collect::<Vec<_>>().join(" ")),
        };
        let (cause, here, there) = (group.cause.name(), &group.here, &group.there);
        let answers = if here == there { here.clone() } else { format!("here {here}, there {there}") };
        let (here, there) = (ids("here", &group.only_here), ids("there", &group.only_there));
        say(format_args!("  {} x {cause} ({answers}{here}{there})", group.requests))?;
        for example in &group.examples {
            say(format_args!("      {}: {}", example.id, example.request))?;
        }
    }
    more(groups.len(), SHOWN, "groups")?;
    if *other_groups > 0 {
        say(format_args!("  {other_groups} more requests, in groups too many to be told apart"))?;
    }
    let Troubles { crashed, hung, refused, not_asked, examples } = not_compared;
    if not_compared.all() > 0 {
        say(format_args!(
            "not compared: {} requests ({crashed} ended the engine, {hung} had no answer in time, {refused} were refused, \
             {not_asked} were not asked)",
            not_compared.all()
        ))?;
        examples.iter().try_for_each(|example| say(format_args!("  {example}")))?;
    }
    Ok(())
}

fn more(all: usize, shown: usize, what: &str) -> io::Result<()> {
    match all.saturating_sub(shown) {
        0 => Ok(()),
        left_out => say(format_args!("  and {left_out} more {what}")),
    }
}
