//! Names of GPU resources: <https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/>, and those
//! of NVIDIA's time slicing and MIG, and of Intel's device plugin.

use crate::{names, words};

/// The GPU resource whose name begins at `at`, as one whole name.
pub(crate) fn at(text: &str, at: usize) -> Option<&str> {
    if !words::begins(text, at) {
        return None;
    }
    let rest = &text[at..];
    let end = rest.bytes().position(|byte| !words::in_name(byte)).unwrap_or(rest.len());
    let (name, after) = rest.split_at(end);
    let name = name.trim_end_matches('.');
    (is_gpu(name) && !names_another_thing(text, at, after)).then_some(name)
}

fn is_gpu(name: &str) -> bool {
    if matches!(name, "nvidia.com/gpu" | "nvidia.com/gpu.shared" | "amd.com/gpu") {
        return true;
    }
    let kind = name.strip_prefix("nvidia.com/mig-").or_else(|| name.strip_prefix("gpu.intel.com/"));
    kind.is_some_and(|kind| !kind.is_empty() && !kind.contains('/'))
}

/// Taints, labels and images have names that look like a resource's: `{nvidia.com/gpu: true}`,
/// `nvidia.com/gpu=present:NoSchedule`, `nvidia.com/gpu:v1`, `nvidia.com/gpu@sha256:…`. A number is
/// how much of a resource: `map[nvidia.com/gpu:1]`, `{nvidia.com/gpu: 2}`.
fn names_another_thing(text: &str, at: usize, after: &str) -> bool {
    let before = &text[..at];
    let in_braces = before.rfind(['{', '}']).is_some_and(|at| before[at..].starts_with('{'));
    let another = match *after.as_bytes() {
        [b'@', ..] => true,
        [b':', next, ..] => !is_quantity(&after[1..]) && (in_braces || !next.is_ascii_whitespace()),
        [b'=', ..] => !is_quantity(&after[1..]),
        [b'}', ..] => in_braces,
        _ => false,
    };
    another || names::follows(before) || names::surround(text, at)
}

fn is_quantity(text: &str) -> bool {
    let text = text.trim_start_matches([' ', '"']);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && words::ends(text, digits) && !text[digits..].starts_with(':')
}
