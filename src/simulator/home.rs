//! What a process has on its machine, and what outlives it.

use super::plan::Plan;
use super::position_file::PositionFile;
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
