//! Whether a component keeps to the contract: its imports are offered, and it exports `stage`.
//! Checked before linking, so that everything that is wrong is reported at once.

use std::fmt;

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, ComponentExportIndex};

use super::host::{Offer, VERSION};
use super::{Wasi, wasi};
use crate::text;

const PACKAGE: &str = "weir:pipeline/";
/// The interface by which a module says why it traps.
const PANIC: &str = "panic";
/// Functions of one import that are named: enough to see what is meant.
const FUNCTIONS_SHOWN_MAX: usize = 10;
/// Of a name that a module has chosen.
const NAME_SHOWN_BYTES_MAX: usize = 200;

/// One import that is not offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownImport {
    /// The interface, with its version, or the name of a bare import.
    pub interface: String,
    /// Which of its functions; empty when the whole of it is not offered and it has none.
    pub functions: Vec<String>,
    hint: Hint,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hint {
    Wasi,
    Stub,
    Version,
    Newer,
    Foreign,
}

impl fmt::Display for UnknownImport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", shown(&self.interface))?;
        if !self.functions.is_empty() {
            let functions = self.functions.iter().map(|name| shown(name));
            write!(f, " ({})", text::first(functions, FUNCTIONS_SHOWN_MAX))?;
        }
        match self.hint {
            Hint::Wasi => write!(
                f,
                ": modules get no WASI: build for wasm32-unknown-unknown, or set `wasi = \"stub\"` \
                 in its [[stage]]"
            ),
            Hint::Stub => write!(
                f,
                ": of WASI, `wasi = \"stub\"` has cli, clocks, filesystem, io, random and sockets \
                 in version 0.2"
            ),
            Hint::Version | Hint::Newer if self.needs().is_some() => {
                write!(f, ": {}", self.needs().unwrap_or_default())
            }
            Hint::Version => {
                write!(f, ": this weir has version {VERSION}: build the module with its SDK")
            }
            Hint::Newer => write!(
                f,
                ": this weir's weir:pipeline {VERSION} does not have it: update weir, or build the \
                 module with this weir's SDK"
            ),
            Hint::Foreign => write!(f, ": modules get the interfaces of weir:pipeline only"),
        }
    }
}

impl UnknownImport {
    /// Which weir it takes, where a newer one has it.
    fn needs(&self) -> Option<String> {
        newer(split(&self.interface)?.1)
    }
}

/// Which weir it takes to have this version of weir:pipeline, where this one is older: a version of
/// the contract is that of the first weir that has it (wit/README.md).
fn newer(version: &str) -> Option<String> {
    let numbers = |version: &str| -> Option<[u64; 3]> {
        let numbers: Vec<u64> =
            version.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
        numbers.try_into().ok()
    };
    let is_newer = numbers(version)? > numbers(VERSION)?;
    is_newer.then(|| {
        format!(
            "it needs weir ≥ {version}, this is {}: update weir, or build the module with this \
             weir's SDK",
            env!("CARGO_PKG_VERSION")
        )
    })
}

/// A name of the module's.
fn shown(name: &str) -> String {
    text::one_line(name, NAME_SHOWN_BYTES_MAX)
}

/// The imports that are not offered, in the component's order.
pub(super) fn unknown_imports(
    engine: &Engine,
    component: &Component,
    offer: &Offer,
    wasi: Wasi,
) -> Vec<UnknownImport> {
    let component_type = component.component_type();
    component_type
        .imports(engine)
        .filter_map(|(name, import)| {
            if wasi == Wasi::Stub && wasi::interface(name).is_some() {
                return None;
            }
            let functions = functions(engine, &import.ty);
            let Some((interface, version)) = split(name) else {
                let is_wasi =
                    name.starts_with("wasi:") || functions.iter().any(|f| f.starts_with("wasi"));
                let hint = match wasi {
                    _ if !is_wasi => Hint::Foreign,
                    Wasi::None => Hint::Wasi,
                    Wasi::Stub => Hint::Stub,
                };
                return Some(UnknownImport { interface: name.to_owned(), functions, hint });
            };
            if !is_compatible(version) {
                return Some(UnknownImport {
                    interface: name.to_owned(),
                    functions,
                    hint: Hint::Version,
                });
            }
            let unknown: Vec<String> =
                functions.into_iter().filter(|function| !offer.has(interface, function)).collect();
            let known = unknown.is_empty();
            (!known).then(|| UnknownImport {
                interface: name.to_owned(),
                functions: unknown,
                hint: Hint::Newer,
            })
        })
        .collect()
}

/// The interfaces of weir:pipeline that a component imports: what it can do. Saying why it traps is
/// nothing that a module could do to anybody.
pub(super) fn powers(engine: &Engine, component: &Component) -> Vec<String> {
    let component_type = component.component_type();
    let names =
        component_type.imports(engine).filter_map(|(name, _)| Some(split(name)?.0.to_owned()));
    names.filter(|name| name != PANIC).collect()
}

fn functions(engine: &Engine, item: &ComponentItem) -> Vec<String> {
    let ComponentItem::ComponentInstance(instance) = item else { return Vec::new() };
    let is_function = |item: &ComponentItem| matches!(item, ComponentItem::ComponentFunc(_));
    instance
        .exports(engine)
        .filter(|(_, item)| is_function(&item.ty))
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// `weir:pipeline/event@0.1.0` -> (`event`, `0.1.0`); a name without version has "".
fn split(name: &str) -> Option<(&str, &str)> {
    let name = name.strip_prefix(PACKAGE)?;
    Some(name.split_once('@').unwrap_or((name, "")))
}

/// 0.1.x: additions do not change the minor version before 1.0 (<https://semver.org>, as wasmtime applies it).
fn is_compatible(version: &str) -> bool {
    let minor = |version: &str| version.rsplit_once('.').map(|(minor, _)| minor.to_owned());
    minor(version) == minor(VERSION)
}

/// Why the exports are not those of a stage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// Another version of it.
    #[error("it exports `{}`, and {}", shown(.found), other_version(.found))]
    Version {
        /// What it exports.
        found: String,
    },
    /// Nothing of the kind.
    #[error(
        "it does not export `weir:pipeline/stage@{VERSION}`, so it is not a weir module: \
         filters/README.md in weir's source says how to make one"
    )]
    Missing,
    /// Not the functions that it should have.
    #[error(
        "its `weir:pipeline/stage` does not have `{function}` as version {VERSION} defines it: \
         build the module with this weir's SDK"
    )]
    Function {
        /// Which one it lacks, or has with another type.
        function: &'static str,
    },
}

/// What to do about a `stage` of another version.
fn other_version(found: &str) -> String {
    split(found).and_then(|(_, version)| newer(version)).unwrap_or_else(|| {
        format!(
            "this weir has version {VERSION} of weir:pipeline: build the module with this weir's \
             SDK"
        )
    })
}

/// The functions `configure` and `process`.
pub(super) fn stage_exports(
    engine: &Engine,
    component: &Component,
) -> Result<(ComponentExportIndex, ComponentExportIndex), ExportError> {
    let component_type = component.component_type();
    let mut name = Err(ExportError::Missing);
    for (found, _) in component_type.exports(engine) {
        match split(found) {
            Some(("stage", version)) if is_compatible(version) => {
                name = Ok(found); // One for another version of weir may stand beside it.
                break;
            }
            Some(("stage", _)) => name = Err(ExportError::Version { found: found.to_owned() }),
            _ => {}
        }
    }
    let stage = component.get_export_index(None, name?).ok_or(ExportError::Missing)?;
    let function = |function: &'static str, has_type: fn(&ComponentFunc) -> bool| match component
        .get_export(Some(&stage), function)
    {
        Some((ComponentItem::ComponentFunc(found), index)) if has_type(&found) => Ok(index),
        _ => Err(ExportError::Function { function }),
    };
    Ok((function("configure", is_configure)?, function("process", is_process)?))
}

/// `func(config: string) -> result<_, string>`
fn is_configure(function: &ComponentFunc) -> bool {
    let takes_string = function.params().map(|(_, param)| param).eq([Type::String]);
    takes_string && is_result(function, Some(Type::String))
}

/// `func() -> result`
fn is_process(function: &ComponentFunc) -> bool {
    function.params().len() == 0 && is_result(function, None)
}

fn is_result(function: &ComponentFunc, error: Option<Type>) -> bool {
    let mut results = function.results();
    match (results.next(), results.next()) {
        (Some(Type::Result(result)), None) => result.ok().is_none() && result.err() == error,
        _ => false,
    }
}
