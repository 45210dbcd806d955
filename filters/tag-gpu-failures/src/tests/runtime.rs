//! What brings a driver into a container: NVML and nvidia-container-cli.

use super::check;

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
