//! A machine on which one process runs after the other: its disk and the file of its position
//! outlive them, as a rule.

use super::clock::Time;
use super::home::Home;
use super::plan::Plan;
use super::process::Process;

/// A machine.
pub(super) struct Replica {
    pub(super) home: Home,
    pub(super) process: Option<Process>,
    pub(super) starts_at: Time,
    /// Its processes since it has this disk.
    pub(super) lives: Vec<u32>,
}

impl Replica {
    pub(super) fn new(number: usize, plan: &Plan, starts_at: Time) -> Replica {
        let home = Home::new(number, format!("machine-{number}"), plan);
        Replica { home, process: None, starts_at, lives: Vec::new() }
    }
}
