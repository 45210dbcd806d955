//! `NAME.toml` of a case (docs/cases.md#nametoml): what is expected of all its events, and,
//! for a module that is tested on its own, the stage that it is, with the keys of a `[[stage]]`.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostics, Location};
use super::input::Input;
use super::{json, keys, not_toml, parts, read, tables};
use crate::stages::{ModuleSettings, StageSettings};

/// What the file of a case says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CaseSettings {
    /// The stage of a module that is tested on its own.
    pub stage: Option<StageSettings>,
    /// What modules must have counted.
    pub counters: Vec<CounterExpected>,
    /// Pointers to what no document may have.
    pub absent: Vec<(String, Location)>,
    /// What the API server has.
    pub objects: Vec<CaseObject>,
}

/// A counter and its value after all events.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CounterExpected {
    /// Whose it is.
    pub stage: String,
    /// Its name.
    pub name: String,
    /// What it must be.
    pub value: u64,
    /// Where that is said.
    pub location: Location,
}

/// An object of `objects`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CaseObject {
    /// `v1`
    pub api_version: String,
    /// `Pod`
    pub kind: String,
    /// Empty for an object of the cluster.
    pub namespace: String,
    /// All of `metadata`, in JSON.
    pub metadata: String,
    /// The names of its annotations.
    pub annotations: Vec<String>,
    /// Where it stands.
    pub location: Location,
}

const COUNTERS: &str = "counters";
const ABSENT: &str = "absent";
const OBJECTS: &str = "objects";

/// Reads the settings of a case; a file that is not there is an empty one. `module`: the name and
/// the path of the module that is tested on its own; else a pipeline is, which has its settings.
///
/// # Errors
///
/// Everything that is wrong with it.
pub(crate) fn case(
    file: &Path,
    module: Option<(&str, &Path)>,
) -> Result<CaseSettings, Diagnostics> {
    let bytes = match read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        bytes => bytes.map_err(|error| start(file).error(format!("cannot read it: {error}")))?,
    };
    let text = String::from_utf8(bytes).map_err(|_| start(file).error("it is not UTF-8 text"))?;
    let mut input = Input::new(file, &text);
    let (root, errors) = DeTable::parse_recoverable(&text);
    not_toml(&mut input, &text, &errors);
    let settings = if errors.is_empty() {
        settings(&mut input, root.into_inner(), module)
    } else {
        CaseSettings::default()
    };
    match input.into_diagnostics() {
        Some(diagnostics) => Err(diagnostics),
        None => Ok(settings),
    }
}

/// The stage of a module as a `[[stage]]` with nothing but a name and the module has it.
///
/// # Errors
///
/// When it cannot have that name.
pub(crate) fn module_stage(name: &str, module: &Path) -> Result<ModuleSettings, Diagnostics> {
    let mut input = Input::new(module, "");
    let stage = stage(&mut input, DeTable::default(), (name, module));
    match (stage, input.into_diagnostics()) {
        (Some(StageSettings::Module(settings)), None) => Ok(settings),
        (_, Some(diagnostics)) => Err(diagnostics),
        (_, None) => unreachable!("what could not be built has been diagnosed: see `tables`"),
    }
}

fn start(file: &Path) -> Location {
    Location { file: file.to_owned(), line: 1, column: 1 }
}

fn settings(
    input: &mut Input<'_>,
    mut root: DeTable<'_>,
    module: Option<(&str, &Path)>,
) -> CaseSettings {
    let [counters, absent, objects] = [COUNTERS, ABSENT, OBJECTS].map(|key| root.remove(key));
    CaseSettings {
        counters: counters.map_or_else(Vec::new, |value| {
            self::counters(input, &value, module.map(|(name, _)| name))
        }),
        absent: absent.map_or_else(Vec::new, |value| self::absent(input, &value)),
        objects: objects.map_or_else(Vec::new, |value| self::objects(input, &value)),
        stage: match module {
            Some(module) => stage(input, root, module),
            None => {
                for (name, _) in &root {
                    let text = format!(
                        "unknown key `{}`: the stages are the pipeline's, and a case has \
                         `{COUNTERS}`, `{ABSENT}` and `{OBJECTS}`",
                        super::diagnostic::quoted(name.get_ref())
                    );
                    input.error(name.span().start, text);
                }
                None
            }
        },
    }
}

/// The keys of a `[[stage]]`, but for those that say which module it is.
fn stage<'i>(
    input: &mut Input<'_>,
    mut root: DeTable<'i>,
    (name, module): (&'i str, &Path),
) -> Option<StageSettings> {
    for (key, _) in &root {
        if matches!(key.get_ref().as_ref(), "name" | "module" | "drop") {
            let text = format!("`{}` is not the case's to say: its module is given", key.get_ref());
            input.error(key.span().start, text);
        }
    }
    let mut insert = |key: &'static str, text: String| {
        let value = DeValue::String(text.into());
        root.insert(Spanned::new(0..0, key.into()), Spanned::new(0..0, value));
    };
    insert("name", name.to_owned());
    insert("module", module.display().to_string());
    let section = tables::read(input, &keys::STAGE, &root, 0);
    parts::stage_of(&section)
}

fn counters(
    input: &mut Input<'_>,
    value: &Spanned<DeValue<'_>>,
    stage: Option<&str>,
) -> Vec<CounterExpected> {
    let at = value.span().start;
    let Some(table) = value.get_ref().as_table() else {
        input.error(at, "must be a table: write [counters]");
        return Vec::new();
    };
    let mut all = Vec::new();
    for (name, value) in table {
        let at = value.span().start;
        match (stage, value.get_ref()) {
            (Some(stage), value) => all.extend(counter(input, stage, name.get_ref(), value, at)),
            (None, DeValue::Table(of_stage)) => {
                for (counter_name, value) in of_stage {
                    let (at, value) = (value.span().start, value.get_ref());
                    let (stage, counter_name) = (name.get_ref(), counter_name.get_ref());
                    all.extend(counter(input, stage, counter_name, value, at));
                }
            }
            (None, _) => {
                let text = "whose counter is it? write [counters.STAGE] in front of it";
                input.error(at, text);
            }
        }
    }
    all
}

fn counter(
    input: &mut Input<'_>,
    stage: &str,
    name: &str,
    value: &DeValue<'_>,
    at: usize,
) -> Option<CounterExpected> {
    let number = match value {
        DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    let Some(value) = number else {
        input.error(at, "must be a whole number: what the counter is after all events");
        return None;
    };
    let (stage, name) = (stage.to_owned(), name.to_owned());
    Some(CounterExpected { stage, name, value, location: input.location(at) })
}

fn absent(input: &mut Input<'_>, value: &Spanned<DeValue<'_>>) -> Vec<(String, Location)> {
    let Some(items) = value.get_ref().as_array() else {
        input.error(value.span().start, "must be a list of JSON pointers, such as [\"/metadata\"]");
        return Vec::new();
    };
    let mut pointers = Vec::new();
    for item in items {
        let at = item.span().start;
        match item.get_ref().as_str() {
            Some(pointer) if pointer.starts_with('/') => {
                pointers.push((pointer.to_owned(), input.location(at)));
            }
            _ => input.error(at, "must be a JSON pointer, such as \"/metadata/managedFields\""),
        }
    }
    pointers
}

fn objects(input: &mut Input<'_>, value: &Spanned<DeValue<'_>>) -> Vec<CaseObject> {
    let Some(items) = value.get_ref().as_array() else {
        input.error(value.span().start, "must be an array of tables: write [[objects]]");
        return Vec::new();
    };
    items.iter().filter_map(|item| object(input, item)).collect()
}

fn object(input: &mut Input<'_>, item: &Spanned<DeValue<'_>>) -> Option<CaseObject> {
    let at = item.span().start;
    let Some(table) = item.get_ref().as_table() else {
        input.error(at, "must be a table: write [[objects]]");
        return None;
    };
    let json = json::object(table, &mut |at, text| input.error(at, text));
    let mut json: serde_json::Value = serde_json::from_str(&json).unwrap_or_default();
    if let Some(metadata) = json.pointer_mut("/metadata").and_then(|value| value.as_object_mut()) {
        // An API server's objects have one, and what reads them wants it.
        metadata.entry("uid").or_insert_with(|| "".into());
    }
    let text = |pointer: &str| json.pointer(pointer).and_then(|text| text.as_str());
    let (Some(api_version), Some(kind), Some(_)) =
        (text("/apiVersion"), text("/kind"), text("/metadata/name"))
    else {
        let text = "an object has `apiVersion`, `kind` and `metadata` with at least a `name`, as \
                    Kubernetes has them";
        input.error(at, text);
        return None;
    };
    let annotations = json.pointer("/metadata/annotations").and_then(|all| all.as_object());
    Some(CaseObject {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: text("/metadata/namespace").unwrap_or_default().to_owned(),
        metadata: json["metadata"].to_string(),
        annotations: annotations.into_iter().flat_map(|all| all.keys().cloned()).collect(),
        location: input.location(at),
    })
}
