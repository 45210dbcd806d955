//! Messages as the kubelet, the scheduler, the autoscaler, device plugins and drivers write them.

use serde_json::json;
use weir_filter::testing::{Harness, Outcome};

use super::{TagGpuFailures, holds_string, writers};

fn filter() -> Harness<TagGpuFailures> {
    Harness::new("{}").unwrap()
}

/// The cause, and the resource where there is one, as `cause resource`; `-` for an untagged event.
fn tagged(reason: &str, message: &str) -> String {
    let event = json!({"type": "Warning", "reason": reason, "message": message}).to_string();
    let outcome = filter().process(&event);
    let Some(cause) = outcome.get("/gpu/cause") else {
        assert_eq!(outcome, Outcome::Kept(event), "an event that is not tagged is not touched");
        return "-".into();
    };
    assert_eq!(outcome.get("/tags").as_deref(), Some(r#"["gpu-failure"]"#));
    let resource =
        outcome.get("/gpu/resource").map(|resource| format!(" {resource}")).unwrap_or_default();
    format!("{cause}{resource}").replace('"', "")
}

#[track_caller]
fn check(cases: &[(&str, &str, &str)]) {
    for (reason, message, expected) in cases {
        assert_eq!(tagged(reason, message), *expected, "{reason}: {message}");
    }
}

#[test]
fn a_device_that_failed_is_a_device_failure_whatever_the_reason() {
    check(&[
        (
            "XidError",
            "NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus.",
            "device",
        ),
        (
            "KernelError",
            "NVRM: Xid (PCI:0000:65:00): 48, pid='<unknown>', name=<unknown>, DBE (double bit error)",
            "device",
        ),
        (
            "KernelError",
            "kernel: [12.3] NVRM: Xid (0000:03:00): 31, Ch 00000001, engmask 00000101",
            "device",
        ),
        (
            "NodeProblem",
            "Xid (PCI:0000:00:1e): 63, Row Remapper: New row marked for remapping",
            "device",
        ),
        (
            "Unhealthy",
            "XidCriticalError: Xid=79 on Device=GPU-5a0b, the device will go unhealthy.",
            "device",
        ),
        ("GpuUnhealthy", "XID error 79 detected on GPU 0", "device"),
        ("GpuUnhealthy", "Xid: 48", "device"),
        ("GpuUnhealthy", "gpu 3 reported Xid 95.", "device"),
        (
            "NVRM",
            "NVRM: GPU at PCI:0000:3b:00: GPU-8f3a\nNVRM: Xid (PCI:0000:3b:00): 119",
            "device",
        ),
        ("Failed", r#"stderr: "NVRM: GPU 0000:3b:00.0: GPU has fallen off the bus\n""#, "device"),
        ("Unhealthy", "fallen off the bus", "device"),
        (
            "Unhealthy",
            "Liveness probe failed: Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost.  Reboot the system to recover this GPU",
            "device",
        ),
        ("Warning", "GPU is lost", "device"),
        // Whatever else holds, the device comes first; and a resource is said where one is named.
        (
            "UnexpectedAdmissionError",
            "Allocate failed due to GPU is lost for nvidia.com/gpu, which is unexpected",
            "device nvidia.com/gpu",
        ),
        (
            "Failed",
            "nvidia-container-cli: detection error: nvml error: GPU is lost: unknown",
            "device",
        ),
    ]);
}

#[test]
fn an_error_of_nvml_or_the_container_cli_is_a_runtime_failure() {
    check(&[
        (
            "Unhealthy",
            "Liveness probe failed: Failed to initialize NVML: Unknown Error\n",
            "runtime",
        ),
        ("Unhealthy", "Failed to initialize NVML: Driver/library version mismatch", "runtime"),
        ("Failed", "failed to initialize NVML: ERROR_DRIVER_NOT_LOADED", "runtime"),
        (
            "Failed",
            "could not load NVML library: libnvidia-ml.so.1: cannot open shared object file",
            "runtime",
        ),
        ("Failed", "nvml init failed: ERROR_LIBRARY_NOT_FOUND", "runtime"),
        ("Failed", "error getting device count: NVML_ERROR_UNKNOWN", "runtime"),
        ("Failed", "failed to initialize nvml: Driver Not Loaded", "runtime"),
        (
            "Failed",
            "Error: failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: error running prestart hook #0: exit status 1, stdout: , stderr: Auto-detected mode as 'legacy'\nnvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
            "runtime",
        ),
        (
            "Failed",
            r#"Error: failed to start container "cuda": error running hook #0: exit status 1, stdout: , stderr: "nvidia-container-cli: device error: unknown device id: GPU-1\n": unknown"#,
            "runtime",
        ),
        (
            "Failed",
            r"stderr: Auto-detected mode as 'legacy'\nnvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.2",
            "runtime",
        ),
        (
            "Failed",
            "nvidia-container-cli.real: ldcache error: open failed: /sbin/ldconfig.real",
            "runtime",
        ),
    ]);
}

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
fn what_the_usual_writers_say_of_a_device_is_a_device_failure() {
    check(&[
        // The node monitoring agent of EKS.
        ("NvidiaXID79Error", "detected XID-79 on the instance, review kernel logs", "device"),
        ("NvidiaXID13Warning", "detected unknown XID-13 on the instance", "device"),
        ("NodeProblem", "found XID-79 on this machine, see the kernel log", "device"),
        ("NvidiaDoubleBitError", "detected 2 errors on location DEVICE", "device"),
        ("NodeProblem", "detected 2 Nvidia Double Bit error(s) on location DEVICE", "device"),
        ("NodeProblem", "detected 3 NVLink errors on fieldId 404", "device"),
        ("NvidiaPageRetirement", "detected 4 SBE, and 5 DBE page retirements", "device"),
        ("NvidiaThermalError", "DCGM reported a thermal violation", "device"),
        ("NvidiaDeviceCountMismatch", "7 of 8", "device"),
        ("FabricManagerNotRunning", "Fabric Manager status: Failure", "device"),
        ("DCGMDiagnosticFailure", "diagnostic level 1", "device"),
        ("NvidiaFabricError", "GPU fabric health mask 0x1: degraded_bw=1", "device"),
        // Others of NVIDIA's.
        ("XidError", "Xid(s) 94, 95 on GPU 0", "device"),
        ("Unhealthy", "SXid (PCI:0000:c1:00.0): 12028, Non-fatal, Link 32 egress", "device"),
        ("GpuNvlinkWatchIsNotHealthy", "ErrorCode:DCGM_FR_NVLINK_DOWN GPU:0", "device"),
        ("GpuXidError", "44", "device"),
        ("GPUXIDErrors", "", "device"),
        ("GPUMissing", "7 of 8 are there", "device"),
        (
            "Unhealthy",
            "'nvidia.com/gpu' device marked unhealthy: GPU-7540a9b3-eeb9-1214-1526-f93c9ea826a8",
            "device nvidia.com/gpu",
        ),
        ("Any", "GPU 3 is unhealthy", "device"),
        ("Any", "Uncorrectable ECC error on GPU 0", "device"),
        ("Any", "double-bit ECC errors detected on gpu 1", "device"),
        ("Any", "GPU 0: row remapping failure pending", "device"),
        ("Any", "NVRM: RmInitAdapter failed! (0x62:0x40:2409)", "device"),
        ("Any", "no healthy GPU: GPU0 is not responding", "device"),
        ("Any", "GPU 0 is lost", "device"),
        ("Any", "GPU 0 has 1 uncorrectable ECC error", "device"),
        // AMD's.
        ("AMDGPUUnhealthy", "", "device"),
        ("AMDGPUIsDown", "", "device"),
        ("AMDGPUMissing", "GPU 3 of node-1", "device"),
        ("KernelError", "amdgpu 0000:0c:00.0: ring gfx_0.0.0 timeout, signaled seq=1", "device"),
        ("KernelError", "amdgpu 0000:0c:00.0: amdgpu: GPU reset begin!", "device"),
        (
            "KernelError",
            "amdgpu 0000:c1:00.0: amdgpu: uncorrectable hardware errors detected in umc block",
            "device",
        ),
        (
            "KernelError",
            "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring sdma0 timeout, signaled seq=5",
            "device",
        ),
        // Intel's.
        ("KernelError", "i915 0000:33:00.0: [drm] GPU HANG: ecode 12:0:00000000", "device"),
        ("KernelError", "i915 0000:33:00.0: GPU HANG: ecode 12:0:00000000", "device"),
        (
            "KernelError",
            "xe 0000:03:00.0: [drm] *ERROR* CRITICAL: Xe has declared device as wedged.",
            "device",
        ),
        ("KernelError", "xe 0000:03:00.0: [drm] Tile0: GT0: Engine reset: class=ccs", "device"),
        // Of the driver, and of an allocation.
        ("GpuDriverUnresponsive", "", "runtime"),
        ("GPUAllocationFailed", "", "admission"),
    ]);
}

#[test]
fn what_the_usual_writers_say_when_all_is_well_is_not_tagged() {
    check(&[
        ("NoGPUMissing", "all 8 GPUs are there", "-"),
        ("NoGPUXIDErrors", "No XID errors on this node", "-"),
        ("AMDGPURecovered", "GPU 3 is healthy again", "-"),
        ("AMDGPUIsUp", "AMDGPU is up", "-"),
        ("GpuNvlinkWatchIsHealthy", "No Health Failures", "-"),
        ("Normal", "no NVLink errors were found", "-"),
        ("Unhealthy", "Readiness probe failed: DCGM is up", "-"),
        ("Unhealthy", "Readiness probe failed: GPU 0 is busy", "-"),
        ("Normal", "GPU 0 has 0 uncorrectable ECC errors", "-"),
        ("Normal", "amdgpu: ring gfx reset succeeded after a timeout", "-"),
        ("FluxIdentityError", "a failure of something else", "-"),
        ("ProcMissing", "a failure of something else", "-"),
    ]);
}

#[test]
fn a_pod_that_has_such_a_word_in_its_name_is_not_tagged() {
    for name in [
        "xid-79",
        "xid-79-reader",
        "gpu-hang",
        "gpu",
        "amdgpu",
        "dcgm",
        "nvlink",
        "nvidia",
        "gpu-7540a9b3-eeb9-1214-1526-f93c9ea826a8",
        "nvidia-double-bit-error",
        "gpu-is-lost",
    ] {
        check(&[
            (
                "BackOff",
                &format!("Back-off restarting failed container {name} in pod {name}-x7_ns(6f)"),
                "-",
            ),
            ("Failed", &format!(r#"Failed to pull image "registry/{name}:1": not found"#), "-"),
            ("FailedMount", &format!(r#"secret "{name}" missing"#), "-"),
            ("FailedScheduling", &format!(r#"pod "{name}" failed: node unhealthy"#), "-"),
            ("FailedCreate", &format!("Error creating: pods {name} failed, missing quota"), "-"),
        ]);
    }
}

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
fn what_merely_has_gpu_or_nvidia_in_its_name_is_not_a_failure() {
    check(&[
        ("Pulling", r#"Pulling image "nvcr.io/nvidia/cuda:12.4.1-base-ubuntu22.04""#, "-"),
        (
            "Pulled",
            r#"Successfully pulled image "nvcr.io/nvidia/k8s/dcgm-exporter:3.3.5" in 1.2s (1.2s including waiting). Image size: 12 bytes."#,
            "-",
        ),
        (
            "Failed",
            r#"Failed to pull image "nvcr.io/nvidia/cuda": rpc error: code = NotFound desc = failed to pull and unpack image"#,
            "-",
        ),
        (
            "BackOff",
            r#"Back-off pulling image "registry/nvidia-container-cli:1.0": ErrImagePull"#,
            "-",
        ),
        (
            "BackOff",
            "Back-off restarting failed container nvidia-device-plugin in pod nvidia-device-plugin-x7k2p_gpu-operator(6f)",
            "-",
        ),
        (
            "BackOff",
            "Back-off restarting failed container nvml in pod nvml-exporter-abcde_monitoring(6f)",
            "-",
        ),
        (
            "BackOff",
            "Back-off restarting failed container xid-reader in pod xid-reader-79_default(6f)",
            "-",
        ),
        ("Started", "Started container nvidia-container-cli", "-"),
        (
            "FailedMount",
            r#"MountVolume.SetUp failed for volume "nvidia-mps" : secret "gpu-secret" not found"#,
            "-",
        ),
        (
            "FailedMount",
            r#"MountVolume.SetUp failed for volume "gpu" : references non-existent secret key: NVML_TOKEN"#,
            "-",
        ),
        ("Failed", "Error: couldn't find key NVML in ConfigMap default/gpu-settings", "-"),
        ("Failed", r#"Error: secret "nvml" not found"#, "-"),
        ("Failed", r#"Error: configmap "NVML" not found"#, "-"),
        (
            "Failed",
            "Error: cannot find volume \"nvidia.com-gpu\" to mount into container \"cuda\"",
            "-",
        ),
        ("ScalingReplicaSet", "Scaled up replica set gpu-burn-7d4b9 to 1 from 0", "-"),
        (
            "FailedCreate",
            r#"Error creating: pods "gpu-0" is forbidden: exceeded quota: gpu, requested: requests.nvidia.com/gpu=1, used: requests.nvidia.com/gpu=8, limited: requests.nvidia.com/gpu=8"#,
            "-",
        ),
        (
            "UnexpectedAdmissionError",
            "Allocate failed due to requested number of devices unavailable for example.com/fpga. Requested: 1, Available: 0, which is unexpected",
            "-",
        ),
        (
            "UnexpectedAdmissionError",
            "Pod nvidia-gpu-0: Allocate failed due to rpc error: no free device, which is unexpected",
            "-",
        ),
        ("UnexpectedAdmissionError", "Allocate failed for requests.nvidia.com/gpu", "-"),
        ("UnexpectedAdmissionError", r#"image "nvidia.com/gpu:v1" is not allowed"#, "-"),
        ("UnexpectedAdmissionError", "image nvidia.com/gpu@sha256:0123 is not allowed", "-"),
        ("UnexpectedAdmissionError", "node had taint nvidia.com/gpu=present:NoSchedule", "-"),
        ("UnexpectedAdmissionError", "node had taint {nvidia.com/gpu: true}", "-"),
        ("UnexpectedAdmissionError", "node had taint {nvidia.com/gpu=true:NoSchedule}", "-"),
    ]);
}

#[test]
fn a_name_is_not_a_failure_whatever_it_is() {
    let refused = "UnexpectedAdmissionError";
    check(&[
        (refused, r#"image "nvidia.com/gpu" not allowed"#, "-"),
        (refused, "image 'nvidia.com/gpu' not allowed", "-"),
        (refused, "image nvidia.com/gpu:1 not allowed", "-"),
        (refused, r#"image "nvidia.com/gpu:1" not allowed"#, "-"),
        (refused, r#"taint "nvidia.com/gpu" not tolerated"#, "-"),
        (refused, "{key: nvidia.com/gpu, effect: NoSchedule} not tolerated", "-"),
        (refused, r#"{"key":"nvidia.com/gpu","effect":"NoSchedule"} not tolerated"#, "-"),
        (refused, "taint {nvidia.com/gpu: 1} not tolerated", "-"),
        (refused, "taint nvidia.com/gpu=1:NoSchedule not tolerated", "-"),
        (refused, "volume nvidia.com/gpu is not there", "-"),
        (refused, r#"volume "nvidia.com/gpu" is not there"#, "-"),
        (refused, "secret nvidia.com/gpu is not there", "-"),
        (refused, "configmap: nvidia.com/gpu is not there", "-"),
        (refused, "Pod nvidia.com/gpu is not wanted", "-"),
        ("Failed", r#"cannot find volume "Xid 79""#, "-"),
        ("Failed", r#"cannot find volume "GPU is lost""#, "-"),
        ("Failed", r#"pull image "x:Xid=79""#, "-"),
        ("Failed", "pull image x:Xid=79", "-"),
        ("Failed", r#"pull image "nvidia-container-cli: latest error""#, "-"),
        ("Failed", r#"stderr: "failed to pull image \"nvidia-container-cli: error\"""#, "-"),
        (
            "Failed",
            "2 node(s) had untolerated taint {NVML: true}, persistentvolumeclaim not found",
            "-",
        ),
        ("Failed", "Pod didn't start, secret 'NVML error' not found", "-"),
    ]);
}

#[test]
fn a_quoted_error_is_not_a_name_and_quotes_before_it_do_not_matter() {
    check(&[
        ("Failed", r#"container "cuda" failed: Xid 79"#, "device"),
        ("Failed", r#"failed to start container "cuda": stderr: "GPU is lost""#, "device"),
        ("Failed", "container cuda's driver couldn't start: GPU is lost", "device"),
        (
            "UnexpectedAdmissionError",
            r#"Pod "a": "nvidia.com/gpu" is unavailable"#,
            "admission nvidia.com/gpu",
        ),
        (
            "UnexpectedAdmissionError",
            "cannot admit pod: nvidia.com/gpu unavailable",
            "admission nvidia.com/gpu",
        ),
    ]);
}

#[test]
fn a_transaction_is_not_a_device() {
    check(&[
        ("Failed", "database transaction XID 79 not found", "-"),
        ("Failed", "cannot commit transaction; Xid: 731", "-"),
        ("Failed", "rolled back transaction id xid=12", "-"),
        ("Failed", "xid 79 is prepared", "-"),
    ]);
}

#[test]
fn xids_are_reported_in_many_words() {
    check(&[
        ("Any", "Received Xid event: 63 on GPU-abc", "device"),
        ("Any", "GPU Xid event 79", "device"),
        ("Any", "critical Xids: 79", "device"),
        ("Any", "xid 79 detected on GPU 0", "device"),
        ("Any", "NVIDIA driver reports xIDs [79]", "device"),
        ("Any", "gpu is lost", "device"),
        ("Any", "Gpu Is Lost", "device"),
        ("Any", "Fallen off the bus", "device"),
        ("Any", "THE GPU HAS FALLEN OFF THE BUS", "device"),
    ]);
}

#[test]
fn the_container_cli_fails_under_any_path_and_in_others_words() {
    check(&[
        (
            "Failed",
            r#"exec: "nvidia-container-cli": executable file not found in $PATH"#,
            "runtime",
        ),
        (
            "Failed",
            r#"error: "exec: \"nvidia-container-cli\": executable file not found""#,
            "runtime",
        ),
        (
            "Failed",
            "/usr/bin/nvidia-container-cli: initialization error: driver rpc error",
            "runtime",
        ),
        ("Failed", "nvidia-container-cli error: driver rpc error", "runtime"),
        ("Failed", "nvidia-container-cli failed: exit status 1", "runtime"),
        ("Failed", "running nvidia-container-cli returned error", "runtime"),
        ("Failed", "failed to run nvidia-container-cli", "runtime"),
        ("Started", "nvidia-container-cli is ready, probe failed", "-"),
        ("Failed", "pull registry/nvidia-container-cli: not found", "-"),
        ("Failed", "pull nvidia-container-cli:1.0 failed", "-"),
    ]);
}

#[test]
fn nvml_fails_in_its_own_clause() {
    check(&[
        ("Failed", "nvml: Unknown Error", "runtime"),
        ("Failed", "NVML: Driver Not Loaded", "runtime"),
        ("Failed", "nvmlInit failed: Driver Not Loaded", "runtime"),
        ("Failed", "nvmlInit_v2(): Driver Not Loaded", "runtime"),
        ("Failed", "nvmlDeviceGetHandleByIndex failed", "runtime"),
        ("Failed", "RM has detected an NVML/RM version mismatch", "runtime"),
        ("Unhealthy", "Readiness probe failed: exporter says NVML is fine", "-"),
        ("Unhealthy", "NVML is ready; probe failed", "-"),
        ("Unhealthy", "NVML is fine: probe failed", "-"),
        ("Failed", "nvmlexporter failed", "-"),
        ("Failed", &format!("NVML {} failed", "é".repeat(400)), "-"),
        ("Failed", &format!("failed {}to load nvml", "é".repeat(400)), "-"),
        ("Failed", r#"couldn't find key "NVML_ERROR" in ConfigMap"#, "-"),
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

#[test]
fn words_that_only_look_like_a_failure_are_not_one() {
    check(&[
        ("Failed", "rolled back transaction Xid 48151623", "-"),
        ("Failed", "LXid 79, Xidx 79, xid-79, Xid-7b, MyXid=79, a/Xid 79", "-"),
        ("Failed", "XID is not set", "-"),
        ("Failed", "vGPU is lost_and_found", "-"),
        ("Failed", "The config says fallen off the business", "-"),
        ("Started", "NVML is ready", "-"),
        ("Failed", "NV", "-"),
        (
            "Failed",
            "error: NV\u{e9}\u{e9} NVM nv\u{1f680} Xi\u{1f680} GP\u{1f680} gp\u{1f680} bu",
            "-",
        ),
        ("Exited", "Container exited; invalid environment, canvas busy building", "-"),
        ("Unhealthy", "", "-"),
    ]);
}

#[test]
fn a_sign_is_found_wherever_it_stands() {
    for blanks in 0..40 {
        let before = " ".repeat(blanks);
        for after in ["", " ", ", and more text than fits into one block of sixteen"] {
            let message = format!("{before}GPU is lost{after}");
            assert_eq!(tagged("Any", &message), "device", "{message:?}");
            let message = format!("{before}1 Insufficient amd.com/gpu{after}");
            assert_eq!(
                tagged("FailedScheduling", &message),
                "unschedulable amd.com/gpu",
                "{message:?}"
            );
            let message = format!("{before}fallen off the bus{after}");
            assert_eq!(tagged("Any", &message), "device", "{message:?}");
        }
    }
}

#[test]
fn an_event_that_is_not_about_gpus_costs_two_calls() {
    let mut filter = filter();
    let _ = filter.process(
        r#"{"reason":"BackOff","message":"Back-off restarting failed container app in pod app-0"}"#,
    );
    assert_eq!(filter.calls(), ["message", "reason"]);
    let _ = filter
        .process(r#"{"reason":"Pulling","message":"Pulling image \"nvcr.io/nvidia/cuda:12\""}"#);
    assert_eq!(filter.calls(), ["message", "reason"]);
    // Near a sign, and none.
    let _ = filter
        .process(r#"{"reason":"Failed","message":"exit code 1, maximum exists, bus, BUILD, GPU"}"#);
    assert_eq!(filter.calls(), ["message", "reason"]);
}

#[test]
fn an_event_is_tagged_once() {
    let message = r#""message":"GPU is lost","tags":["x","gpu-failure"]"#;
    let mut filter = filter();
    let outcome = filter.process(&format!("{{{message}}}"));
    assert_eq!(outcome.get("/tags").as_deref(), Some(r#"["x","gpu-failure"]"#));
    let outcome =
        filter.process(r#"{"message":"GPU is lost","tags":["gpu-failure-x",["gpu-failure"]]}"#);
    assert_eq!(
        outcome.get("/tags").as_deref(),
        Some(r#"["gpu-failure-x",["gpu-failure"],"gpu-failure"]"#)
    );
}

#[test]
fn what_can_be_said_is_said_where_tags_are_something_else() {
    let outcome = filter().process(r#"{"message":"GPU is lost","tags":"x"}"#);
    assert_eq!(outcome.get("/tags").as_deref(), Some("\"x\""));
    assert_eq!(outcome.get("/gpu/cause").as_deref(), Some("\"device\""));
}

#[test]
fn it_has_nothing_to_configure() {
    assert!(Harness::<TagGpuFailures>::new(r#"{"tag":"x"}"#).is_err());
}

#[test]
fn only_an_element_of_the_array_itself_is_a_tag() {
    for array in [r#"["a"]"#, r#"[ "b" , "a" ]"#, r#"[{"a":1},"a"]"#, r#"["]","\"","\\","a"]"#] {
        assert!(holds_string(array, "a"), "{array}");
    }
    for array in [
        "[]",
        r#"["ab"]"#,
        r#"[["a"]]"#,
        r#"[{"a":"a"}]"#,
        r#""a""#,
        r#"{"x":"a"}"#,
        r#"["\"a"]"#,
        r#"["a\""]"#,
    ] {
        assert!(!holds_string(array, "a"), "{array}");
    }
}

#[test]
fn no_word_that_a_reason_may_have_is_passed_over_for_want_of_a_rare_pair() {
    for word in writers::GPU_PARTS.iter().copied().chain([&b"ROCm"[..], b"xid"]) {
        let upper = word.to_ascii_uppercase();
        assert!(writers::has_rare_pair(word) && writers::has_rare_pair(&upper), "{upper:?}");
    }
    for usual in ["Pulled", "BackOff", "FailedScheduling", "Unhealthy", "FailedMount"] {
        assert!(!writers::has_rare_pair(usual.as_bytes()), "{usual}");
    }
}
