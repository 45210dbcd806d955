//! Devices that fail, as drivers, device plugins and monitors say it.

use super::check;

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
