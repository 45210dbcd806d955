//! Parts of a text by their bytes. Every place that is answered is a character's beginning, because
//! what is searched for is ASCII.

/// How many bytes from `at` on are of a kind.
pub(crate) fn run(text: &str, at: usize, is_of_it: impl Fn(u8) -> bool) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    rest.iter().position(|byte| !is_of_it(*byte)).unwrap_or(rest.len())
}

/// Whether `part` stands at `at`, in any case.
pub(crate) fn has_at(text: &str, at: usize, part: &str) -> bool {
    let found = at.checked_add(part.len()).and_then(|end| text.as_bytes().get(at..end));
    found.is_some_and(|found| found.eq_ignore_ascii_case(part.as_bytes()))
}

/// The byte before `at`.
pub(crate) fn before(text: &str, at: usize) -> Option<u8> {
    text.as_bytes().get(at.checked_sub(1)?).copied()
}

/// Whether a word may begin at `at`.
pub(crate) fn begins(text: &str, at: usize) -> bool {
    before(text, at).is_none_or(|byte| !byte.is_ascii_alphanumeric() && byte != b'_')
}

/// Where `part` stands at or behind `at`. (`str::find` would be 4 KiB of the module.)
pub(crate) fn find(text: &str, at: usize, part: &str) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    let found = rest.windows(part.len()).position(|window| window == part.as_bytes())?;
    Some(at + found)
}
