//! A machine in simulated time: requests arrive, are evaluated in turns as hosts do it, and are settled.

use fusewall::governor::{Clock, Governor, GovernorConfig, ManualClock, ShedReason, Tenant, Ticket};
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Between two looks at the world, nanoseconds.
const TICK: u64 = 100_000;
/// Turns of one that borrows before it goes to the end of its site's queue.
const STAY: u32 = 16;
pub const SECOND: u64 = 1_000_000_000;

/// Fuel that nanoseconds of CPU are worth nominally.
pub fn fuel(nanos: u64) -> u64 {
    nanos * fusewall::meter::FUEL_PER_MICROSECOND / 1000
}

/// An address in network number `number`.
pub fn address(number: u32) -> IpAddr {
    Ipv4Addr::from((10 << 24) + (number << 8) + 7).into()
}

/// Where load comes from: `networks` networks, numbered from `first` on, send in turn.
#[derive(Clone)]
pub struct Source {
    pub tenant: Arc<Tenant>,
    pub first: u32,
    pub networks: u32,
    /// CPU time of a request, nanoseconds, in the mean; it lies between half and one and a half of it.
    pub cost: u64,
    /// CPU time asked for in a second, all requests together, in cores.
    pub load: f64,
    owed: f64,
    next: u32,
    pub tally: Tally,
    /// From arrival to end, of each request that was let in, nanoseconds.
    pub took: Vec<u64>,
}

#[derive(Clone, Copy, Default, Debug)]
pub struct Tally {
    pub admitted: u64,
    pub clients: u64,
    pub tenants: u64,
    pub cpu: u64,
}

impl Tally {
    pub fn shed(&self) -> u64 {
        self.clients + self.tenants
    }
}

impl Source {
    pub fn new(tenant: &Arc<Tenant>, first: u32, networks: u32, cost: u64, load: f64) -> Self {
        let tenant = Arc::clone(tenant);
        Source { tenant, first, networks, cost, load, owed: 0.0, next: 0, tally: Tally::default(), took: Vec::new() }
    }
}

struct Job {
    ticket: Ticket,
    arrived: u64,
    source: usize,
    left: u64,
    cost: u64,
    /// Turns that it has left before others of its site are taken up; 0: it is not taken up itself.
    stay: u32,
}

pub struct World {
    pub clock: Arc<ManualClock>,
    pub governor: Arc<Governor>,
    cores: u64,
    /// What is evaluated in turns.
    ready: VecDeque<Job>,
    /// What waits for its turn in the borrowers' lane.
    borrowers: VecDeque<Job>,
    /// What waits to be taken up into it, of all sites.
    waiting: VecDeque<Job>,
    pub sources: Vec<Source>,
    random: u64,
    /// CPU time spent on evaluation.
    pub spent: u64,
    pub levels: Vec<u8>,
    pub longest_queue: u64,
}

impl World {
    pub fn new(share: f64, cores: usize) -> Self {
        let clock = Arc::new(ManualClock::default());
        let config = GovernorConfig { share: Some(share), cores, ..GovernorConfig::default() };
        let governor = Governor::with_clock(&config, Arc::clone(&clock));
        World {
            clock,
            governor,
            cores: cores as u64,
            ready: VecDeque::new(),
            borrowers: VecDeque::new(),
            waiting: VecDeque::new(),
            sources: Vec::new(),
            random: 0x1234_5678_9abc_def1,
            spent: 0,
            levels: Vec::new(),
            longest_queue: 0,
        }
    }

    fn random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Lets `nanos` nanoseconds pass.
    pub fn run(&mut self, nanos: u64) {
        for _ in 0..nanos / TICK {
            self.clock.advance(TICK);
            self.arrive();
            self.work();
            self.levels.push(self.governor.level().number());
        }
    }

    fn arrive(&mut self) {
        for index in 0..self.sources.len() {
            self.sources[index].owed += self.sources[index].load * TICK as f64;
            while self.sources[index].owed > 0.0 {
                let cost = (self.sources[index].cost as f64 * (0.5 + self.random())) as u64;
                let source = &mut self.sources[index];
                source.owed -= cost as f64;
                source.next = (source.next + 1) % source.networks;
                match source.tenant.admit(Some(address(source.first + source.next))) {
                    Ok(ticket) => {
                        source.tally.admitted += 1;
                        let arrived = self.clock.nanos().saturating_sub(TICK);
                        self.queue(Job { ticket, arrived, source: index, left: cost, cost, stay: 0 });
                    }
                    Err(shed) if shed.reason == ShedReason::Client => {
                        assert_eq!(shed.status, 429);
                        source.tally.clients += 1;
                    }
                    Err(shed) => {
                        assert_eq!(shed.status, 503);
                        assert!((1..=60).contains(&shed.retry_after_secs));
                        source.tally.tenants += 1;
                    }
                }
            }
        }
    }

    fn work(&mut self) {
        let waiting: u64 = self.ready.iter().chain(&self.borrowers).chain(&self.waiting).map(|job| job.left).sum();
        self.longest_queue = self.longest_queue.max(waiting);
        for _ in 0..self.cores {
            let mut left = TICK;
            while left > 0
                && let Some(mut job) = self.next()
            {
                let now = job.left.min(left);
                left -= now;
                self.turn(&mut job, now);
                match job.left {
                    0 => self.end(job),
                    _ => self.queue(job),
                }
            }
        }
    }

    fn queue(&mut self, mut job: Job) {
        if !job.ticket.borrows() {
            return self.ready.push_back(job);
        }
        job.stay = job.stay.saturating_sub(1);
        match job.stay {
            0 => self.waiting.push_back(job),
            _ => self.borrowers.push_back(job),
        }
    }

    /// Whose turn is next: of those who borrow, as many as there are cores compete with the others, and of one tenant no more
    /// than that take part in this.
    fn next(&mut self) -> Option<Job> {
        let taken = |jobs: &VecDeque<Job>, tenant: &Arc<Tenant>| {
            let of_tenant = |job: &&Job| job.stay > 0 && Arc::ptr_eq(&self.sources[job.source].tenant, tenant);
            jobs.iter().filter(of_tenant).count() as u64
        };
        let mut free: Vec<_> = self.sources.iter().map(|source| (&source.tenant, self.cores)).collect();
        for (tenant, free) in &mut free {
            *free = free.saturating_sub(taken(&self.ready, tenant) + taken(&self.borrowers, tenant));
        }
        let mut place = |job: &Job| {
            let tenant = &self.sources[job.source].tenant;
            let free = free.iter_mut().find(|(other, _)| Arc::ptr_eq(other, tenant)).map(|(_, free)| free);
            free.filter(|free| **free > 0).map(|free| *free -= 1).is_some()
        };
        for _ in 0..self.waiting.len() {
            let Some(mut job) = self.waiting.pop_front() else { break };
            match place(&job) {
                true => {
                    job.stay = STAY + 1;
                    self.borrowers.push_back(job);
                }
                false => self.waiting.push_back(job),
            }
        }
        let mut competing = self.ready.iter().filter(|job| job.stay > 0).count() as u64;
        while competing < self.cores
            && let Some(job) = self.borrowers.pop_front()
        {
            self.ready.push_back(job);
            competing += 1;
        }
        self.ready.pop_front()
    }

    fn turn(&mut self, job: &mut Job, nanos: u64) {
        let started = job.ticket.start(fuel(job.cost - job.left));
        job.left -= nanos;
        self.spent += nanos;
        self.clock.work(nanos);
        job.ticket.stop(started, fuel(job.cost - job.left));
    }

    fn end(&mut self, job: Job) {
        let (now, source) = (self.clock.nanos(), &mut self.sources[job.source]);
        source.tally.cpu += job.cost;
        // Some tests set the clock back.
        source.took.push(now.saturating_sub(job.arrived));
        job.ticket.settle(fuel(job.cost));
    }

    /// Begins to count anew.
    pub fn count(&mut self) {
        self.spent = 0;
        self.longest_queue = 0;
        self.levels.clear();
        for source in &mut self.sources {
            source.tally = Tally::default();
            source.took.clear();
        }
    }

    /// How often the level has changed.
    pub fn changes(&self) -> usize {
        self.levels.windows(2).filter(|pair| pair[0] != pair[1]).count()
    }
}
