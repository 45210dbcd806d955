//! What happens when: a function of the seed and the scale. Pure but for the environment that
//! [`Scale`] is read from.
//!
//! Faults of different targets run side by side, so that they overlap. Those of one target are
//! drawn from a shuffled deck of all their kinds, so that each kind happens if there are enough of
//! them.

use std::time::Duration;

use fastrand::Rng;

/// For how long the Lease of two replicas is held.
pub(crate) const LEASE_DURATION: Duration = Duration::from_secs(5);
/// How much longer than that a cut of the leader's link lasts, in ms: a leader whose renewals fail
/// stops leading after two thirds of it, and another one takes over.
const CUT_LONGER_MS: std::ops::Range<u64> = 4_000..8_000;

/// How much of everything. Each has a variable.
#[derive(Clone, Debug)]
pub(crate) struct Scale {
    /// `WEIR_CHAOS_SEED`; else a new one.
    pub(crate) seed: u64,
    /// `WEIR_CHAOS_SECONDS`: how long the faults are spread over. The run may take longer, as
    /// servers have to restart.
    pub(crate) length: Duration,
    /// `WEIR_CHAOS_REPLICAS`: of two, one leads by a Lease, and it is mostly the leader that is
    /// killed. Unless it is set, the seed decides.
    pub(crate) replicas: usize,
    /// `WEIR_CHAOS_KILLS`: of weir, with SIGKILL.
    pub(crate) kills: usize,
    /// `WEIR_CHAOS_OPENSEARCH_KILLS`: with SIGKILL; it starts again on its data.
    pub(crate) opensearch_kills: usize,
    /// `WEIR_CHAOS_API_SERVER_STOPS`: with SIGKILL or SIGTERM.
    pub(crate) api_server_stops: usize,
    /// `WEIR_CHAOS_LINK_FAULTS`: on each of the two links.
    pub(crate) link_faults: usize,
    /// `WEIR_CHAOS_LEADER_CUTS`: of the link between only the leader and the API server, for longer
    /// than it may lead without renewing. None with one replica.
    pub(crate) leader_cuts: usize,
    /// `WEIR_CHAOS_COMPACTIONS`: of etcd, in addition to those that come with other faults.
    pub(crate) compactions: usize,
    /// `WEIR_CHAOS_RATE`: of writes to the API server.
    pub(crate) writes_per_second: u32,
}

impl Scale {
    /// The short form, with what variables override.
    pub(crate) fn of_environment() -> Scale {
        let number = |name: &str, default: u64| {
            let given =
                std::env::var(format!("WEIR_CHAOS_{name}")).ok().filter(|text| !text.is_empty());
            given.map_or(default, |text| {
                text.parse().unwrap_or_else(|_| panic!("WEIR_CHAOS_{name}={text}"))
            })
        };
        let seed = number("SEED", fastrand::u64(..1 << 32));
        Scale {
            seed,
            replicas: number("REPLICAS", 1 + seed / 2 % 2) as usize,
            length: Duration::from_secs(number("SECONDS", 30)),
            kills: number("KILLS", 9) as usize,
            opensearch_kills: number("OPENSEARCH_KILLS", 1) as usize,
            api_server_stops: number("API_SERVER_STOPS", 2) as usize,
            link_faults: number("LINK_FAULTS", Harm::ALL.len() as u64) as usize,
            leader_cuts: number("LEADER_CUTS", 2) as usize,
            compactions: number("COMPACTIONS", 4) as usize,
            writes_per_second: number("RATE", 40) as u32,
        }
    }

    /// One watch of all namespaces, or one for each.
    pub(crate) fn is_one_scope(&self) -> bool {
        self.seed.is_multiple_of(2)
    }
}

/// What is done to weir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kill {
    /// SIGKILL.
    AtOnce,
    /// SIGTERM, and SIGKILL in the middle of the drain, if it has not ended by then.
    InTheDrain,
    /// SIGKILL, and etcd is compacted before it starts again: its position is gone.
    AndCompact,
}

/// What is done to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// SIGKILL.
    Killed,
    /// SIGTERM: it closes its watches properly.
    Ended,
}

/// What is done to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// Connections are closed, and new ones refused.
    Cut,
    /// The same, and etcd is compacted in the meantime.
    CutAndCompact,
    /// Connections stay open, and nothing gets through.
    Stall(Way),
    /// A few kilobytes a second.
    Slow(Way),
    /// Each connection ends after some bytes.
    Truncate(Way),
    /// Each connection is reset after some time.
    Reset(Way),
    /// Bytes arrive in small pieces.
    Slice(Way),
}

/// How one replica is cut off from the API server, while the others are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Connections are closed, and new ones refused.
    Refused,
    /// Connections stay open, new ones are accepted, and nothing gets through.
    Silent,
}

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

impl Kill {
    const ALL: [Kill; 3] = [Kill::AtOnce, Kill::InTheDrain, Kill::AndCompact];
}

impl Stop {
    const ALL: [Stop; 2] = [Stop::Killed, Stop::Ended];
}

impl Cut {
    const ALL: [Cut; 2] = [Cut::Refused, Cut::Silent];
}

impl Harm {
    pub(crate) const ALL: [Harm; 12] = [
        Harm::Cut,
        Harm::CutAndCompact,
        Harm::Stall(Way::ToServer),
        Harm::Stall(Way::ToClient),
        Harm::Slow(Way::ToServer),
        Harm::Slow(Way::ToClient),
        Harm::Truncate(Way::ToServer),
        Harm::Truncate(Way::ToClient),
        Harm::Reset(Way::ToServer),
        Harm::Reset(Way::ToClient),
        Harm::Slice(Way::ToServer),
        Harm::Slice(Way::ToClient),
    ];
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step<F> {
    /// When it begins, or later, if the one before it is not over by then.
    pub(crate) at: Duration,
    pub(crate) fault: F,
    /// How long it lasts.
    pub(crate) hold: Duration,
    /// Random bits for what the fault has to choose, such as bytes and rates.
    pub(crate) dice: u64,
}

/// Everything that will happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) kills: Vec<Step<Kill>>,
    pub(crate) opensearch: Vec<Step<()>>,
    pub(crate) api_server: Vec<Step<Stop>>,
    pub(crate) compactions: Vec<Step<()>>,
    pub(crate) to_api_server: Vec<Step<Harm>>,
    pub(crate) to_opensearch: Vec<Step<Harm>>,
    pub(crate) leader_cuts: Vec<Step<Cut>>,
}

impl Schedule {
    pub(crate) fn of(scale: &Scale) -> Schedule {
        let rng = |number: u64| Rng::with_seed(scale.seed.wrapping_mul(31).wrapping_add(number));
        let length = scale.length;
        let leader_cuts = if scale.replicas > 1 { scale.leader_cuts } else { 0 };
        let renew_ms = LEASE_DURATION.as_millis() as u64 * 2 / 3;
        let cut_ms = renew_ms + CUT_LONGER_MS.start..renew_ms + CUT_LONGER_MS.end;
        Schedule {
            kills: steps(rng(1), &Kill::ALL, scale.kills, length, 0..1_500),
            opensearch: steps(rng(2), &[()], scale.opensearch_kills, length, 0..3_000),
            api_server: steps(rng(6), &Stop::ALL, scale.api_server_stops, length, 0..3_000),
            compactions: steps(rng(3), &[()], scale.compactions, length, 0..1),
            to_api_server: steps(rng(4), &Harm::ALL, scale.link_faults, length, 200..3_000),
            to_opensearch: steps(rng(5), &Harm::ALL, scale.link_faults, length, 200..3_000),
            leader_cuts: steps(rng(7), &Cut::ALL, leader_cuts, length, cut_ms),
        }
    }
}

fn steps<F: Copy>(
    mut rng: Rng,
    kinds: &[F],
    count: usize,
    length: Duration,
    hold_ms: std::ops::Range<u64>,
) -> Vec<Step<F>> {
    let mut times: Vec<u64> = (0..count).map(|_| rng.u64(0..length.as_millis() as u64)).collect();
    times.sort_unstable();
    let mut deck = Vec::new();
    let mut deal = |rng: &mut Rng| {
        if deck.is_empty() {
            deck.extend_from_slice(kinds);
            rng.shuffle(&mut deck);
        }
        deck.pop().unwrap()
    };
    let step = |ms| Step {
        at: Duration::from_millis(ms),
        fault: deal(&mut rng),
        hold: Duration::from_millis(rng.u64(hold_ms.clone())),
        dice: rng.u64(..),
    };
    times.into_iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(seed: u64) -> Scale {
        Scale {
            seed,
            replicas: 1,
            length: Duration::from_secs(40),
            kills: 9,
            opensearch_kills: 1,
            api_server_stops: 2,
            link_faults: 12,
            leader_cuts: 2,
            compactions: 4,
            writes_per_second: 40,
        }
    }

    #[test]
    fn a_seed_gives_the_same_schedule_again_and_another_seed_another() {
        assert_eq!(Schedule::of(&scale(7)), Schedule::of(&scale(7)));
        assert_ne!(Schedule::of(&scale(7)), Schedule::of(&scale(8)));
    }

    #[test]
    fn the_short_form_has_each_kind_of_fault() {
        let schedule = Schedule::of(&scale(7));
        for harm in Harm::ALL {
            for link in [&schedule.to_api_server, &schedule.to_opensearch] {
                assert!(link.iter().any(|step| step.fault == harm), "{harm:?}");
            }
        }
        assert!(Kill::ALL.iter().all(|kill| schedule.kills.iter().any(|step| step.fault == *kill)));
        assert!(
            Stop::ALL.iter().all(|stop| schedule.api_server.iter().any(|step| step.fault == *stop))
        );
    }

    #[test]
    fn a_leader_is_cut_off_where_another_may_lead_and_for_longer_than_it_may_lead_without() {
        assert_eq!(Schedule::of(&scale(7)).leader_cuts, []);
        let cuts = Schedule::of(&Scale { replicas: 2, ..scale(7) }).leader_cuts;
        assert!(Cut::ALL.iter().all(|cut| cuts.iter().any(|step| step.fault == *cut)));
        assert!(
            cuts.iter().all(|step| step.hold >= LEASE_DURATION * 2 / 3 + Duration::from_secs(4))
        );
    }
}
