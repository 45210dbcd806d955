//! Makes a case of events as they are seen, with what becomes of each and what was looked up.
//!
//! Invariant: a case that was finished passes: it was run once from its own files, and what did not
//! come out as it was seen (state that began before, a lookup that was late) was recorded as it
//! comes out there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{fs, mem};

use serde_json::Value;

use super::read::{self, EVENTS, EXPECTED, FILE_BYTES_MAX, SETTINGS};
use super::run::Happened;
use super::{CasesError, Tested, record, run_case};

/// A case that is being made.
#[derive(Debug)]
pub(crate) struct Recording {
    dir: PathBuf,
    name: String,
    /// The settings, as their author wrote them.
    settings: Vec<u8>,
    events: Vec<u8>,
    expected: Vec<u8>,
    /// What was looked up, by what names it.
    objects: BTreeMap<String, Value>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// The events of the case.
    pub(crate) events: usize,
    /// Lines that did not come out as they were seen.
    pub(crate) differ: usize,
    /// Where it is: the folder, and the case's name.
    pub(crate) dir: PathBuf,
    pub(crate) name: String,
}

impl Recording {
    /// Begins one at `DIR/NAME`; `settings` become those of the case. Nothing is written yet.
    ///
    /// # Errors
    ///
    /// When there is such a case.
    pub(crate) fn begin(at: &Path, settings: Vec<u8>) -> Result<Recording, CasesError> {
        let refused = |why| CasesError::NotThere { at: at.to_owned(), why };
        let name = at.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| refused("give the case's folder and name: DIR/NAME"))?;
        let name = name.strip_suffix(EVENTS).unwrap_or(name);
        let dir = at.parent().unwrap_or(Path::new(""));
        for end in [EVENTS, EXPECTED, SETTINGS] {
            if dir.join(format!("{name}{end}")).exists() {
                return Err(refused("there is a case of this name: choose another one"));
            }
        }
        if at.is_dir() {
            return Err(refused("it is a folder: give the case's name, too, as DIR/NAME"));
        }
        let (dir, name) = (dir.to_owned(), name.to_owned());
        let (events, expected, objects) = (Vec::new(), Vec::new(), BTreeMap::new());
        Ok(Recording { dir, name, settings, events, expected, objects })
    }

    /// Adds an event, as it was received, and what became of it. `false`: the case is full, and it
    /// is left out.
    pub(crate) fn add(&mut self, source: &[u8], happened: &Happened) -> bool {
        let mut line = Vec::new();
        // A document is JSON: docs/delivery.md#the-document.
        let is_json = record::line(happened, &mut line).is_ok();
        let fits = |file: &[u8], more: usize| ((file.len() + more) as u64) < FILE_BYTES_MAX;
        if !is_json || !fits(&self.events, source.len()) || !fits(&self.expected, line.len()) {
            return false;
        }
        // An end of line is white space between tokens: inside of a text JSON has none.
        let one_line =
            source.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte });
        self.events.extend(one_line);
        self.events.push(b'\n');
        self.expected.append(&mut line);
        self.expected.push(b'\n');
        true
    }

    /// What was looked up: `apiVersion`, `kind` and `metadata`. What is known last counts.
    pub(crate) fn looked_up(&mut self, object: Value) {
        let member = |pointer: &str| object.pointer(pointer).map(Value::to_string);
        let names = ["apiVersion", "kind", "metadata/namespace", "metadata/name", "metadata/uid"];
        let key: Vec<String> =
            names.iter().filter_map(|name| member(&format!("/{name}"))).collect();
        self.objects.insert(key.join(" "), object);
    }

    /// Writes the files, and runs the case once. `None`: there was no event.
    ///
    /// # Errors
    ///
    /// When a file cannot be written, or the case not be run.
    pub(crate) fn finish(mut self, tested: Tested<'_>) -> Result<Option<Recorded>, CasesError> {
        if self.events.is_empty() {
            return Ok(None);
        }
        let settings = self.settings();
        if !self.dir.as_os_str().is_empty() {
            let broken = |error| CasesError::File { path: self.dir.clone(), error };
            fs::create_dir_all(&self.dir).map_err(broken)?;
        }
        self.write(EVENTS, &self.events)?;
        self.write(EXPECTED, &self.expected)?;
        if !settings.is_empty() {
            self.write(SETTINGS, &settings)?;
        }
        let case = || read::case(&self.dir, self.name.clone(), tested);
        let seen = run_case(&case()?, tested, false)?;
        let differ = seen.differences.len();
        if differ > 0 {
            run_case(&case()?, tested, true)?;
        }
        Ok(Some(Recorded { events: seen.events, differ, dir: self.dir, name: self.name }))
    }

    /// Of the case: its author's, and what was looked up.
    fn settings(&mut self) -> Vec<u8> {
        let mut settings = mem::take(&mut self.settings);
        for object in self.objects.values() {
            if !settings.is_empty() {
                settings.push(b'\n');
            }
            settings.extend(table(object).as_bytes());
        }
        settings
    }

    fn write(&self, end: &str, text: &[u8]) -> Result<(), CasesError> {
        let path = self.dir.join(format!("{}{end}", self.name));
        let written = || -> io::Result<()> { fs::File::create_new(&path)?.write_all(text) };
        written().map_err(|error| CasesError::File { path: path.clone(), error })
    }
}

/// An object as a case has it.
fn table(object: &Value) -> String {
    let mut text = "[[objects]]\n".to_owned();
    for (key, value) in object.as_object().into_iter().flatten() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{key} = {}", toml(value));
    }
    text
}

/// A value as TOML has it, on one line. There is no null among labels and references.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let member =
                |(key, value): (&String, &Value)| format!("{} = {}", quoted(key), toml(value));
            let members: Vec<String> = members.iter().map(member).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// A text in TOML: JSON's escapes are TOML's, which also wants one for DEL.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_looked_up_is_toml_that_says_the_same() {
        let object = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {
            "name": "web", "labels": {"app.kubernetes.io/name": "a\"b\\\u{7f}\u{1b}é"},
            "ownerReferences": [{"kind": "ReplicaSet", "controller": true}]}});
        let read: toml::Value = toml::from_str(&table(&object)).unwrap();
        let read = serde_json::to_value(&read["objects"][0]).unwrap();
        assert_eq!(read, object);
    }
}
