//! What a message names, and does not speak about: Pods, images, secrets, volumes, taints.
//!
//! Any of them may be called what a failure is called, or a GPU resource. What says that it is a
//! name is the word before it, and quotes and braces around it.

use crate::words::{self, Words, is_one_of};
use crate::{kinds, vector};

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

const TAINTS: Words = &[b"taint", b"taints", b"toleration", b"tolerations"];

/// Whether what follows `before` is a name, by the word before it: `image "…`, `key: …`, `Pod …`.
#[inline(never)]
pub(crate) fn follows(before: &[u8]) -> bool {
    let said = words::trim_end(before, kinds::BEFORE_NAME);
    let gap = words::part(before, said.len()..);
    let word = words::part(said, words::trim_end(said, kinds::ALPHANUMERIC).len()..);
    is_one_of(word, KINDS) || !gap.starts_with(b": ") && is_one_of(word, SUBJECTS)
}

/// Whether `at` is somewhere within a quoted name, such as `image "…`, or a taint, `taint {…`.
#[inline(never)]
pub(crate) fn surround(text: &[u8], at: usize) -> bool {
    let before = words::part(text, ..at);
    vector::has_mark(before) && (in_quotes(text, at) || in_taint(before))
}

/// Only quotes that open behind a word like `image` are looked at: others are quoted errors, and an
/// apostrophe is no quote.
fn in_quotes(text: &[u8], at: usize) -> bool {
    let next = |from: usize, is: &dyn Fn(u8) -> bool| {
        words::part(text, from..at).iter().position(|byte| is(*byte)).map(|found| from + found)
    };
    let mut from = 0;
    while let Some(open) = next(from, &|byte| matches!(byte, b'"' | b'\'')) {
        let before = words::trim_end(words::part(text, ..open), kinds::BACKSLASH);
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
        brace.starts_with(b"{") && is_one_of(words::last(before, kinds::BLANK), TAINTS)
    })
}
