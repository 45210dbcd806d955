//! What a message names, and does not speak about: Pods, images, secrets, volumes, taints.
//!
//! Any of them may be called what a failure is called, or a GPU resource. What says that it is a
//! name is the word before it, and quotes and braces around it.

use crate::words::{self, Words, is_one_of};

/// Words that say what the next word names, but for [`SUBJECTS`].
const KINDS: Words = &[
    b"image",
    b"images",
    b"tag",
    b"secret",
    b"secrets",
    b"configmap",
    b"configmaps",
    b"volume",
    b"volumes",
    b"persistentvolume",
    b"persistentvolumeclaim",
    b"serviceaccount",
    b"taint",
    b"taints",
    b"toleration",
    b"tolerations",
    b"label",
    b"labels",
    b"annotation",
    b"annotations",
    b"selector",
    b"key",
    b"keys",
];

/// The same; a colon behind the word ends what was said: `cannot admit pod: nvidia.com/gpu …`.
const SUBJECTS: Words = &[b"pod", b"pods", b"container", b"containers"];

/// What may stand between such a word and the name.
const GAP: &[u8] = b" \"'`\\:=";

const TAINTS: Words = &[b"taint", b"taints", b"toleration", b"tolerations"];

/// Whether what follows `before` is a name, by the word before it: `image "…`, `key: …`, `Pod …`.
#[inline(never)]
pub(crate) fn follows(before: &[u8]) -> bool {
    let gap = words::part(before, words::trim_end(before, |byte| GAP.contains(&byte)).len()..);
    let word = words::last(before, GAP);
    is_one_of(word, KINDS) || !gap.starts_with(b": ") && is_one_of(word, SUBJECTS)
}

/// Whether `at` is somewhere within a quoted name, such as `image "…`, or a taint, `taint {…`.
#[inline(never)]
pub(crate) fn surround(text: &[u8], at: usize) -> bool {
    in_quotes(text, at) || in_taint(words::part(text, ..at))
}

/// Only quotes that open behind a word like `image` are looked at: others are quoted errors, and an
/// apostrophe is no quote.
fn in_quotes(text: &[u8], at: usize) -> bool {
    let next = |from: usize, is: &dyn Fn(u8) -> bool| {
        words::part(text, from..at).iter().position(|byte| is(*byte)).map(|found| from + found)
    };
    let mut from = 0;
    while let Some(open) = next(from, &|byte| matches!(byte, b'"' | b'\'')) {
        let before = words::trim_end(words::part(text, ..open), |byte| byte == b'\\');
        from = open + 1;
        if !(matches!(before, [.., b' ' | b':' | b'=']) && follows(before)) {
            continue;
        }
        match next(from, &|byte| text.get(open) == Some(&byte)) {
            Some(close) => from = close + 1,
            None => return true,
        }
    }
    false
}

fn in_taint(before: &[u8]) -> bool {
    let is_brace = |byte: &u8| matches!(byte, b'{' | b'}');
    let braces = before.iter().rposition(is_brace).and_then(|at| before.split_at_checked(at));
    braces.is_some_and(|(before, brace)| {
        brace.starts_with(b"{") && is_one_of(words::last(before, b" "), TAINTS)
    })
}
