//! What the processes of a simulated world share: its clock, its servers, and who checks them.

use std::collections::BTreeMap;

use super::api_server::ApiServer;
use super::clock::{Clock, Time};
use super::leases::{Leases, Mark};
use super::opensearch::OpenSearch;
use super::oracle::{self, Oracle, Violation};
use super::process::Rules;
use super::trace::Trace;
use crate::buffer::simulated::SimulatedDisk;
use crate::position::{Position, Record};

/// What processes live in.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) now: Time,
    pub(super) server: ApiServer,
    pub(super) leases: Leases,
    pub(super) os: OpenSearch,
    pub(super) oracle: Oracle,
    pub(super) trace: Trace,
    /// What the largest documents were charged with, in any life.
    pub(super) charge_max: u64,
    /// From then on nothing goes wrong.
    pub(super) calm_at: Time,
    /// What the stages do now, wherever they are read.
    pub(super) rules: Rules,
}

impl Shared {
    pub(super) fn check_mark(
        &mut self,
        which: oracle::Mark,
        at: (&str, u64, u32),
        disk: &SimulatedDisk,
    ) -> Result<(), Violation> {
        self.oracle.check_mark(which, at, &self.server, &self.os, disk)
    }

    /// Holds what the Lease says against what is so: the next leader goes on from there, with
    /// nothing but the cluster. It goes back only when the cluster did, or when something was
    /// lost.
    pub(super) fn check_lease(&mut self, [mark, before]: [Mark; 2]) -> Result<(), Violation> {
        let [mark, before] = [numbers(&mark)?, numbers(&before)?];
        for (scope, (number, epoch)) in &mark {
            self.check_mark(
                oracle::Mark::Settled,
                (scope, *number, *epoch),
                &SimulatedDisk::default(),
            )?;
            if let Some((old, of)) = before.get(scope)
                && epoch == of
                && number < old
            {
                return Err(format!(
                    "the mark of {scope} in the Lease went back from {old} to {number}"
                ));
            }
        }
        Ok(())
    }
}

/// The positions of each scope, and of which life of the API server they are.
fn numbers((text, epochs): &Mark) -> Result<BTreeMap<String, (u64, u32)>, Violation> {
    if text.is_empty() {
        return Ok(BTreeMap::new());
    }
    let record = Record::decode(text).map_err(|error| error.to_string())?;
    let positions = record.positions.into_iter();
    let number = |(scope, mark): (String, Position)| {
        let epoch = *epochs.get(&scope)?;
        Some((scope, (mark.as_str().parse().ok()?, epoch)))
    };
    Ok(positions.filter_map(number).collect())
}
