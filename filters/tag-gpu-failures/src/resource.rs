//! Names of GPU resources: <https://kubernetes.io/docs/tasks/manage-gpus/scheduling-gpus/>, and those
//! of NVIDIA's time slicing and MIG, and of Intel's device plugin.

use crate::{kinds, names, words};

/// How long the name of a GPU resource is that begins at `at`, as one whole name.
#[inline(never)]
pub(crate) fn at(text: &[u8], at: usize) -> Option<usize> {
    if !words::begins(text, at) {
        return None;
    }
    let rest = words::part(text, at..);
    let after = words::trim_start(rest, kinds::NAME);
    let name = words::part(rest, ..rest.len() - after.len());
    let name = words::trim_end(name, kinds::FULL_STOP);
    (is_gpu(name) && !names_another_thing(text, at, after)).then_some(name.len())
}

fn is_gpu(name: &[u8]) -> bool {
    if matches!(name, b"nvidia.com/gpu" | b"nvidia.com/gpu.shared" | b"amd.com/gpu") {
        return true;
    }
    let kind =
        name.strip_prefix(b"nvidia.com/mig-").or_else(|| name.strip_prefix(b"gpu.intel.com/"));
    kind.is_some_and(|kind| !kind.is_empty() && !kind.contains(&b'/'))
}

/// Taints, labels and images have names that look like a resource's: `{nvidia.com/gpu: true}`,
/// `nvidia.com/gpu=present:NoSchedule`, `nvidia.com/gpu:v1`, `nvidia.com/gpu@sha256:…`. A number is
/// how much of a resource: `map[nvidia.com/gpu:1]`, `{nvidia.com/gpu: 2}`.
fn names_another_thing(text: &[u8], at: usize, after: &[u8]) -> bool {
    let before = words::part(text, ..at);
    let in_braces = || {
        let brace = before.iter().rfind(|byte| matches!(byte, b'{' | b'}'));
        brace == Some(&b'{')
    };
    let another = match *after {
        [b'@', ..] => true,
        [b':', next, ..] => {
            !is_quantity(words::part(after, 1..)) && (!next.is_ascii_whitespace() || in_braces())
        }
        [b'=', ..] => !is_quantity(words::part(after, 1..)),
        [b'}', ..] => in_braces(),
        _ => false,
    };
    another || names::follows(before) || names::surround(text, at)
}

fn is_quantity(text: &[u8]) -> bool {
    let text = words::trim_start(text, kinds::BEFORE_QUANTITY);
    let digits = words::digits(text);
    digits > 0 && words::ends(text, digits) && text.get(digits) != Some(&b':')
}
