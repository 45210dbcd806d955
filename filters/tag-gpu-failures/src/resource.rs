//! Names of GPU resources: <https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/>, and those
//! of NVIDIA's time slicing and MIG, and of Intel's device plugin.

use crate::words;

/// What a resource's name is not: these words before it say what else it names.
const OTHER_THINGS: &[&str] =
    &["taint", "taints", "toleration", "label", "annotation", "selector", "image", "key"];

/// The GPU resource whose name begins at `at`, as one whole name.
pub(crate) fn at(text: &str, at: usize) -> Option<&str> {
    if !words::begins(text, at) {
        return None;
    }
    let rest = &text[at..];
    let end = rest.bytes().position(|byte| !words::in_name(byte)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let name = name.trim_end_matches('.');
    (is_gpu(name) && !names_another_thing(&text[..at], after)).then_some(name)
}

fn is_gpu(name: &str) -> bool {
    if matches!(name, "nvidia.com/gpu" | "nvidia.com/gpu.shared" | "amd.com/gpu") {
        return true;
    }
    let kind = name.strip_prefix("nvidia.com/mig-").or_else(|| name.strip_prefix("gpu.intel.com/"));
    kind.is_some_and(|kind| !kind.is_empty() && !kind.contains('/'))
}

/// Taints, labels and images have names that look like a resource's: `{nvidia.com/gpu: true}`,
/// `nvidia.com/gpu=present:NoSchedule`, `nvidia.com/gpu:v1`, `nvidia.com/gpu@sha256:…`.
fn names_another_thing(before: &str, after: &str) -> bool {
    let in_braces = before.rfind(['{', '}']).is_some_and(|at| before[at..].starts_with('{'));
    let another = match *after.as_bytes() {
        [b'@', ..] => true,
        [b':', next, ..] => in_braces || !next.is_ascii_whitespace(),
        [b'=', next, ..] => in_braces || !next.is_ascii_digit(),
        [b'}', ..] => in_braces,
        _ => false,
    };
    another || OTHER_THINGS.contains(&words::before(before, before.len()).trim_end_matches(':'))
}
