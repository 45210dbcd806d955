//! What the usual writers say of a device that fails: NVIDIA's, AMD's and Intel's drivers, their
//! device plugins, DCGM, and the node monitors of clouds and of Kubernetes.
//!
//! A message must speak of a GPU, or of what belongs to one, and of a failure in the same clause. A
//! reason is one word, made of capitalised ones, and is read as such.

use crate::words::{self, Words};
use crate::{kinds, names, vector};

/// What a message speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A GPU. Much may fail that has to do with one, so only what happens to devices counts.
    Gpu,
    /// A driver, a link between GPUs, or a monitor of them: what fails there is the device.
    Part,
}

/// Where the clause ends that speaks of a GPU's failure, or does not, around the subject at `at`:
/// what comes before that needs no second look.
pub(crate) struct Judged {
    pub(crate) end: usize,
    pub(crate) fails: bool,
}

/// Looks at the clause around `at`, where something may stand that belongs to GPUs.
#[inline(never)]
pub(crate) fn judge(message: &[u8], at: usize) -> Option<Judged> {
    let (subject, begin, end) = subject_at(message, at)?;
    if names::follows(words::part(message, ..begin)) || names::surround(message, begin) {
        return None;
    }
    let after = end + words::clause_after(words::part(message, end..)).len();
    // `device marked unhealthy: GPU-…`; but a probe that failed is not what failed: `: GPU 0 is
    // up`.
    let sentence =
        words::part(message, begin - words::sentence_before(message, begin).len()..after);
    let clause = words::part(message, begin - words::clause_before(message, begin).len()..after);
    let fails =
        tells_of_device(sentence) || subject == Subject::Part && words::tells_of_failure(clause);
    Some(Judged { end: after, fails: fails && !denies(sentence) })
}

/// How far before the rare pair a word begins, the word, and whether it counts in any case.
pub(crate) const SUBJECTS: &[(usize, &[u8], bool, Subject)] = &[
    (0, b"gpu", true, Subject::Gpu),
    (0, b"gpus", true, Subject::Gpu),
    (0, b"nvidia", true, Subject::Gpu),
    (3, b"amdgpu", true, Subject::Part),
    (0, b"nvlink", true, Subject::Part),
    (0, b"nvswitch", true, Subject::Part),
    (0, b"nvrm", true, Subject::Part),
    (2, b"DCGM", false, Subject::Part),
];

/// The subject that has one of the rare pairs of letters at `at`, and where it stands.
fn subject_at(message: &[u8], at: usize) -> Option<(Subject, usize, usize)> {
    for (back, word, in_any_case, subject) in SUBJECTS {
        let Some(begin) = at.checked_sub(*back) else { continue };
        let is_it = words::has_at_in_any_case(message, begin, word)
            && (*in_any_case || words::has_at(message, begin, word));
        if !is_it || !words::begins(message, begin) {
            continue;
        }
        let end = begin + word.len();
        // `GPU0`; and `GPU-5a0b2c1d-…`, which is a device's own name.
        let digits = words::digits(words::part(message, end..));
        if words::ends(message, end + digits) {
            return Some((*subject, begin, end + digits));
        }
        if *word == b"gpu" && is_uuid(words::part(message, begin..)) {
            return Some((Subject::Gpu, begin, begin + UUID_BYTES));
        }
    }
    // The kernel's graphics drivers: `[drm]`, `[drm:amdgpu_job_timedout [amdgpu]]`.
    let is_drm = matches!(words::part(message, at..), [b'[', b'd', b'r', b'm', b']' | b':', ..]);
    is_drm.then_some((Subject::Part, at, at + "[drm]".len()))
}

/// `GPU-` and eight, four, four, four and twelve digits.
const UUID_BYTES: usize = 40;

fn is_uuid(text: &[u8]) -> bool {
    let Some(digits) = text.strip_prefix(b"GPU-").and_then(|text| text.get(..UUID_BYTES - 4))
    else {
        return false;
    };
    let shape = b"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
    digits.iter().zip(shape).all(|(byte, like)| match like {
        b'h' => byte.is_ascii_hexdigit(),
        _ => byte == like,
    })
}

/// Whether a clause says what happens to devices.
fn tells_of_device(clause: &[u8]) -> bool {
    // By their first letter: a clause has many words, and nearly none begins one of these.
    let phrases = |first| -> Words {
        match first {
            b'c' => &[b"cannot be accessed"],
            b'd' => &[b"degraded", b"device handle", b"disappeared", b"double bit", b"double-bit"],
            b'e' => &[b"ecc error", b"engine reset"],
            b'f' => &[b"fallen off", b"fell off"],
            b'g' => &[
                b"gpu error",
                b"gpu failed",
                b"gpu failure",
                b"gpu fault",
                b"gpu lost",
                b"gpu recovery",
                b"gpu reset",
            ],
            b'h' => &[b"hang", b"hangs", b"hardware error", b"hardware fault", b"hung"],
            b'i' => &[b"is down", b"is lost"],
            b'l' => &[b"lost gpu"],
            b'm' => &[b"mismatch", b"missing"],
            b'n' => &[b"not detected", b"not responding"],
            b'o' => &[b"overheat"],
            b'p' => &[b"page fault", b"page retire", b"poison", b"power violation"],
            b'r' => &[b"reset required", b"retired page", b"row remap"],
            b's' => &[b"stopped responding"],
            b't' => &[b"thermal", b"throttl"],
            b'u' => &[b"uncorrect", b"unhealthy", b"unresponsive"],
            b'w' => &[b"wedged"],
            _ => &[],
        }
    };
    at_words(clause, |rest| {
        let first = rest.first().map_or(0, |first| first | 0x20);
        phrases(first).iter().any(|phrase| {
            words::has_at_in_any_case(rest, 0, phrase)
                && (*phrase != b"hang" || words::ends(rest, phrase.len()))
        })
    })
}

/// Whether a clause says that there is no failure (`no errors`, `0 uncorrectable ECC errors`), or
/// none any more.
fn denies(clause: &[u8]) -> bool {
    const OVER: Words = &[b"recovered", b"resolved", b"cleared", b"succeeded", b"without"];
    at_words(clause, |rest| {
        // A character of several bytes is one sign between words, as a blank is.
        let mut words =
            rest.split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, 0x80..0xc0));
        let first = words.next().unwrap_or_default();
        let counts_none = first.eq_ignore_ascii_case(b"no") || rest.starts_with(b"0 ");
        counts_none && words.take(4).any(is_failure) || words::is_one_of(first, OVER)
    })
}

fn is_failure(word: &[u8]) -> bool {
    const FAILURES: Words =
        &[b"error", b"fail", b"fault", b"xid", b"issue", b"problem", b"violation"];
    words::mentions_one(word, FAILURES)
}

/// Whether `holds` of the text from the beginning of one of its words on.
fn at_words(text: &[u8], holds: impl Fn(&[u8]) -> bool) -> bool {
    let mut was_inside = false;
    text.iter().enumerate().any(|(at, byte)| {
        let is_inside = kinds::ALPHANUMERIC.has(*byte);
        let begins = is_inside && !was_inside;
        was_inside = is_inside;
        begins && holds(words::part(text, at..))
    })
}

/// What a reason says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Device,
    Runtime,
    Admission,
}

/// Reads a reason: `NvidiaXID79Error`, `AMDGPUUnhealthy`, `GpuNvlinkWatchIsNotHealthy`. One that
/// says that all is well again (`NoGPUMissing`, `AMDGPURecovered`) says nothing.
#[inline(never)]
pub(crate) fn reason(reason: &[u8]) -> Option<Says> {
    const GOOD: Words = &[b"recover", b"resolved", b"cleared", b"restored", b"succeeded"];
    const BAD: Words = &[
        b"error",
        b"fail",
        b"unhealthy",
        b"nothealthy",
        b"isdown",
        b"linkdown",
        b"missing",
        b"lost",
        b"mismatch",
        b"hang",
        b"hung",
        b"fault",
        b"fatal",
        b"critical",
        b"warning",
        b"retire",
        b"violation",
        b"throttl",
        b"degraded",
        b"unresponsive",
        b"notrunning",
        b"notready",
        b"unavailable",
        b"wedged",
        b"uncorrect",
        b"remap",
        b"fallenoff",
        b"overheat",
        b"doublebit",
        b"timeout",
        b"problem",
        b"flapping",
    ];
    // Nearly every reason has none of the pairs of letters that these words have.
    if !has_pair(reason) {
        return None;
    }
    let about_xid = has_xid(reason);
    if !about_xid && !is_about_gpus(reason) {
        return None;
    }
    let good = words::mentions_one(reason, GOOD) && !words::has(reason, b"Failed");
    let none = matches!(reason, [b'N', b'o', b'A'..=b'Z', ..]);
    let bad = words::mentions_one(reason, BAD);
    if good || none || !(about_xid || bad) {
        return None;
    }
    Some(if words::mentions(reason, b"alloc") {
        Says::Admission
    } else if words::mentions_one(reason, &[b"driver", b"nvml", b"connect"]) {
        Says::Runtime
    } else {
        Says::Device
    })
}

/// Whether a pair is there that each word of [`is_about_gpus`] and `xid` have: a hint, or one that
/// `fabricmanager`, `ROCm` and `i915` have.
pub(crate) fn has_pair(reason: &[u8]) -> bool {
    vector::next_hints(reason, 0).is_some() || words::mentions_one(reason, &[b"cm", b"91"])
}

/// In any case; `ROCm`, which would be found in other words, only so.
pub(crate) const GPU_PARTS: Words =
    &[b"gpu", b"nvidia", b"nvlink", b"nvswitch", b"dcgm", b"nvml", b"fabricmanager", b"i915"];

fn is_about_gpus(reason: &[u8]) -> bool {
    words::mentions_one(reason, GPU_PARTS) || words::has(reason, b"ROCm")
}

/// `XID`, `Xid`, or `xid` between signs; not `FluxIdentity`.
fn has_xid(reason: &[u8]) -> bool {
    (0..reason.len()).any(|at| {
        let after = reason.get(at + 3..).unwrap_or_default();
        match words::part(reason, at..) {
            [b'X', b'I', b'D', ..] | [b'X', b'i', b'd', ..] => {
                let after = after.iter().find(|byte| **byte != b's');
                !after.is_some_and(u8::is_ascii_lowercase)
            }
            [b'x', b'i', b'd', ..] => {
                !words::part(reason, ..at).last().is_some_and(u8::is_ascii_alphanumeric)
                    && !after.first().is_some_and(u8::is_ascii_alphabetic)
            }
            _ => false,
        }
    })
}
