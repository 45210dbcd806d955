//! What a message says about GPUs, found in one pass.
//!
//! Every sign holds one of a few rare pairs of letters. The pass looks at 16 places at a time for
//! such a pair, and only where it sees one at what stands there. There is no allocation.

use crate::{names, resource, words, writers};

/// Places looked at together: a vector of WebAssembly's.
const BLOCK: usize = 16;

/// What a message says about GPUs.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Signs<'a> {
    /// An Xid report, or what else the usual writers say of a device that fails.
    pub(crate) device: bool,
    /// An error of NVML or nvidia-container-cli.
    pub(crate) runtime: bool,
    /// The first GPU resource that is named.
    pub(crate) resource: Option<&'a str>,
    /// `Insufficient` stands before a GPU resource.
    pub(crate) insufficient: bool,
}

impl<'a> Signs<'a> {
    pub(crate) fn in_message(message: &'a str) -> Self {
        let mut signs = Self::default();
        let mut from = 0;
        let mut judged = 0;
        while let Some(hint) = next_hint(message.as_bytes(), from) {
            from = (hint + BLOCK).min(message.len());
            for at in hint..from {
                signs.look(message, at);
                if !signs.device && at >= judged && is_hint_at(message, at) {
                    let clause = writers::judge(message, at);
                    signs.device = clause.as_ref().is_some_and(|clause| clause.fails);
                    judged = clause.map_or(judged, |clause| clause.end);
                }
            }
        }
        signs
    }

    /// What stands at `at`, or around it.
    fn look(&mut self, message: &'a str, at: usize) {
        match message.as_bytes()[at..] {
            [b'X' | b'x', b'I' | b'i', ..] => {
                self.device = self.device || is_xid_report(message, at)
            }
            [b'B' | b'b', b'U' | b'u', ..] => {
                let begin = at.checked_sub("fallen off the ".len());
                self.device = self.device
                    || begin.is_some_and(|at| is_device_failure(message, at, "fallen off the bus"));
            }
            [b'N' | b'n', b'V' | b'v', ..] => {
                self.runtime = self.runtime
                    || is_nvml_error(message, at)
                    || is_container_cli_error(message, at);
                self.name(message, at);
            }
            [b'G' | b'g', b'P' | b'p', ..] => {
                self.device = self.device || is_device_failure(message, at, "GPU is lost");
                self.name(message, at);
                if let Some(begin) = at
                    .checked_sub("amd.com/".len())
                    .filter(|at| words::has_at(message, *at, "amd."))
                {
                    self.name(message, begin);
                }
            }
            _ => {}
        }
    }

    fn name(&mut self, message: &'a str, at: usize) {
        if let Some(resource) = resource::at(message, at) {
            self.resource.get_or_insert(resource);
            let insufficient = at.checked_sub("Insufficient ".len());
            self.insufficient |=
                insufficient.is_some_and(|at| words::phrase_at(message, at, "Insufficient"));
        }
    }
}

/// The first block at or after `from` in which a sign may begin: where one of the pairs `xi`,
/// `gp`, `nv`, `bu`, `gm` and `[d` stands, in any case.
///
/// The loop over a block has no branch, so that it becomes a handful of vector instructions.
/// Calling it is safe on wasm32 whatever else the module is built with: a component that uses
/// vectors is refused as a whole where they are not known.
#[cfg_attr(target_arch = "wasm32", target_feature(enable = "simd128"))]
fn next_hint(text: &[u8], mut from: usize) -> Option<usize> {
    while let Some(block) = text.get(from..from + BLOCK + 1) {
        let mut hint = 0_u8;
        for at in 0..BLOCK {
            hint |= is_hint(block[at], block[at + 1]);
        }
        if hint != 0 {
            return Some(from);
        }
        from += BLOCK;
    }
    text.get(from..)?.windows(2).any(|pair| is_hint(pair[0], pair[1]) != 0).then_some(from)
}

#[inline(always)]
fn is_hint(first: u8, second: u8) -> u8 {
    let (first, second) = (first | 0x20, second | 0x20);
    u8::from((first == b'x') & (second == b'i'))
        | u8::from((first == b'g') & (second == b'p'))
        | u8::from((first == b'n') & (second == b'v'))
        | u8::from((first == b'b') & (second == b'u'))
        // `dcgm`.
        | u8::from((first == b'g') & (second == b'm'))
        // `[drm`; the bit makes a brace of the bracket.
        | u8::from((first == b'{') & (second == b'd'))
}

fn is_hint_at(text: &str, at: usize) -> bool {
    text.as_bytes()[at..].first_chunk().is_some_and(|[first, second]| is_hint(*first, *second) != 0)
}

/// What a driver says of a device, in any case; and not a name.
fn is_device_failure(message: &str, at: usize, phrase: &str) -> bool {
    words::phrase_at_in_any_case(message, at, phrase)
        && !names::follows(&message[..at])
        && !names::surround(message, at)
}

/// As NVIDIA's driver prints it (`NVRM: Xid (PCI:0000:3b:00): 79, …`), and as others pass it on
/// (`Xid=79`, `XID error 79`, `Xid event: 63`). <https://docs.nvidia.com/deploy/xid-errors/>
///
/// Databases number transactions by an xid too. In small letters it is taken for NVIDIA's only
/// where the message speaks of GPUs.
fn is_xid_report(message: &str, at: usize) -> bool {
    let Some(after) = strip_prefix_in_any_case(&message[at..], "xid") else {
        return false;
    };
    // `Xids`, `Xid(s)`.
    let after = after.strip_prefix(['s', 'S']).unwrap_or(after);
    let after = after.strip_prefix("(s)").unwrap_or(after);
    // NVSwitch says `SXid`.
    let of_switch = message[..at].ends_with(['S', 's']);
    let at = at - usize::from(of_switch);
    let dashed = after.strip_prefix('-').filter(|code| is_xid_code(code));
    if !words::begins(message, at) || !(words::ends(after, 0) || dashed.is_some()) {
        return false;
    }
    if dashed.is_some() && !message[at..].starts_with('X') {
        return false;
    }
    let after = dashed.unwrap_or(after);
    let printed = message[..at].ends_with("NVRM: ");
    if !printed && (!has_xid(after, of_switch) || is_transaction(&message[..at])) {
        return false;
    }
    let usual = printed
        || ["Xid", "XID", "SXid", "SXID"]
            .iter()
            .any(|as_usual| message[at..].starts_with(as_usual));
    let about_gpus =
        || ["gpu", "nvidia", "nvrm", "pci"].iter().any(|word| words::mentions(message, word));
    (usual || about_gpus()) && !is_named_xid(message, at)
}

/// Whether an Xid, or the device that it is of, is what follows the word.
fn has_xid(after: &str, of_switch: bool) -> bool {
    const WORDS: &[&str] = &["errors", "error", "codes", "code", "events", "event"];
    let mut rest = after;
    loop {
        rest = rest.trim_start_matches([' ', ':', '=', '#', '[']);
        match WORDS.iter().find_map(|word| strip_prefix_in_any_case(rest, word)) {
            Some(after) => rest = after,
            None => break,
        }
    }
    let has_code = if of_switch { is_code(rest, 5) } else { is_xid_code(rest) };
    has_code || rest.strip_prefix('(').is_some_and(is_pci_address)
}

/// Within a name (`image "x:Xid=79"`), or behind an image's colon (`image x:Xid=79`).
fn is_named_xid(message: &str, at: usize) -> bool {
    let before = message[..at].strip_suffix([':', '@']);
    let image = before.map(|before| before.trim_end_matches(|c: char| !c.is_ascii_whitespace()));
    image.is_some_and(names::follows) || names::surround(message, at)
}

/// Whether one of the last three words is `transaction`.
fn is_transaction(before: &str) -> bool {
    let words = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.take(3).any(|word| {
        ["transaction", "transactions", "txn"].iter().any(|known| known.eq_ignore_ascii_case(word))
    })
}

fn strip_prefix_in_any_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (found, rest) = text.split_at_checked(prefix.len())?;
    found.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// One to three digits; a transaction's xid is longer.
fn is_xid_code(text: &str) -> bool {
    is_code(text, 3)
}

fn is_code(text: &str, digits_max: usize) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (1..=digits_max).contains(&digits) && words::ends(text, digits)
}

/// `PCI:0000:3b:00`, or without `PCI:` in older drivers.
fn is_pci_address(text: &str) -> bool {
    let text = text.strip_prefix("PCI:").unwrap_or(text);
    let digits = text.bytes().take_while(u8::is_ascii_hexdigit).count();
    digits > 0 && text[digits..].starts_with(':')
}

/// NVML, NVIDIA's management library, and that something is wrong with it, in the same clause:
/// `Failed to initialize NVML: …`, `nvml: Unknown Error`, `nvmlInit failed: …`. In small letters it
/// may be a Pod, an image or a container, so more is asked of what stands around it.
fn is_nvml_error(message: &str, at: usize) -> bool {
    let upper = words::has_at(message, at, "NVML");
    if !(upper || words::has_at(message, at, "nvml")) || !words::begins(message, at) {
        return false;
    }
    let (before, after) = (&message[..at], &message[at + "NVML".len()..]);
    let quoted = before.ends_with(['"', '\'']) && after.starts_with(['"', '\'']);
    if quoted || before.ends_with('{') || names::follows(before) || names::surround(message, at) {
        return false;
    }
    if upper && after.starts_with("_ERROR") {
        return true;
    }
    let is_function = !upper && after.starts_with(|c: char| c.is_ascii_uppercase());
    let after = match is_function {
        true => after.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_()".contains(c)),
        false => after.strip_prefix("/RM").unwrap_or(after),
    };
    if !words::ends(after, 0) {
        return false;
    }
    let loading = matches!(
        words::last(before, &[' ']),
        "initialize" | "initializing" | "init" | "load" | "loading"
    );
    let speaks = [" error", " init", ": "].iter().any(|says| after.starts_with(says));
    (upper || is_function || loading || speaks) && fails(before, after)
}

/// Whether the clause around something says that it failed.
fn fails(before: &str, after: &str) -> bool {
    words::tells_of_failure(words::clause_before(before, before.len()))
        || words::tells_of_failure(words::clause_after(after))
}

/// `nvidia-container-cli: initialization error: …`, which is how it begins what it prints, and what
/// others say of it: `exec: "nvidia-container-cli": executable file not found`.
fn is_container_cli_error(message: &str, at: usize) -> bool {
    let Some(after) = message[at..].strip_prefix("nvidia-container-cli") else {
        return false;
    };
    let after = after.strip_prefix(".real").unwrap_or(after);
    // A path is absolute; `registry/nvidia-container-cli` is an image.
    let before = message[..at].trim_end_matches(|c: char| c.is_ascii() && words::in_name(c as u8));
    let begins = words::begins(message, at) || message[before.len()..at].starts_with('/');
    if !begins || names::follows(before) || names::surround(message, at) {
        return false;
    }
    let after = after.trim_start_matches(['"', '\'', '\\', '`']);
    let speaks = after.is_empty()
        || after.starts_with([' ', '.', ',', ';', '\n'])
        || after.starts_with(": ");
    let called = ["run", "running", "exec", "execute", "executing", "call", "calling"]
        .contains(&words::last(before, &[' ', ':', '"', '\'', '\\']));
    let before = if called { before } else { "" };
    speaks && fails(before, after)
}
