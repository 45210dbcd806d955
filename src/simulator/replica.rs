//! A machine on which one process runs after the other: its disk and the file of its position
//! outlive them, as a rule.

use super::clock::Time;
use super::plan::Plan;
use super::position_file::PositionFile;
use super::process::Process;
use super::process::marks::Known;
use crate::buffer::simulated::SimulatedDisk;

/// What a process has on its machine; clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Home {
    /// Which machine.
    pub(super) number: usize,
    pub(super) disk: SimulatedDisk,
    pub(super) file: PositionFile,
    /// The name that its processes have in a Lease, if the disk keeps one.
    pub(super) name: String,
    pub(super) keeps_name: bool,
    pub(super) known: Known,
}

/// A machine.
pub(super) struct Replica {
    pub(super) home: Home,
    pub(super) process: Option<Process>,
    pub(super) starts_at: Time,
    /// Its processes since it has this disk.
    pub(super) lives: Vec<u32>,
}

impl Home {
    pub(super) fn new(number: usize, name: String, plan: &Plan) -> Home {
        let (disk, file) = (SimulatedDisk::default(), PositionFile::default());
        Home {
            number,
            disk,
            file,
            name,
            keeps_name: plan.sizes.disk.is_some(),
            known: Known::default(),
        }
    }
}

impl Replica {
    pub(super) fn new(number: usize, plan: &Plan, starts_at: Time) -> Replica {
        let home = Home::new(number, format!("machine-{number}"), plan);
        Replica { home, process: None, starts_at, lives: Vec::new() }
    }
}
