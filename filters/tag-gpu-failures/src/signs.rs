//! What a message says about GPUs, found in one pass.
//!
//! Every sign holds one of a few rare pairs of letters. The pass looks at 16 places at a time for
//! such a pair, and only where it sees one at what stands there. There is no allocation.

use crate::vector::{BLOCK, next_hints};
use crate::words::{self, Words};
use crate::{kinds, names, resource, writers};

/// What a message says about GPUs.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Signs<'a> {
    /// An Xid report, or what else the usual writers say of a device that fails.
    pub(crate) device: bool,
    /// An error of NVML or nvidia-container-cli.
    pub(crate) runtime: bool,
    /// The first GPU resource that is named.
    pub(crate) resource: Option<&'a [u8]>,
    /// `Insufficient` stands before a GPU resource.
    pub(crate) insufficient: bool,
}

impl<'a> Signs<'a> {
    pub(crate) fn in_message(message: &'a [u8]) -> Self {
        let mut signs = Self::default();
        let mut from = 0;
        let mut judged = 0;
        while let Some((block, mut hints)) = next_hints(message, from) {
            from = block + BLOCK;
            while hints != 0 {
                let at = block + hints.trailing_zeros() as usize;
                hints &= hints - 1;
                signs.look(message, at);
                if !signs.device && at >= judged {
                    let clause = writers::judge(message, at);
                    signs.device = clause.as_ref().is_some_and(|clause| clause.fails);
                    judged = clause.map_or(judged, |clause| clause.end);
                }
            }
        }
        signs
    }

    /// What stands at `at`, or around it.
    #[inline(never)]
    fn look(&mut self, message: &'a [u8], at: usize) {
        match words::part(message, at..) {
            [b'X' | b'x', b'I' | b'i', ..] => {
                self.device = self.device || is_xid_report(message, at)
            }
            [b'B' | b'b', b'U' | b'u', ..] => {
                let begin = at.checked_sub("fallen off the ".len());
                self.device = self.device
                    || begin
                        .is_some_and(|at| is_device_failure(message, at, b"fallen off the bus"));
            }
            [b'N' | b'n', b'V' | b'v', ..] => {
                self.runtime = self.runtime
                    || is_nvml_error(message, at)
                    || is_container_cli_error(message, at);
                self.name(message, at);
            }
            [b'G' | b'g', b'P' | b'p', ..] => {
                self.device = self.device || is_device_failure(message, at, b"GPU is lost");
                self.name(message, at);
                let begin = at.checked_sub("amd.com/".len());
                if let Some(begin) = begin.filter(|at| words::has_at(message, *at, b"amd.")) {
                    self.name(message, begin);
                }
            }
            _ => {}
        }
    }

    fn name(&mut self, message: &'a [u8], at: usize) {
        if let Some(bytes) = resource::at(message, at) {
            self.resource.get_or_insert(words::part(message, at..at + bytes));
            let before = words::part(message, ..at).strip_suffix(b"Insufficient ");
            self.insufficient |= before.is_some_and(|before| words::begins(message, before.len()));
        }
    }
}

/// What a driver says of a device, in any case; and not a name.
fn is_device_failure(message: &[u8], at: usize, phrase: &[u8]) -> bool {
    words::phrase_at_in_any_case(message, at, phrase) && !is_name(message, at)
}

/// Whether what stands at `at` names something, rather than says something.
fn is_name(message: &[u8], at: usize) -> bool {
    names::follows(words::part(message, ..at)) || names::surround(message, at)
}

/// As NVIDIA's driver prints it (`NVRM: Xid (PCI:0000:3b:00): 79, …`), and as others pass it on
/// (`Xid=79`, `XID error 79`, `Xid event: 63`). <https://docs.nvidia.com/deploy/xid-errors/>
///
/// Databases number transactions by an xid too. In small letters it is taken for NVIDIA's only
/// where the message speaks of GPUs.
#[inline(never)]
fn is_xid_report(message: &[u8], at: usize) -> bool {
    let Some(after) = words::strip_in_any_case(words::part(message, at..), b"xid") else {
        return false;
    };
    // `Xids`, `Xid(s)`.
    let after = words::strip_in_any_case(after, b"s").unwrap_or(after);
    let after = after.strip_prefix(b"(s)").unwrap_or(after);
    // NVSwitch says `SXid`.
    let of_switch = matches!(words::part(message, ..at), [.., b'S' | b's']);
    let at = at - usize::from(of_switch);
    let dashed = after.strip_prefix(b"-").filter(|code| is_xid_code(code));
    if !words::begins(message, at) || !(words::ends(after, 0) || dashed.is_some()) {
        return false;
    }
    if dashed.is_some() && !words::part(message, at..).starts_with(b"X") {
        return false;
    }
    let after = dashed.unwrap_or(after);
    let printed = words::part(message, ..at).ends_with(b"NVRM: ");
    if !printed && (!has_xid(after, of_switch) || is_transaction(words::part(message, ..at))) {
        return false;
    }
    const USUAL: Words = &[b"Xid", b"XID", b"SXid", b"SXID"];
    let usual =
        printed || USUAL.iter().any(|as_usual| words::part(message, at..).starts_with(as_usual));
    let about_gpus = || words::mentions_one(message, &[b"gpu", b"nvidia", b"nvrm", b"pci"]);
    (usual || about_gpus()) && !is_named_xid(message, at)
}

/// Whether an Xid, or the device that it is of, is what follows the word.
fn has_xid(after: &[u8], of_switch: bool) -> bool {
    const WORDS: Words = &[b"errors", b"error", b"codes", b"code", b"events", b"event"];
    let mut rest = after;
    loop {
        rest = words::trim_start(rest, kinds::BEFORE_XID);
        match WORDS.iter().find_map(|word| words::strip_in_any_case(rest, word)) {
            Some(after) => rest = after,
            None => break,
        }
    }
    let has_code = if of_switch { is_code(rest, 5) } else { is_xid_code(rest) };
    has_code || rest.strip_prefix(b"(").is_some_and(is_pci_address)
}

/// Within a name (`image "x:Xid=79"`), or behind an image's colon (`image x:Xid=79`).
fn is_named_xid(message: &[u8], at: usize) -> bool {
    let image = match words::part(message, ..at) {
        [before @ .., b':' | b'@'] => words::trim_end(before, kinds::SOLID),
        _ => &[],
    };
    names::follows(image) || names::surround(message, at)
}

/// Whether one of the last three words is `transaction`.
fn is_transaction(before: &[u8]) -> bool {
    const TRANSACTION: Words = &[b"transaction", b"transactions", b"txn"];
    let words = before.rsplit(|byte| !byte.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.take(3).any(|word| words::is_one_of(word, TRANSACTION))
}

/// One to three digits; a transaction's xid is longer.
fn is_xid_code(text: &[u8]) -> bool {
    is_code(text, 3)
}

fn is_code(text: &[u8], digits_max: usize) -> bool {
    let digits = words::digits(text);
    (1..=digits_max).contains(&digits) && words::ends(text, digits)
}

/// `PCI:0000:3b:00`, or without `PCI:` in older drivers.
fn is_pci_address(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"PCI:").unwrap_or(text);
    let after = words::trim_start(text, kinds::HEX_DIGIT);
    after.len() < text.len() && after.starts_with(b":")
}

/// NVML, NVIDIA's management library, and that something is wrong with it, in the same clause:
/// `Failed to initialize NVML: …`, `nvml: Unknown Error`, `nvmlInit failed: …`. In small letters it
/// may be a Pod, an image or a container, so more is asked of what stands around it.
#[inline(never)]
fn is_nvml_error(message: &[u8], at: usize) -> bool {
    let upper = words::has_at(message, at, b"NVML");
    if !(upper || words::has_at(message, at, b"nvml")) || !words::begins(message, at) {
        return false;
    }
    let (before, after) = (words::part(message, ..at), words::part(message, at + b"NVML".len()..));
    let quoted = matches!(before, [.., b'"' | b'\'']) && matches!(after, [b'"' | b'\'', ..]);
    if quoted || before.ends_with(b"{") || is_name(message, at) {
        return false;
    }
    if upper && after.starts_with(b"_ERROR") {
        return true;
    }
    let is_function = !upper && after.first().is_some_and(u8::is_ascii_uppercase);
    let after = match is_function {
        true => words::trim_start(after, kinds::FUNCTION),
        false => after.strip_prefix(b"/RM").unwrap_or(after),
    };
    if !words::ends(after, 0) {
        return false;
    }
    const LOADING: Words = &[b"initialize", b"initializing", b"init", b"load", b"loading"];
    let loading = LOADING.contains(&words::last(before, kinds::BLANK));
    const SPEAKS: Words = &[b" error", b" init", b": "];
    let speaks = SPEAKS.iter().any(|says| after.starts_with(says));
    (upper || is_function || loading || speaks) && fails(before, after)
}

/// Whether the clause around something says that it failed.
fn fails(before: &[u8], after: &[u8]) -> bool {
    words::tells_of_failure(words::clause_before(before, before.len()))
        || words::tells_of_failure(words::clause_after(after))
}

/// `nvidia-container-cli: initialization error: …`, which is how it begins what it prints, and what
/// others say of it: `exec: "nvidia-container-cli": executable file not found`.
#[inline(never)]
fn is_container_cli_error(message: &[u8], at: usize) -> bool {
    let Some(after) = words::part(message, at..).strip_prefix(b"nvidia-container-cli") else {
        return false;
    };
    let after = after.strip_prefix(b".real").unwrap_or(after);
    // A path is absolute; `registry/nvidia-container-cli` is an image.
    let before = words::trim_end(words::part(message, ..at), kinds::NAME);
    let begins =
        words::begins(message, at) || words::part(message, before.len()..).starts_with(b"/");
    if !begins || names::follows(before) || names::surround(message, at) {
        return false;
    }
    let after = words::trim_start(after, kinds::QUOTE);
    let speaks =
        matches!(after, [] | [b' ' | b'.' | b',' | b';' | b'\n', ..]) || after.starts_with(b": ");
    const CALLED: Words =
        &[b"run", b"running", b"exec", b"execute", b"executing", b"call", b"calling"];
    let called = CALLED.contains(&words::last(before, kinds::BEFORE_PROGRAM));
    let before = if called { before } else { &[] };
    speaks && fails(before, after)
}
