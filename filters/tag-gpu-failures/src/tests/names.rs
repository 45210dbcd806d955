//! What only has the name of a failure, or of a GPU.

use super::check;

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
