//! The scheduler and the autoscaler find no node with enough of a GPU resource.

use super::check;

#[test]
fn no_node_with_enough_of_a_gpu_resource_is_unschedulable() {
    check(&[
        (
            "FailedScheduling",
            "0/5 nodes are available: 2 Insufficient cpu, 3 Insufficient nvidia.com/gpu. preemption: 0/5 nodes are available: 5 No preemption victims found for incoming pod.",
            "unschedulable nvidia.com/gpu",
        ),
        (
            "FailedScheduling",
            "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.",
            "unschedulable nvidia.com/gpu",
        ),
        (
            "FailedScheduling",
            "0/1 nodes are available: 1 Insufficient nvidia.com/gpu",
            "unschedulable nvidia.com/gpu",
        ),
        // The scheduler speaks, whatever a plugin of it says of allocations.
        (
            "FailedScheduling",
            "0/2 nodes are available: 1 Insufficient nvidia.com/gpu, 1 device plugin failed to allocate nvidia.com/gpu.",
            "unschedulable nvidia.com/gpu",
        ),
        (
            "FailedScheduling",
            "0/9 nodes are available: 3 node(s) had untolerated taint {nvidia.com/gpu: true}, 6 Insufficient amd.com/gpu.",
            "unschedulable amd.com/gpu",
        ),
        (
            "FailedScheduling",
            "0/2 nodes are available: 1 Insufficient nvidia.com/mig-3g.20gb, 1 Insufficient nvidia.com/gpu.",
            "unschedulable nvidia.com/mig-3g.20gb",
        ),
        (
            "FailedScheduling",
            "0/2 nodes are available: 2 Insufficient gpu.intel.com/xe.",
            "unschedulable gpu.intel.com/xe",
        ),
        (
            "FailedScheduling",
            "2 Insufficient nvidia.com/gpu.shared, 1 node(s) were unschedulable",
            "unschedulable nvidia.com/gpu.shared",
        ),
        (
            "NotTriggerScaleUp",
            "pod didn't trigger scale-up: 2 Insufficient nvidia.com/gpu, 1 max node group size reached",
            "unschedulable nvidia.com/gpu",
        ),
    ]);
}

#[test]
fn a_scheduling_failure_for_another_reason_is_not_a_gpu_failure() {
    check(&[
        (
            "FailedScheduling",
            "0/3 nodes are available: 3 node(s) had untolerated taint {nvidia.com/gpu: true}.",
            "-",
        ),
        (
            "FailedScheduling",
            "0/3 nodes are available: 1 node(s) had untolerated taint {nvidia.com/gpu: present}, 2 Insufficient cpu.",
            "-",
        ),
        (
            "FailedScheduling",
            "0/3 nodes are available: 3 Insufficient cpu, 3 Insufficient memory.",
            "-",
        ),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu-foo.", "-"),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient xnvidia.com/gpu.", "-"),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient my.nvidia.com/gpu.", "-"),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/gpus.", "-"),
        (
            "FailedScheduling",
            "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.product.",
            "-",
        ),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/gpumem.", "-"),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu_shared.", "-"),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu/x.", "-"),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/mig-.", "-"),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient nvidia.com/GPU.", "-"),
        (
            "FailedScheduling",
            "0/3 nodes are available: 3 Insufficient amd.com/gpu-x, xamd.com/gpu, gpu.intel.com/.",
            "-",
        ),
        ("FailedScheduling", "0/3 nodes are available: 3 Insufficient xgpu.intel.com/i915.", "-"),
        ("FailedScheduling", "no node matches nvidia.com/gpu", "-"),
        ("FailedScheduling", r#"persistentvolumeclaim "nvidia-gpu-cache" not found"#, "-"),
        (
            "NotTriggerScaleUp",
            "pod didn't trigger scale-up: 1 Insufficient cpu, 1 node(s) had untolerated taint {nvidia.com/gpu: true}",
            "-",
        ),
        ("SomethingElse", "3 Insufficient nvidia.com/gpu", "-"),
        ("Preempted", "Preempted by pod gpu-0 on node nvidia-1", "-"),
    ]);
}
