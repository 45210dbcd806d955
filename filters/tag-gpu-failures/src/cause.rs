//! Why a GPU could not be used.

use crate::signs::Signs;
use crate::words::{self, Words};
use crate::writers::{self, Says};

/// Why a GPU could not be used; the first that holds is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The device itself.
    Device,
    /// The driver's libraries, or what brings them into a container.
    Runtime,
    /// The kubelet, or a device plugin, had no device for a Pod that was on the node already.
    Admission,
    /// No node had enough of a GPU resource.
    Unschedulable,
}

impl Cause {
    /// The cause that `signs` of `message` tell of. `reason` is called only when the
    /// message does not decide.
    pub(crate) fn of(
        signs: &Signs<'_>,
        message: &[u8],
        reason: impl FnOnce() -> String,
    ) -> Option<Self> {
        if signs.device {
            return Some(Self::Device);
        }
        if signs.runtime {
            return Some(Self::Runtime);
        }
        let reason = reason();
        match writers::reason(reason.as_bytes()) {
            Some(Says::Device) => return Some(Self::Device),
            Some(Says::Runtime) => return Some(Self::Runtime),
            Some(Says::Admission) => return Some(Self::Admission),
            None => {}
        }
        signs.resource?;
        match reason.as_str() {
            "UnexpectedAdmissionError" => Some(Self::Admission),
            "FailedScheduling" | "NotTriggerScaleUp" if signs.insufficient => {
                Some(Self::Unschedulable)
            }
            _ => tells_of_allocation(message).then_some(Self::Admission),
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Runtime => "runtime",
            Self::Admission => "admission",
            Self::Unschedulable => "unschedulable",
        }
    }
}

/// What the kubelet says when a device plugin could not allocate:
/// <https://github.com/kubernetes/kubernetes/blob/master/pkg/kubelet/cm/devicemanager/manager.go>
fn tells_of_allocation(message: &[u8]) -> bool {
    const KUBELET: Words = &[
        b"Allocate failed",
        b"requested number of devices unavailable",
        b"cannot allocate unhealthy devices",
        b"can't allocate unregistered device",
    ];
    // A message may be long: one of these two is in each of the texts, and nearly never elsewhere.
    let allocates = words::mentions(message, b"allocat");
    if !allocates && !words::mentions(message, b"devices unavailable") {
        return false;
    }
    KUBELET.iter().any(|text| words::has(message, text))
        || allocates
            && words::mentions_one(message, &[b"device plugin", b"device-plugin"])
            && words::tells_of_failure(message)
}
