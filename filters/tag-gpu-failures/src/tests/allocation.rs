//! The kubelet and its device plugins have no device for a Pod.

use super::check;

#[test]
fn a_device_that_was_not_to_be_had_on_the_node_is_an_admission_failure() {
    check(&[
        (
            "UnexpectedAdmissionError",
            "Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0, which is unexpected",
            "admission nvidia.com/gpu",
        ),
        (
            "UnexpectedAdmissionError",
            "Allocate failed due to no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu.shared, which is unexpected",
            "admission nvidia.com/gpu.shared",
        ),
        (
            "UnexpectedAdmissionError",
            "Allocate failed due to can't allocate unregistered device amd.com/gpu, which is unexpected",
            "admission amd.com/gpu",
        ),
        (
            "UnexpectedAdmissionError",
            "Pod was rejected: Allocate failed due to requested number of devices unavailable for nvidia.com/mig-1g.5gb. Requested: 1, Available: 0, which is unexpected",
            "admission nvidia.com/mig-1g.5gb",
        ),
        (
            "UnexpectedAdmissionError",
            "Update plugin resources failed due to gpu.intel.com/i915",
            "admission gpu.intel.com/i915",
        ),
        (
            "UnexpectedAdmissionError",
            "requested nvidia.com/gpu: 2, available: 1",
            "admission nvidia.com/gpu",
        ),
        (
            "Failed",
            "device plugin Allocate rpc failed for amd.com/gpu: no free device",
            "admission amd.com/gpu",
        ),
        (
            "FailedCreate",
            "cannot allocate unhealthy devices nvidia.com/gpu",
            "admission nvidia.com/gpu",
        ),
    ]);
}

#[test]
fn an_allocation_that_failed_is_an_admission_failure_whatever_the_reason() {
    check(&[
        (
            "FailedScheduling",
            "device plugin failed to allocate nvidia.com/gpu",
            "admission nvidia.com/gpu",
        ),
        (
            "UnexpectedAdmissionError",
            "cannot admit map[nvidia.com/gpu:1]",
            "admission nvidia.com/gpu",
        ),
        ("UnexpectedAdmissionError", "{nvidia.com/gpu: 2} unavailable", "admission nvidia.com/gpu"),
        ("UnexpectedAdmissionError", "nvidia.com/gpu:1 unavailable", "admission nvidia.com/gpu"),
        ("UnexpectedAdmissionError", "nvidia.com/gpu=1 unavailable", "admission nvidia.com/gpu"),
    ]);
}
