//! What the figures say: each peer against Fusewall, on the requests on which they agree.

use crate::engines::Verdict;
use crate::load::Load;
use crate::measure::{Sample, median, quantile};
use anyhow::ensure;
use serde::{Deserialize, Serialize};

/// All that a run has found.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// Counted rounds.
    pub rounds: usize,
    /// What loading took, by ruleset and engine.
    pub loads: Vec<Load>,
    /// The comparisons.
    pub rows: Vec<Row>,
}

/// Where a row's figures come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The ruleset's file name without its ending.
    pub rules: String,
    /// The class.
    pub class: String,
    /// Requests that an engine evaluates before it is the next one's turn.
    pub turn: usize,
}

/// Which requests of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subset {
    /// All.
    All,
    /// Those that Fusewall lets pass.
    Passed,
}

/// A class of requests under one ruleset, or the part of it that Fusewall lets pass.
#[derive(Debug, Serialize, Deserialize)]
pub struct Row {
    /// Where the figures come from.
    #[serde(flatten)]
    pub place: Place,
    /// Which requests of the class.
    pub subset: Subset,
    /// How many they are.
    pub requests: usize,
    /// How many of them are generated.
    pub generated: usize,
    /// How many of them Fusewall refuses.
    pub refused: usize,
    /// Fusewall on all of them.
    pub fusewall: Cpu,
    /// The peers.
    pub peers: Vec<Peer>,
}

/// CPU time over requests, in microseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cpu {
    /// The median.
    pub p50: f64,
    /// What 95 % of them stay below.
    pub p95: f64,
}

impl Cpu {
    fn of(times: &[f64]) -> Cpu {
        Cpu { p50: median(times.to_vec()), p95: quantile(times.to_vec(), 0.95) }
    }
}

/// A peer beside Fusewall.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Its name and version.
    pub engine: String,
    /// Requests on which both have the same verdict: both let them pass, or both refuse them with the same status.
    pub agree: usize,
    /// Requests that only Fusewall refuses.
    pub only_fusewall_refuses: usize,
    /// Requests that only the peer refuses.
    pub only_peer_refuses: usize,
    /// Requests that both refuse, with different statuses.
    pub status_differs: usize,
    /// The figures over the requests on which they agree; none without such a request.
    pub agreed: Option<Agreed>,
}

/// Both engines over the requests on which they agree.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreed {
    /// Fusewall.
    pub fusewall: Cpu,
    /// The peer.
    pub peer: Cpu,
    /// The peer's median by Fusewall's: above 1, Fusewall needs less.
    pub ratio: f64,
    /// The median over requests of the peer's time by Fusewall's on the same request.
    pub paired_ratio: f64,
}

impl Row {
    /// Compares the engines `names`, the first of them Fusewall, on `samples`, the last `generated` of which are
    /// generated requests.
    pub fn new(place: &Place, names: &[String], samples: &[Sample], generated: usize) -> Row {
        let all: Vec<_> = samples.iter().collect();
        let own: Vec<_> = all.iter().map(|sample| sample.cpu_us[0]).collect();
        Row {
            place: place.clone(),
            subset: Subset::All,
            requests: all.len(),
            generated,
            refused: all.iter().filter(|sample| sample.verdicts[0].is_some()).count(),
            fusewall: Cpu::of(&own),
            peers: names.iter().enumerate().skip(1).map(|(at, name)| Peer::new(name, at, &all)).collect(),
        }
    }

    /// The same over the requests that Fusewall lets pass, where that is a part of them only.
    pub fn passed(place: &Place, names: &[String], samples: &[Sample], generated: usize) -> Option<Row> {
        let passes = |sample: &&Sample| sample.verdicts[0].is_none();
        let kept: Vec<_> = samples.iter().filter(passes).cloned().collect();
        let generated = samples.iter().rev().take(generated).filter(passes).count();
        let part = !kept.is_empty() && kept.len() < samples.len();
        part.then(|| Row { subset: Subset::Passed, ..Row::new(place, names, &kept, generated) })
    }
}

impl Peer {
    /// Compares engine `at` with Fusewall, engine 0.
    fn new(name: &str, at: usize, samples: &[&Sample]) -> Peer {
        let count = |test: fn(Verdict, Verdict) -> bool| {
            samples.iter().filter(|sample| test(sample.verdicts[0], sample.verdicts[at])).count()
        };
        let agreed: Vec<_> = samples.iter().filter(|sample| sample.verdicts[0] == sample.verdicts[at]).collect();
        let times = |engine: usize| agreed.iter().map(|sample| sample.cpu_us[engine]).collect::<Vec<_>>();
        let (own, peer) = (Cpu::of(&times(0)), Cpu::of(&times(at)));
        let pairs = agreed.iter().map(|sample| sample.cpu_us[at] / sample.cpu_us[0]).collect();
        Peer {
            engine: name.to_owned(),
            agree: agreed.len(),
            only_fusewall_refuses: count(|own, peer| own.is_some() && peer.is_none()),
            only_peer_refuses: count(|own, peer| own.is_none() && peer.is_some()),
            status_differs: count(|own, peer| own.is_some() && peer.is_some() && own != peer),
            agreed: (!agreed.is_empty()).then(|| Agreed {
                ratio: peer.p50 / own.p50,
                paired_ratio: median(pairs),
                fusewall: own,
                peer,
            }),
        }
    }
}

impl Report {
    /// Takes over what another run of the same comparison found about other peers.
    ///
    /// # Errors
    /// Another comparison, or one in which Fusewall's verdicts differ.
    pub fn merge(&mut self, other: Report) -> anyhow::Result<()> {
        ensure!(self.rows.len() == other.rows.len(), "two runs have different rows");
        for (row, from) in self.rows.iter_mut().zip(other.rows) {
            let same = |row: &Row| (row.place.clone(), row.subset, row.requests, row.refused);
            ensure!(same(row) == same(&from), "two runs differ in {:?}", row.place);
            row.peers.extend(from.peers);
        }
        let known: Vec<_> = self.loads.iter().map(|load| load.engine.clone()).collect();
        self.loads.extend(other.loads.into_iter().filter(|load| !known.contains(&load.engine)));
        Ok(())
    }

    /// The tables for people, in Markdown.
    pub fn tables(&self) -> String {
        let mut text = String::from(
            "| rules | class | at a turn | requests (generated) | refused | peer | same verdict | Fusewall p50 / p95 us | peer p50 / p95 us \
             | ratio | ratio, paired |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            for peer in &row.peers {
                text.push_str(&line(row, peer));
            }
        }
        text.push_str("\n| rules | engine | load ms | resident KB |\n|---|---|---|---|\n");
        for Load { rules, engine, load_ms, rss_kb } in &self.loads {
            text.push_str(&format!("| {rules} | {engine} | {load_ms:.0} | {rss_kb} |\n"));
        }
        text
    }
}

fn line(row: &Row, peer: &Peer) -> String {
    let Row { place: Place { rules, class, turn }, subset, requests, generated, refused, .. } = row;
    let subset = if *subset == Subset::All { "" } else { ", passed" };
    let mut verdicts = format!("{} ({:.0} %)", peer.agree, 100.0 * peer.agree as f64 / *requests as f64);
    for (count, what) in [
        (peer.only_fusewall_refuses, "only Fusewall refuses"),
        (peer.only_peer_refuses, "only the peer refuses"),
        (peer.status_differs, "other status"),
    ] {
        if count > 0 {
            verdicts.push_str(&format!("; {count} {what}"));
        }
    }
    let figures = peer.agreed.as_ref().map_or_else(
        || "- | - | - | -".to_owned(),
        |Agreed { fusewall, peer, ratio, paired_ratio }| {
            format!(
                "{:.0} / {:.0} | {:.0} / {:.0} | **{ratio:.1}** | {paired_ratio:.1}",
                fusewall.p50, fusewall.p95, peer.p50, peer.p95
            )
        },
    );
    format!(
        "| {rules} | {class}{subset} | {turn} | {requests} ({generated}) | {refused} | {} | {verdicts} | {figures} |\n",
        peer.engine
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { rules: "pl1".to_owned(), class: "small".to_owned(), turn: 1 }
    }

    fn sample(own: (f64, Verdict), peer: (f64, Verdict)) -> Sample {
        Sample { cpu_us: vec![own.0, peer.0], verdicts: vec![own.1, peer.1] }
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample((10.0, None), (100.0, None)),
            sample((20.0, None), (100.0, None)),
            sample((30.0, Some(403)), (90.0, Some(403))),
            sample((1.0, None), (500.0, Some(403))),
            sample((1.0, Some(403)), (500.0, None)),
            sample((1.0, Some(403)), (500.0, Some(400))),
        ]
    }

    #[test]
    fn ratios_count_requests_with_the_same_verdict_only() {
        let row = Row::new(&place(), &["Fusewall".to_owned(), "peer".to_owned()], &samples(), 2);
        assert_eq!((row.requests, row.refused, row.generated), (6, 3, 2));
        let expected = Peer {
            engine: "peer".to_owned(),
            agree: 3,
            only_fusewall_refuses: 1,
            only_peer_refuses: 1,
            status_differs: 1,
            agreed: Some(Agreed {
                fusewall: Cpu { p50: 20.0, p95: 30.0 },
                peer: Cpu { p50: 100.0, p95: 100.0 },
                ratio: 5.0,
                paired_ratio: 5.0,
            }),
        };
        assert_eq!(row.peers, [expected]);
    }

    #[test]
    fn the_part_that_passes_is_its_own_row() {
        let names = ["Fusewall".to_owned(), "peer".to_owned()];
        let row = Row::passed(&place(), &names, &samples(), 3).expect("a part passes");
        assert_eq!((row.subset, row.requests, row.refused, row.generated), (Subset::Passed, 3, 0, 1));
        assert_eq!((row.peers[0].agree, row.peers[0].only_peer_refuses), (2, 1));
        assert_eq!(Row::passed(&place(), &names, &samples()[..2], 0).map(|row| row.requests), None);
    }

    #[test]
    fn without_agreement_there_is_no_ratio() {
        let row = Row::new(&place(), &["Fusewall".to_owned(), "peer".to_owned()], &samples()[3..4], 0);
        assert_eq!(row.peers[0].agreed, None);
        let report = Report { rounds: 1, loads: Vec::new(), rows: vec![row] };
        assert!(
            report.tables().contains("| 0 (0 %); 1 only the peer refuses | - | - | - | - |"),
            "{}",
            report.tables()
        );
    }

    #[test]
    fn runs_merge_by_row() {
        let report = |peer: &str| {
            let row = Row::new(&place(), &["Fusewall".to_owned(), peer.to_owned()], &samples(), 0);
            let load =
                |engine: &str| Load { rules: "pl1".to_owned(), engine: engine.to_owned(), load_ms: 1.0, rss_kb: 1 };
            Report { rounds: 1, loads: vec![load("Fusewall"), load(peer)], rows: vec![row] }
        };
        let mut merged = report("a");
        let other = serde_json::from_str(&serde_json::to_string(&report("b")).expect("JSON")).expect("a report");
        merged.merge(other).expect("the same comparison");
        let peers: Vec<_> = merged.rows[0].peers.iter().map(|peer| peer.engine.as_str()).collect();
        let loads: Vec<_> = merged.loads.iter().map(|load| load.engine.as_str()).collect();
        assert_eq!((peers, loads), (vec!["a", "b"], vec!["Fusewall", "a", "b"]));
        let mut other = report("c");
        other.rows[0].refused += 1;
        assert!(merged.merge(other).is_err());
    }
}
