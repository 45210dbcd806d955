//! What a message names, and does not speak about: Pods, images, secrets, volumes, taints.
//!
//! Any of them may be called what a failure is called, or a GPU resource. What says that it is a
//! name is the word before it, and quotes and braces around it.

use crate::words;

/// Words that say what the next word names.
const KINDS: &[&str] = &[
    "pod",
    "pods",
    "container",
    "containers",
    "image",
    "images",
    "tag",
    "secret",
    "secrets",
    "configmap",
    "configmaps",
    "volume",
    "volumes",
    "persistentvolume",
    "persistentvolumeclaim",
    "serviceaccount",
    "taint",
    "taints",
    "toleration",
    "tolerations",
    "label",
    "labels",
    "annotation",
    "annotations",
    "selector",
    "key",
    "keys",
];

/// Of these, a colon behind the word ends what was said: `cannot admit pod: nvidia.com/gpu …`.
const SUBJECTS: &[&str] = &["pod", "pods", "container", "containers"];

/// What may stand between such a word and the name.
const GAP: &[char] = &[' ', '"', '\'', '`', '\\', ':', '='];

const TAINTS: &[&str] = &["taint", "taints", "toleration", "tolerations"];

/// Whether what follows `before` is a name, by the word before it: `image "…`, `key: …`, `Pod …`.
pub(crate) fn follows(before: &str) -> bool {
    let gap = &before[before.trim_end_matches(GAP).len()..];
    let is_clause = gap.starts_with(": ");
    is_one_of(words::last(before, GAP), KINDS)
        && !(is_clause && is_one_of(words::last(before, GAP), SUBJECTS))
}

/// Whether `at` is somewhere within a quoted name, such as `image "…`, or a taint, `taint {…`.
pub(crate) fn surround(text: &str, at: usize) -> bool {
    in_quotes(text, at) || in_taint(&text[..at])
}

/// Only quotes that open behind a word like `image` are looked at: others are quoted errors, and an
/// apostrophe is no quote.
fn in_quotes(text: &str, at: usize) -> bool {
    let mut from = 0;
    while let Some(open) = text[from..at].find(['"', '\'']).map(|found| from + found) {
        let before = text[..open].trim_end_matches('\\');
        from = open + 1;
        if !(before.ends_with([' ', ':', '=']) && follows(before)) {
            continue;
        }
        let quote = if text.as_bytes()[open] == b'"' { '"' } else { '\'' };
        match text[from..at].find(quote) {
            Some(close) => from += close + 1,
            None => return true,
        }
    }
    false
}

fn in_taint(before: &str) -> bool {
    let open = before.rfind(['{', '}']).filter(|at| before[*at..].starts_with('{'));
    open.is_some_and(|open| is_one_of(words::last(&before[..open], &[' ']), TAINTS))
}

fn is_one_of(word: &str, words: &[&str]) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}
