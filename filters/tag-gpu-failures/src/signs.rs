//! What a message says about GPUs, found in one pass.
//!
//! Every sign holds one of a few rare pairs of letters. The pass looks at 16 places at a time for
//! such a pair, and only where it sees one at what stands there. There is no allocation.

use crate::{resource, words};

/// Places looked at together: a vector of WebAssembly's.
const BLOCK: usize = 16;

/// What a message says about GPUs.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Signs<'a> {
    /// An Xid report, or that a GPU is lost or has fallen off the bus.
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
        while let Some(hint) = next_hint(message.as_bytes(), from) {
            from = (hint + BLOCK).min(message.len());
            (hint..from).for_each(|at| signs.look(message, at));
        }
        signs
    }

    /// What stands at `at`, or around it.
    fn look(&mut self, message: &'a str, at: usize) {
        match message.as_bytes()[at..] {
            [b'X', b'i' | b'I', ..] => self.device |= is_xid_report(message, at),
            [b'G', b'P', ..] => self.device |= words::phrase_at(message, at, "GPU is lost"),
            [b'b', b'u', ..] => {
                let begin = at.checked_sub("fallen off the ".len());
                self.device |= begin.is_some_and(|at| words::phrase_at(message, at, "fallen off the bus"));
            }
            [b'N', b'V', ..] => self.runtime |= is_nvml_error(message, at),
            [b'n', b'v', ..] => {
                self.runtime |= is_nvml_error(message, at) || is_container_cli_error(message, at);
                self.name(message, at);
            }
            [b'g', b'p', ..] => {
                self.name(message, at);
                if let Some(begin) =
                    at.checked_sub("amd.com/".len()).filter(|at| words::has_at(message, *at, "amd."))
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
            self.insufficient |= insufficient.is_some_and(|at| words::phrase_at(message, at, "Insufficient"));
        }
    }
}

/// The first block at or after `from` in which a sign may begin: where one of the pairs `Xi`, `XI`,
/// `GP`, `gp`, `NV`, `nv`, `bu` stands, and a few more that are as rare.
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
    let (first_folded, second_folded) = (first | 0x20, second | 0x20);
    u8::from((first == b'X') & (second_folded == b'i'))
        | u8::from((first_folded == b'g') & (second_folded == b'p'))
        | u8::from((first_folded == b'n') & (second_folded == b'v'))
        | u8::from((first == b'b') & (second == b'u'))
}

/// As NVIDIA's driver prints it (`NVRM: Xid (PCI:0000:3b:00): 79, …`), and as others pass it on
/// (`Xid=79`, `XID error 79`, `Xid: 48`). <https://docs.nvidia.com/deploy/xid-errors/>
fn is_xid_report(message: &str, at: usize) -> bool {
    const WORDS: &[&str] = &["errors", "error", "Errors", "Error", "code"];
    if !(words::phrase_at(message, at, "Xid") || words::phrase_at(message, at, "XID")) {
        return false;
    }
    if words::before(message, at) == "NVRM:" {
        return true;
    }
    let mut rest = &message[at + "Xid".len()..];
    loop {
        rest = rest.trim_start_matches([' ', ':', '=', '#']);
        match WORDS.iter().find_map(|word| rest.strip_prefix(word)) {
            Some(after) => rest = after,
            None => break,
        }
    }
    is_xid_code(rest) || rest.strip_prefix('(').is_some_and(is_pci_address)
}

/// One to three digits; a transaction's xid is longer.
fn is_xid_code(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (1..=3).contains(&digits) && words::ends(text, digits)
}

/// `PCI:0000:3b:00`, or without `PCI:` in older drivers.
fn is_pci_address(text: &str) -> bool {
    let text = text.strip_prefix("PCI:").unwrap_or(text);
    let digits = text.bytes().take_while(u8::is_ascii_hexdigit).count();
    digits > 0 && text[digits..].starts_with(':')
}

/// NVML, NVIDIA's management library, and that something is wrong with it. In small letters it
/// may be a Pod, an image or a container, so more is asked of what stands around it.
fn is_nvml_error(message: &str, at: usize) -> bool {
    let upper = words::has_at(message, at, "NVML");
    if !(upper || words::has_at(message, at, "nvml")) || !words::begins(message, at) {
        return false;
    }
    if words::has_at(message, at, "NVML_ERROR") {
        return true;
    }
    let (text, after) = (&message[..at], &message[at + "NVML".len()..]);
    let quoted = text.ends_with(['"', '\'']) && after.starts_with(['"', '\'']);
    if quoted || !words::ends(after, 0) {
        return false;
    }
    let before = words::before(message, at);
    let loading = matches!(before, "initialize" | "initializing" | "init" | "load" | "loading");
    let doing = after.starts_with(" error") || after.starts_with(" init");
    let named = matches!(before, "key" | "secret" | "configmap" | "container" | "pod" | "image" | "volume");
    (loading || doing || (upper && !named)) && words::tells_of_failure(message)
}

/// `nvidia-container-cli: initialization error: …`, which is how it begins what it prints.
fn is_container_cli_error(message: &str, at: usize) -> bool {
    if !words::begins(message, at) {
        return false;
    }
    let after = message[at..].strip_prefix("nvidia-container-cli");
    let after = after.map(|after| after.strip_prefix(".real").unwrap_or(after));
    after.and_then(|after| after.strip_prefix(": ")).is_some_and(words::tells_of_failure)
}
