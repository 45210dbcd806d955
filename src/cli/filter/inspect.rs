//! `weir filter inspect`: what a module is and may do, from its own bytes, and the stage to paste.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};
use wasmparser::{KnownCustom, Parser, Payload};

use super::powers::{IMPORTS_SHOWN_MAX, Powers};
use super::registry::{CarryError, RegistryArguments};
use crate::config::{self, Environment};
use crate::files;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::registry::{Pulled, SCHEME};
use crate::stages::{
    self, Compiler, Description, LoadContext, MODULE_BYTES_MAX, ModuleSettings, Wasi,
};
use crate::text::{self, LINE_BYTES_MAX};

/// What `weir filter inspect` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    /// The module: a file, or oci://REGISTRY/NAME:TAG; of one in a registry only what its
    /// configuration there says is asked for
    module: PathBuf,
    #[command(flatten)]
    registry: RegistryArguments,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Why a module cannot be inspected.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// It cannot be read.
    #[error("{}: {error}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Its registry does not say.
    #[error(transparent)]
    Registry(#[from] CarryError),
    /// It is not a module for weir.
    #[error("{}: {why}", .path.display())]
    NotAFilter {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// What a module is.
#[derive(Debug, Serialize)]
struct Inspected {
    name: String,
    path: PathBuf,
    bytes: usize,
    sha256: String,
    /// Of the worlds of `wit/`, the smallest that has what it imports, and its version.
    world: String,
    imports: Vec<String>,
    permissions: String,
    /// What it was made with: tools and their versions.
    toolchain: BTreeMap<String, String>,
    configured: Configured,
    stage: String,
}

/// What comes of configuring it with nothing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Configured {
    /// It declared these.
    Declares { reasons: Vec<String>, counters: Vec<String>, called_for: String },
    /// It does not load so.
    Refused(String),
}

/// Looks at a module, and answers what to say of it.
pub(super) fn inspect(args: &InspectArgs) -> Result<String, InspectError> {
    let path = &args.module;
    if let Some(text) = path.to_str().filter(|text| text.starts_with(SCHEME)) {
        return Ok(super::registry::inspect(text, &args.registry, args.json)?);
    }
    let bytes = read(path)?;
    let not_a_filter = |why| InspectError::NotAFilter { path: path.clone(), why };
    let powers = Powers::of(&bytes).map_err(not_a_filter)?;
    let name = super::test::stem(path);
    let inspected = Inspected {
        path: path.clone(),
        bytes: bytes.len(),
        sha256: format!("{:x}", Sha256::digest(&bytes)),
        world: powers.world(),
        imports: powers.imports().to_vec(),
        permissions: powers.to_string(),
        toolchain: toolchain(&bytes),
        configured: configured(&name, path, &powers),
        stage: stage(&name, &path.display(), powers.asks_for_wasi()),
        name,
    };
    Ok(if args.json {
        serde_json::to_string(&inspected).unwrap_or_default()
    } else {
        inspected.to_string()
    })
}

/// The bytes of a module's file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, InspectError> {
    bytes_of(path).map_err(|error| InspectError::Read { path: path.to_owned(), error })
}

/// The same, with the system's error.
pub(super) fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    files::open(path)?.take(MODULE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MODULE_BYTES_MAX {
        return Err(io::Error::other("it is larger than a module may be"));
    }
    Ok(bytes)
}

/// What the tools that made it and what is in it say of themselves
/// (<https://github.com/WebAssembly/tool-conventions/blob/main/ProducersSection.md>).
fn toolchain(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut tools = BTreeMap::new();
    for payload in Parser::new(0).parse_all(bytes) {
        // It was decoded before; where it says nothing that can be read, that is all there is.
        let Ok(payload) = payload else { break };
        if let Payload::CustomSection(section) = payload
            && let KnownCustom::Producers(fields) = section.as_known()
        {
            for field in fields.into_iter().flatten() {
                for tool in field.values.into_iter().flatten() {
                    tools.insert(tool.name.to_owned(), tool.version.to_owned());
                }
            }
        }
    }
    tools
}

/// Loads it as a run would, as a stage with no settings.
fn configured(name: &str, path: &Path, powers: &Powers) -> Configured {
    let load = || -> Result<Description, String> {
        let absolute = std::path::absolute(path).map_err(|error| error.to_string())?;
        let stage = config::module_stage(name, &absolute).map_err(|error| error.to_string())?;
        let wasi = if powers.asks_for_wasi() { Wasi::Stub } else { Wasi::None };
        let stage = ModuleSettings { wasi, ..stage };
        let ledger = Ledger::default();
        let metrics = Metrics::new(&ledger).map_err(|error| error.to_string())?.stage;
        let cache = Environment::of_process().cache;
        let compiler = Compiler::child();
        let context = LoadContext {
            cache,
            pulled: Pulled::default(),
            instances: 1,
            keeps: true,
            compiler,
            ledger,
            metrics,
        };
        let chain = stages::load(&[stage.into()], context).map_err(|errors| {
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        })?;
        chain.describe().pop().ok_or_else(|| "it is no stage".to_owned())
    };
    match load() {
        Ok(Description { reasons, counters, interest, .. }) => {
            Configured::Declares { reasons, counters, called_for: interest }
        }
        Err(why) => Configured::Refused(text::words(&why, LINE_BYTES_MAX)),
    }
}

/// The `[[stage]]` to paste.
pub(super) fn stage(name: &str, module: &impl fmt::Display, asks_for_wasi: bool) -> String {
    let wasi = if asks_for_wasi { "wasi = \"stub\"\n" } else { "" };
    let (name, module) = (quoted(name), quoted(&module.to_string()));
    format!("[[stage]]\nname = {name}\nmodule = {module}\n{wasi}")
}

/// As TOML and YAML have it: their strings have JSON's escapes.
pub(super) fn quoted(text: &str) -> String {
    text::json(&serde_json::Value::from(text).to_string()).into_owned()
}

impl fmt::Display for Inspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |part: &str, text: &dyn fmt::Display| {
            writeln!(f, "{part:<12} {}", text::one_line(text, LINE_BYTES_MAX))
        };
        line("module", &self.path.display())?;
        line("size", &format_args!("{} bytes", self.bytes))?;
        line("digest", &format_args!("sha256:{}", self.sha256))?;
        line("world", &self.world)?;
        line("permissions", &self.permissions)?;
        line("imports", &text::first(&self.imports, IMPORTS_SHOWN_MAX))?;
        let tools: Vec<String> =
            self.toolchain.iter().map(|(tool, version)| format!("{tool} {version}")).collect();
        let tools: Vec<&str> = tools.iter().map(|tool| tool.trim_end()).collect();
        if !tools.is_empty() {
            line("made with", &text::first(&tools, IMPORTS_SHOWN_MAX))?;
        }
        match &self.configured {
            Configured::Declares { reasons, counters, called_for } => {
                line("called for", called_for)?;
                line("reasons", &names(reasons))?;
                line("counters", &names(counters))?;
            }
            Configured::Refused(why) => {
                line("without [stage.config]", &format_args!("it does not load: {why}"))?;
            }
        }
        write!(f, "\n{}", self.stage.trim_end())
    }
}

fn names(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
