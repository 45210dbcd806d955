//! When the Lease is renewed, given up and looked at: all from its duration.
//!
//! client-go's defaults are 15 s for the duration, 10 s for the deadline of a renewal, 2 s between
//! tries. weir keeps the proportion of the first two, renews every third of the duration, and looks
//! at the Lease more often than client-go does (jittered, it waits up to 4.4 s), so that a follower
//! knows within a second when the last renewal was, and takes over within the duration and two
//! seconds of it.

use std::time::Duration;

/// The longest between two looks of a follower.
const RETRY_MAX: Duration = Duration::from_secs(1);
/// The longest that one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// How long giving the Lease up may be tried. Of the 30 s that Kubernetes grants a pod by default,
/// draining takes up to 25.
pub(crate) const RELEASE_MAX: Duration = Duration::from_secs(4);

/// The times of one Lease.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    /// How long the Lease is held without renewal.
    pub(crate) duration: Duration,
    /// From one renewal to the next.
    pub(crate) renew_interval: Duration,
    /// From sending the last renewal that succeeded to when the leader stops leading.
    pub(crate) renew_deadline: Duration,
    /// Between two looks of a follower, and between two tries.
    pub(crate) retry: Duration,
    /// How long a request may take.
    pub(crate) request_timeout: Duration,
}

impl Timing {
    /// The times of a Lease that is held for `duration`.
    pub(crate) fn of(duration: Duration) -> Timing {
        Timing {
            duration,
            renew_interval: duration / 3,
            renew_deadline: duration * 2 / 3,
            retry: (duration / 15).min(RETRY_MAX),
            request_timeout: (duration / 6).min(REQUEST_MAX),
        }
    }
}

/// A bit less than `time`: candidates that began together must not go on together.
pub(crate) fn jittered(time: Duration, random: u64) -> Duration {
    time * (800 + (random % 201) as u32) / 1_000
}
