//! A rollout: events go in, decisions come out. The same events make the same decisions, so whoever keeps them can ask again why.

use super::gates::{Finding, Gate, Gates, Judged, Misdeclared};
use super::sample::{Figures, Observation, Sample};
use super::stage::{Plan, Stage};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a request of the operator's own set must come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Must {
    /// It is benign.
    Pass,
    /// It is an attack.
    Block,
}

/// Something that a rollout learns. Times are milliseconds of one clock; one that was set back stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Event {
    /// Both rulesets were asked about a request.
    Observed(Observation),
    /// The candidate was asked about a request of the operator's own set.
    Probed {
        /// When.
        at: u64,
        /// The request.
        id: String,
        /// What it must come to.
        must: Must,
        /// Whether the candidate blocks it.
        blocked: bool,
    },
    /// Time has passed: the moment to judge. Once a second or so.
    Tick {
        /// When.
        at: u64,
    },
    /// A person sends it on to the next stage, although a gate is open or too little was observed. What has failed has failed.
    Approved {
        /// When.
        at: u64,
    },
    /// A person ends it.
    Aborted {
        /// When.
        at: u64,
    },
    /// A generation was pinned ([`EmergencyLane`](super::EmergencyLane)).
    Pinned {
        /// When.
        at: u64,
        /// Which.
        generation: u64,
    },
    /// No generation is pinned any longer.
    Unpinned {
        /// When.
        at: u64,
    },
}

/// Why something was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "lowercase")]
#[non_exhaustive]
pub enum Why {
    /// All gates are passed.
    Passed,
    /// Gates have failed.
    Failed,
    /// Enough was observed, and gates are open: a person is asked.
    Held,
    /// A request of the operator's own set did not come to what it must.
    Probe {
        /// The request.
        id: String,
        /// What it must come to.
        must: Must,
    },
    /// A person has sent it on.
    Approved,
    /// A person has ended it.
    Aborted,
    /// A generation was pinned.
    Pinned {
        /// Which.
        generation: u64,
    },
    /// The time in which it may be rolled back is over. The rollout has ended well.
    Settled,
}

/// What a rollout has decided, and on what grounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// When, in milliseconds.
    pub at: u64,
    /// The stage before.
    pub from: Stage,
    /// The stage from now on; the same if it is held or settled.
    pub to: Stage,
    /// Why.
    #[serde(flatten)]
    pub why: Why,
    /// Every gate, as [`Gates::judge`] judges the figures.
    pub gates: Vec<Judged>,
    /// What was observed in the stage before.
    pub figures: Figures,
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Taken {
    /// Whether it has changed anything that a decision rests on. Only such events need to be kept for a replay.
    pub counts: bool,
    /// What was decided.
    pub decision: Option<Decision>,
}

/// Which rulesets, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contest {
    /// The generation in service.
    pub live: u64,
    /// The generation that is to replace it.
    pub candidate: u64,
    /// When it began, in milliseconds.
    pub at: u64,
}

/// A candidate on its way into service. Memory is bounded, whatever comes: about 16 MB. It belongs behind a lock beside the requests:
/// observations come from shadow evaluations, which nobody waits for.
///
/// ```
/// use fusewall::store::rollout::{Contest, Event, Gates, Plan, Rollout, Stage, Why};
///
/// let contest = Contest { live: 4, candidate: 5, at: 0 };
/// let mut rollout = Rollout::new(Plan::default(), Gates::default(), contest).unwrap();
/// assert_eq!(rollout.take(&Event::Tick { at: 1000 }).decision, None);
/// let decision = rollout.take(&Event::Approved { at: 2000 }).decision.unwrap();
/// assert_eq!((decision.from, decision.why), (Stage::Shadow, Why::Approved));
/// assert_eq!(rollout.stage().share().to_string(), "1 %");
/// ```
#[derive(Debug, Clone)]
pub struct Rollout {
    plan: Plan,
    gates: Gates,
    contest: Contest,
    stage: Stage,
    now: u64,
    /// Since when it is in this stage.
    entered: u64,
    /// Since when the sample is taken.
    sampled: u64,
    sample: Sample,
    probes: u32,
    /// The gates that were open when a person was asked last.
    asked: Vec<Gate>,
    pinned: Option<u64>,
    settled: bool,
}

impl Rollout {
    /// Begins in the shadow.
    ///
    /// # Errors
    /// Plan or gates make no sense.
    pub fn new(plan: Plan, gates: Gates, contest: Contest) -> Result<Rollout, Misdeclared> {
        plan.check()?;
        gates.check()?;
        Ok(Rollout {
            plan,
            gates,
            contest,
            stage: Stage::Shadow,
            now: contest.at,
            entered: contest.at,
            sampled: contest.at,
            sample: Sample::new(),
            probes: 0,
            asked: Vec::new(),
            pinned: None,
            settled: false,
        })
    }

    /// The decisions that these events lead to.
    ///
    /// # Errors
    /// Plan or gates make no sense.
    pub fn replay<'a>(
        plan: Plan,
        gates: Gates,
        contest: Contest,
        events: impl IntoIterator<Item = &'a Event>,
    ) -> Result<Vec<Decision>, Misdeclared> {
        let mut rollout = Rollout::new(plan, gates, contest)?;
        Ok(events.into_iter().filter_map(|event| rollout.take(event).decision).collect())
    }

    /// How far it has come.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Which rulesets it is about.
    pub fn contest(&self) -> Contest {
        self.contest
    }

    /// Whether it is over: refused, rolled back, or promoted and no longer watched. The previous generation may then go.
    pub fn is_over(&self) -> bool {
        self.settled || self.stage.is_final()
    }

    /// What was observed in this stage. Takes time in proportion to the sources.
    pub fn figures(&self) -> Figures {
        self.sample.figures(&self.gates, self.probes)
    }

    /// Takes in what has happened. When it is over, nothing counts any longer.
    pub fn take(&mut self, event: &Event) -> Taken {
        if self.is_over() {
            return Taken::default();
        }
        match *event {
            Event::Observed(ref seen) => {
                return Taken { counts: self.sample.add(seen, self.gates.requests_per_source), decision: None };
            }
            Event::Probed { at, .. }
            | Event::Tick { at }
            | Event::Approved { at }
            | Event::Aborted { at }
            | Event::Pinned { at, .. }
            | Event::Unpinned { at } => self.now = self.now.max(at),
        }
        let decision = match event {
            Event::Observed(_) => None,
            Event::Probed { id, must, blocked, .. } => self.probed(id, *must, *blocked),
            Event::Tick { .. } => self.judge(),
            Event::Approved { .. } => self.approved(),
            Event::Aborted { .. } => Some(self.go(Plan::fallen(self.stage), Why::Aborted)),
            Event::Pinned { generation, .. } => self.pin(*generation),
            Event::Unpinned { .. } => {
                self.pinned = None;
                self.enter(self.stage);
                None
            }
        };
        Taken { counts: true, decision }
    }

    fn probed(&mut self, id: &str, must: Must, blocked: bool) -> Option<Decision> {
        self.probes = self.probes.saturating_add(1);
        if blocked == (must == Must::Block) || self.pinned.is_some() {
            return None;
        }
        Some(self.go(Plan::fallen(self.stage), Why::Probe { id: id.to_owned(), must }))
    }

    fn approved(&mut self) -> Option<Decision> {
        let next = self.plan.after(self.stage);
        if next == self.stage || self.pinned.is_some() {
            return None;
        }
        let failed = self.judged().1.iter().any(|judged| judged.finding == Finding::Failed);
        Some(if failed { self.go(Plan::fallen(self.stage), Why::Failed) } else { self.go(next, Why::Approved) })
    }

    fn pin(&mut self, generation: u64) -> Option<Decision> {
        if self.pinned == Some(generation) {
            return None;
        }
        self.pinned = Some(generation);
        let candidate = generation == self.contest.candidate;
        let next = if candidate { Stage::Promoted } else { Plan::fallen(self.stage) };
        (next != self.stage).then(|| self.go(next, Why::Pinned { generation }))
    }

    fn judged(&self) -> (Figures, Vec<Judged>) {
        let figures = self.figures();
        let judged = self.gates.judge(self.stage, &figures);
        (figures, judged)
    }

    fn judge(&mut self) -> Option<Decision> {
        if self.pinned.is_some() {
            return None;
        }
        let (figures, judged) = self.judged();
        let any = |finding| judged.iter().any(|judged| judged.finding == finding);
        if any(Finding::Failed) {
            return Some(self.decide(Plan::fallen(self.stage), Why::Failed, figures, judged));
        }
        if self.stage == Stage::Promoted {
            return self.watch(figures, judged);
        }
        let early = self.now - self.entered < self.plan.least_millis(self.stage);
        if early || any(Finding::Waiting) {
            return None;
        }
        if any(Finding::Open) {
            return self.ask(figures, judged);
        }
        Some(self.decide(self.plan.after(self.stage), Why::Passed, figures, judged))
    }

    /// After the promotion, while no gate has failed.
    fn watch(&mut self, figures: Figures, judged: Vec<Judged>) -> Option<Decision> {
        if self.now - self.entered >= self.plan.watch_millis {
            self.settled = true;
            return Some(self.decide(self.stage, Why::Settled, figures, judged));
        }
        let enough = judged.iter().all(|judged| judged.finding != Finding::Waiting);
        let decision = if enough { self.ask(figures, judged) } else { None };
        if self.now - self.sampled >= self.plan.window_millis {
            self.sampled = self.now;
            self.sample = Sample::new();
        }
        decision
    }

    /// Asks a person, once for the same gates.
    fn ask(&mut self, figures: Figures, judged: Vec<Judged>) -> Option<Decision> {
        let open: Vec<_> =
            judged.iter().filter(|judged| judged.finding == Finding::Open).map(|judged| judged.gate).collect();
        if open.iter().all(|gate| self.asked.contains(gate)) {
            return None;
        }
        self.asked = open;
        let (at, stage) = (self.now, self.stage);
        Some(Decision { at, from: stage, to: stage, why: Why::Held, gates: judged, figures })
    }

    fn go(&mut self, to: Stage, why: Why) -> Decision {
        let (figures, judged) = self.judged();
        self.decide(to, why, figures, judged)
    }

    fn decide(&mut self, to: Stage, why: Why, figures: Figures, gates: Vec<Judged>) -> Decision {
        let decision = Decision { at: self.now, from: self.stage, to, why, gates, figures };
        self.enter(to);
        decision
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.entered = self.now;
        self.sampled = self.now;
        self.sample = Sample::new();
        self.asked.clear();
    }
}

impl fmt::Display for Decision {
    /// For people: what, why, and the gates that were not passed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to {
            _ if self.why == Why::Held => f.write_str("held")?,
            _ if self.why == Why::Settled => f.write_str("settled")?,
            Stage::Shadow => f.write_str("in the shadow")?,
            Stage::Canary { share } => write!(f, "canary for {share} of the clients")?,
            Stage::Promoted => f.write_str("promoted")?,
            Stage::Refused => f.write_str("refused")?,
            Stage::RolledBack => f.write_str("rolled back")?,
        }
        match &self.why {
            Why::Passed => f.write_str(": all gates are passed")?,
            Why::Failed | Why::Held | Why::Settled => {}
            Why::Probe { id, must: Must::Pass } => write!(f, ": it blocks the benign request {id}")?,
            Why::Probe { id, must: Must::Block } => write!(f, ": it lets the attack {id} pass")?,
            Why::Approved => f.write_str(": approved")?,
            Why::Aborted => f.write_str(": aborted")?,
            Why::Pinned { generation } => write!(f, ": generation {generation} is pinned")?,
        }
        let gates = self.gates.iter().filter(|judged| judged.finding != Finding::Passed);
        gates.into_iter().try_for_each(|judged| write!(f, "; {judged}"))
    }
}
