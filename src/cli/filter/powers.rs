//! What a module can do, in plain words, from what it imports.
//!
//! Imports are powers: a module that does not import an interface of `wit/` cannot do what that
//! interface is for. So this is not what the module's author promises, but what the host will link.

use std::fmt;

use crate::text;

const PACKAGE: &str = "weir:pipeline/";

/// Imports that are named of one module.
pub(super) const IMPORTS_SHOWN_MAX: usize = 20;

/// How a component begins; a core module has another version there.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

/// The interfaces that a component imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Powers {
    imports: Vec<String>,
    /// The version of the `stage` that is exported; empty: it has none.
    version: String,
}

impl Powers {
    /// The powers of a filter; the error says why the bytes are not one.
    pub(crate) fn of(component: &[u8]) -> Result<Self, String> {
        if !component.starts_with(COMPONENT) {
            return Err("it is not a WebAssembly component".into());
        }
        let decoded = wit_component::decode(component).map_err(|error| format!("{error:#}"))?;
        let wit_component::DecodedWasm::Component(resolve, world) = decoded else {
            return Err("it is a WIT package, not a component".into());
        };
        let world = &resolve.worlds[world];
        let version = stage_in(world.exports.keys().map(|key| resolve.name_world_key(key)))?;
        let imports = world.imports.keys().map(|key| resolve.name_world_key(key)).collect();
        Ok(Self { imports, version })
    }

    /// The same of a component that is not here, from what is known of it.
    pub(crate) fn told(exports: &[String], imports: Vec<String>) -> Result<Self, String> {
        let version = stage_in(exports.iter().cloned())?;
        Ok(Self { imports, version })
    }

    /// The interface that it exports.
    pub(crate) fn stage(&self) -> String {
        let at = if self.version.is_empty() { "" } else { "@" };
        format!("{PACKAGE}stage{at}{}", self.version)
    }

    /// What is imported, as it stands in the component: `weir:pipeline/event@0.1.0`.
    pub(crate) fn imports(&self) -> &[String] {
        &self.imports
    }

    /// The smallest world of `wit/` that has what it imports of weir, with its version:
    /// `weir:pipeline/enrich@0.1.0`.
    pub(crate) fn world(&self) -> String {
        let world = match (self.has("lookup"), self.has("edit"), self.has("discard")) {
            (true, ..) => "all",
            (false, true, true) => "both",
            (false, true, false) => "enrich",
            (false, false, _) => "filter",
        };
        let at = if self.version.is_empty() { "" } else { "@" };
        format!("{PACKAGE}{world}{at}{}", self.version)
    }

    /// Whether it needs `wasi = "stub"`.
    pub(crate) fn asks_for_wasi(&self) -> bool {
        self.imports.iter().any(|import| import.starts_with("wasi:"))
    }

    fn has(&self, interface: &str) -> bool {
        self.imports.iter().any(|import| is(import, interface))
    }
}

/// The version of the stage among what is exported.
fn stage_in(mut exports: impl Iterator<Item = String>) -> Result<String, String> {
    match exports.find(|name| is(name, "stage")) {
        Some(stage) => Ok(stage.split_once('@').map_or("", |(_, version)| version).to_owned()),
        None => Err(format!("it does not export {PACKAGE}stage")),
    }
}

/// Whether `name` is weir's `interface`, in any version.
fn is(name: &str, interface: &str) -> bool {
    let version = name.strip_prefix(PACKAGE).and_then(|name| name.strip_prefix(interface));
    version.is_some_and(|version| version.is_empty() || version.starts_with('@'))
}

impl fmt::Display for Powers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.has("discard") { "can drop events" } else { "cannot drop events" })?;
        f.write_str(if self.has("edit") {
            "; can change events"
        } else {
            "; cannot change anything"
        })?;
        for (interface, words) in [
            ("lookup", "; asks for the labels and owners of what events are about"),
            ("log", "; writes to weir's log"),
            ("metrics", "; has counters of its own"),
        ] {
            if self.has(interface) {
                f.write_str(words)?;
            }
        }
        let foreign: Vec<&String> =
            self.imports.iter().filter(|import| !import.starts_with(PACKAGE)).collect();
        if foreign.is_empty() {
            return Ok(());
        }
        let named = text::first(&foreign, IMPORTS_SHOWN_MAX);
        write!(f, "; asks for {named}, which weir may not have")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn powers(imports: &[&str]) -> Powers {
        let imports = imports.iter().map(|import| (*import).to_owned()).collect();
        Powers { imports, version: "0.1.0".to_owned() }
    }

    #[test]
    fn the_world_is_the_smallest_that_has_all_imports() {
        let world = |imports: &[&str]| powers(imports).world();
        let [event, discard, edit, lookup] =
            ["event", "discard", "edit", "lookup"].map(|name| format!("{PACKAGE}{name}@0.1.0"));
        assert_eq!(world(&[]), "weir:pipeline/filter@0.1.0");
        assert_eq!(world(&[&event, &discard]), "weir:pipeline/filter@0.1.0");
        assert_eq!(world(&[&edit]), "weir:pipeline/enrich@0.1.0");
        assert_eq!(world(&[&discard, &edit]), "weir:pipeline/both@0.1.0");
        assert_eq!(world(&[&lookup]), "weir:pipeline/all@0.1.0");
    }

    fn words(imports: &[&str]) -> String {
        powers(imports).to_string()
    }

    #[test]
    fn imports_are_told_in_plain_words() {
        assert_eq!(
            words(&["weir:pipeline/event@0.1.0"]),
            "cannot drop events; cannot change anything"
        );
        assert_eq!(
            words(&["weir:pipeline/event@0.1.0", "weir:pipeline/discard@0.1.0"]),
            "can drop events; cannot change anything"
        );
        assert_eq!(
            words(&[
                "weir:pipeline/edit@0.1.0",
                "weir:pipeline/log@0.1.0",
                "weir:pipeline/lookup@0.1.0",
                "weir:pipeline/metrics@0.1.0"
            ]),
            "cannot drop events; can change events; asks for the labels and owners of what events are about; writes to weir's log; has counters of its own"
        );
    }

    #[test]
    fn an_import_that_is_not_weirs_is_named() {
        assert_eq!(
            words(&["wasi:cli/stdout@0.2.0", "weir:pipeline/editor@0.1.0"]),
            "cannot drop events; cannot change anything; asks for wasi:cli/stdout@0.2.0, which weir may not have"
        );
    }

    #[test]
    fn what_is_not_a_filter_is_refused() {
        let error = |bytes| Powers::of(bytes).expect_err("it is no filter");
        assert_eq!(error(b"\0asm\x01\0\0\0"), "it is not a WebAssembly component");
        assert_eq!(error(b""), "it is not a WebAssembly component");
        assert_eq!(error(COMPONENT), "it does not export weir:pipeline/stage");
    }
}
