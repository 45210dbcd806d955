//! What the usual writers say of a device that fails: NVIDIA's, AMD's and Intel's drivers, their
//! device plugins, DCGM, and the node monitors of clouds and of Kubernetes.
//!
//! A message must speak of a GPU, or of what belongs to one, and of a failure in the same clause. A
//! reason is one word, made of capitalised ones, and is read as such.

use crate::{names, words};

/// What a message speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
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
pub(crate) fn judge(message: &str, at: usize) -> Option<Judged> {
    let (subject, begin, end) = subject_at(message, at)?;
    if names::follows(&message[..begin]) || names::surround(message, begin) {
        return None;
    }
    let after = end + words::clause_after(&message[end..]).len();
    // `device marked unhealthy: GPU-…`; but a probe that failed is not what failed: `: GPU 0 is
    // up`.
    let sentence = &message[begin - words::sentence_before(message, begin).len()..after];
    let clause = &message[begin - words::clause_before(message, begin).len()..after];
    let fails =
        tells_of_device(sentence) || subject == Subject::Part && words::tells_of_failure(clause);
    Some(Judged { end: after, fails: fails && !denies(sentence) })
}

/// The subject that has one of the rare pairs of letters at `at`, and where it stands.
fn subject_at(message: &str, at: usize) -> Option<(Subject, usize, usize)> {
    // How far before the pair a word begins, the word, and whether it counts in any case.
    const WORDS: &[(usize, &str, bool, Subject)] = &[
        (0, "gpu", true, Subject::Gpu),
        (0, "gpus", true, Subject::Gpu),
        (0, "nvidia", true, Subject::Gpu),
        (3, "amdgpu", true, Subject::Part),
        (0, "nvlink", true, Subject::Part),
        (0, "nvswitch", true, Subject::Part),
        (0, "nvrm", true, Subject::Part),
        (2, "DCGM", false, Subject::Part),
    ];
    for (back, word, in_any_case, subject) in WORDS {
        let Some(begin) = at.checked_sub(*back) else { continue };
        let Some(found) = message.as_bytes().get(begin..begin + word.len()) else { continue };
        let is_it =
            found == word.as_bytes() || *in_any_case && found.eq_ignore_ascii_case(word.as_bytes());
        if !is_it || !words::begins(message, begin) {
            continue;
        }
        let end = begin + word.len();
        // `GPU0`; and `GPU-5a0b2c1d-…`, which is a device's own name.
        let digits = message[end..].bytes().take_while(u8::is_ascii_digit).count();
        if words::ends(message, end + digits) {
            return Some((*subject, begin, end + digits));
        }
        if *word == "gpu" && is_uuid(&message[begin..]) {
            return Some((Subject::Gpu, begin, begin + UUID_BYTES));
        }
    }
    // The kernel's graphics drivers: `[drm]`, `[drm:amdgpu_job_timedout [amdgpu]]`.
    let rest = &message[at..];
    let is_drm = rest.starts_with("[drm]") || rest.starts_with("[drm:");
    is_drm.then_some((Subject::Part, at, at + "[drm]".len()))
}

/// `GPU-` and eight, four, four, four and twelve digits.
const UUID_BYTES: usize = 40;

fn is_uuid(text: &str) -> bool {
    let Some(digits) = text.strip_prefix("GPU-").and_then(|text| text.get(..UUID_BYTES - 4)) else {
        return false;
    };
    let shape = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
    digits.bytes().zip(shape.bytes()).all(|(byte, like)| match like {
        b'h' => byte.is_ascii_hexdigit(),
        _ => byte == like,
    })
}

/// Whether a clause says what happens to devices.
fn tells_of_device(clause: &str) -> bool {
    const PHRASES: &[&str] = &[
        "cannot be accessed",
        "degraded",
        "device handle",
        "disappeared",
        "double bit",
        "double-bit",
        "ecc error",
        "engine reset",
        "fallen off",
        "fell off",
        "gpu error",
        "gpu failed",
        "gpu failure",
        "gpu fault",
        "gpu lost",
        "gpu recovery",
        "gpu reset",
        "hang",
        "hangs",
        "hardware error",
        "hardware fault",
        "hung",
        "is down",
        "is lost",
        "lost gpu",
        "mismatch",
        "missing",
        "not detected",
        "not responding",
        "overheat",
        "page fault",
        "page retire",
        "poison",
        "power violation",
        "reset required",
        "retired page",
        "row remap",
        "stopped responding",
        "thermal",
        "throttl",
        "uncorrect",
        "unhealthy",
        "unresponsive",
        "wedged",
    ];
    at_words(clause, |rest| {
        PHRASES.iter().any(|phrase| {
            let found = rest.as_bytes().get(..phrase.len());
            found.is_some_and(|found| found.eq_ignore_ascii_case(phrase.as_bytes()))
                && (*phrase != "hang" || words::ends(rest, phrase.len()))
        })
    })
}

/// Whether a clause says that there is no failure (`no errors`, `0 uncorrectable ECC errors`), or
/// none any more.
fn denies(clause: &str) -> bool {
    const OVER: &[&str] = &["recovered", "resolved", "cleared", "succeeded", "without"];
    at_words(clause, |rest| {
        let mut words = rest.split(|c: char| !c.is_ascii_alphanumeric());
        let first = words.next().unwrap_or_default();
        let counts_none = first.eq_ignore_ascii_case("no") || rest.starts_with("0 ");
        counts_none && words.take(4).any(is_failure)
            || OVER.iter().any(|over| over.eq_ignore_ascii_case(first))
    })
}

fn is_failure(word: &str) -> bool {
    const FAILURES: &[&str] = &["error", "fail", "fault", "xid", "issue", "problem", "violation"];
    FAILURES.iter().any(|failure| words::mentions(word, failure))
}

/// Whether `holds` of the text from the beginning of one of its words on.
fn at_words(text: &str, holds: impl Fn(&str) -> bool) -> bool {
    let mut before = b' ';
    text.bytes().enumerate().any(|(at, byte)| {
        let begins = byte.is_ascii_alphanumeric() && !before.is_ascii_alphanumeric();
        before = byte;
        begins && holds(&text[at..])
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
pub(crate) fn reason(reason: &str) -> Option<Says> {
    const GOOD: &[&str] = &["recover", "resolved", "cleared", "restored", "succeeded"];
    const BAD: &[&str] = &[
        "error",
        "fail",
        "unhealthy",
        "nothealthy",
        "isdown",
        "linkdown",
        "missing",
        "lost",
        "mismatch",
        "hang",
        "hung",
        "fault",
        "fatal",
        "critical",
        "warning",
        "retire",
        "violation",
        "throttl",
        "degraded",
        "unresponsive",
        "notrunning",
        "notready",
        "unavailable",
        "wedged",
        "uncorrect",
        "remap",
        "fallenoff",
        "overheat",
        "doublebit",
        "timeout",
        "problem",
        "flapping",
    ];
    if !has_rare_pair(reason) {
        return None;
    }
    let about_xid = has_xid(reason);
    if !about_xid && !is_about_gpus(reason) {
        return None;
    }
    let good = GOOD.iter().any(|word| words::mentions(reason, word)) && !reason.contains("Failed");
    let none = reason
        .strip_prefix("No")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
    let bad = BAD.iter().any(|word| words::mentions(reason, word));
    if good || none || !(about_xid || bad) {
        return None;
    }
    Some(if words::mentions(reason, "alloc") {
        Says::Admission
    } else if ["driver", "nvml", "connect"].iter().any(|word| words::mentions(reason, word)) {
        Says::Runtime
    } else {
        Says::Device
    })
}

/// Whether one of the pairs of letters is there that each word of [`is_about_gpus`] and `xid` have.
/// Nearly every reason has none, and looking for all of the words would cost more than the call.
pub(crate) fn has_rare_pair(reason: &str) -> bool {
    reason.as_bytes().windows(2).any(|pair| {
        let pair = [pair[0] | 0x20, pair[1] | 0x20];
        matches!(&pair, b"gp" | b"nv" | b"gm" | b"cm" | b"91" | b"xi")
    })
}

/// In any case; `ROCm`, which would be found in other words, only so.
pub(crate) const GPU_PARTS: &[&str] =
    &["gpu", "nvidia", "nvlink", "nvswitch", "dcgm", "nvml", "fabricmanager", "i915"];

fn is_about_gpus(reason: &str) -> bool {
    GPU_PARTS.iter().any(|part| words::mentions(reason, part)) || reason.contains("ROCm")
}

/// `XID`, `Xid`, or `xid` between signs; not `FluxIdentity`.
fn has_xid(reason: &str) -> bool {
    reason.match_indices(['X', 'x']).any(|(at, _)| {
        let (before, rest) = (&reason[..at], &reason[at..]);
        let after = |word| rest.strip_prefix(word);
        match after("XID").or_else(|| after("Xid")) {
            Some(after) => {
                !after.trim_start_matches('s').starts_with(|c: char| c.is_ascii_lowercase())
            }
            None => after("xid").is_some_and(|after: &str| {
                !before.ends_with(|c: char| c.is_ascii_alphanumeric())
                    && !after.starts_with(|c: char| c.is_ascii_alphabetic())
            }),
        }
    })
}
