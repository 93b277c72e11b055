//! A disk in memory that fails on purpose, and forgets in a crash what was not made durable.

use fusewall::store::history::{Disk, DiskFile};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard};

/// What happens at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails without having done anything.
    Once,
    /// It fails, and so does every one that changes something from then on: the disk is full, or dead.
    ForGood,
    /// A write does half of its work and fails; anything else does all of it and fails all the same.
    Torn,
    /// The power fails before the operation.
    Crash,
}

/// What the disk has after a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survival {
    /// How many of the names that were changed since the folder was synced are as they were changed.
    pub names: usize,
    /// How much of what was written since a file was synced is there.
    pub data: Data,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    Nothing,
    Half,
    All,
}

#[derive(Debug, Default, Clone)]
struct Inode {
    bytes: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Change {
    Name(String, usize),
    Rename(String, String),
    Remove(String),
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Change) {
    match change {
        Change::Name(name, inode) => drop(names.insert(name.clone(), *inode)),
        Change::Rename(from, to) => {
            let inode = names.remove(from).expect("it was there");
            names.insert(to.clone(), inode);
        }
        Change::Remove(name) => drop(names.remove(name)),
    }
}

#[derive(Debug, Default, Clone)]
struct World {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    changes: Vec<Change>,
    steps: usize,
    fault: Option<(usize, Fault)>,
    dead: bool,
    crashed: bool,
}

/// The disk. Clones are the same one.
#[derive(Debug, Default, Clone)]
pub struct Faulty(Arc<Mutex<World>>);

impl Faulty {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("no panic while it was held")
    }

    /// The same content on another disk, on which this happens at that step.
    pub fn with_fault(&self, fault: Option<(usize, Fault)>) -> Faulty {
        let mut world = self.world().clone();
        (world.steps, world.fault, world.dead, world.crashed) = (0, fault, false, false);
        Faulty(Arc::new(Mutex::new(world)))
    }

    /// Steps so far.
    pub fn steps(&self) -> usize {
        self.world().steps
    }

    pub fn has_crashed(&self) -> bool {
        self.world().crashed
    }

    pub fn is_dead(&self) -> bool {
        self.world().dead
    }

    /// Changes of names that a crash now may lose.
    pub fn pending(&self) -> usize {
        self.world().changes.len()
    }

    /// What is there when the power is back.
    pub fn after_crash(&self, survival: Survival) -> Faulty {
        let old = self.world();
        let mut names = old.durable.clone();
        old.changes.iter().take(survival.names).for_each(|change| apply(&mut names, change));
        let survive = |inode: &Inode| {
            let kept = match survival.data {
                Data::Nothing => inode.durable.clone(),
                Data::All => inode.bytes.clone(),
                Data::Half => {
                    let unsynced = inode.bytes.len().saturating_sub(inode.durable.len());
                    inode.bytes[..inode.bytes.len() - unsynced / 2].to_vec()
                }
            };
            Inode { bytes: kept.clone(), durable: kept }
        };
        let inodes = old.inodes.iter().map(survive).collect();
        let world = World { inodes, names: names.clone(), durable: names, ..World::default() };
        Faulty(Arc::new(Mutex::new(world)))
    }

    /// Names that are there.
    pub fn names(&self) -> Vec<String> {
        self.world().names.keys().cloned().collect()
    }

    /// Nothing can be changed any more.
    pub fn fail_from_now_on(&self) {
        self.world().dead = true;
    }

    /// The power fails now.
    pub fn stop(&self) {
        self.world().crashed = true;
    }

    /// Changes a byte of each file whose name begins so.
    pub fn damage(&self, start: &str) {
        let mut world = self.world();
        let hit: Vec<usize> =
            world.names.iter().filter(|(name, _)| name.starts_with(start)).map(|(_, inode)| *inode).collect();
        assert!(!hit.is_empty(), "there is a file {start}");
        for inode in hit {
            let bytes = &mut world.inodes[inode].bytes;
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
        }
    }
}

impl World {
    /// Whether the next operation is to be done, and what it answers then.
    fn step(&mut self, changes: bool) -> (bool, io::Result<()>) {
        let failed = || Err(io::Error::from(ErrorKind::StorageFull));
        if self.crashed || (self.dead && changes) {
            return (false, failed());
        }
        let step = self.steps;
        self.steps += 1;
        match self.fault {
            Some((at, fault)) if at == step => match fault {
                Fault::Once => (false, failed()),
                Fault::ForGood => {
                    self.dead = true;
                    (false, failed())
                }
                Fault::Torn => (true, failed()),
                Fault::Crash => {
                    self.crashed = true;
                    (false, failed())
                }
            },
            _ => (true, Ok(())),
        }
    }

    fn change(&mut self, change: Change) {
        apply(&mut self.names, &change);
        self.changes.push(change);
    }
}

impl Disk for Faulty {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut world = self.world();
        world.step(false).1?;
        Ok(world.names.keys().cloned().collect())
    }

    fn read(&self, name: &str, most: usize) -> io::Result<Vec<u8>> {
        let mut world = self.world();
        world.step(false).1?;
        let inode = world.names.get(name).ok_or(ErrorKind::NotFound)?;
        let bytes = world.inodes[*inode].bytes.clone();
        if bytes.len() > most { Err(ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.world();
        let (done, answer) = world.step(true);
        let inode = world.inodes.len();
        if done {
            world.inodes.push(Inode::default());
            world.change(Change::Name(name.to_owned(), inode));
        }
        answer.map(|()| Box::new(FaultyFile { disk: self.clone(), inode }) as Box<dyn DiskFile>)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.world();
        let (done, answer) = world.step(true);
        if done {
            world.names.get(from).ok_or(ErrorKind::NotFound)?;
            world.change(Change::Rename(from.to_owned(), to.to_owned()));
        }
        answer
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.world();
        let (done, answer) = world.step(true);
        if done {
            world.names.get(name).ok_or(ErrorKind::NotFound)?;
            world.change(Change::Remove(name.to_owned()));
        }
        answer
    }

    fn sync_folder(&self) -> io::Result<()> {
        let mut world = self.world();
        let (done, answer) = world.step(true);
        if done {
            world.durable = world.names.clone();
            world.changes.clear();
        }
        answer
    }
}

struct FaultyFile {
    disk: Faulty,
    inode: usize,
}

impl DiskFile for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.disk.world();
        let (done, answer) = world.step(true);
        if done {
            let written = if answer.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
            world.inodes[self.inode].bytes.extend_from_slice(written);
        }
        answer
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut world = self.disk.world();
        let (done, answer) = world.step(true);
        if done {
            let inode = &mut world.inodes[self.inode];
            inode.durable = inode.bytes.clone();
        }
        answer
    }
}
