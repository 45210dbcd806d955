//! `weir filter build --watch`: builds on each change of a crate's folder, runs its cases, and puts
//! what passes where a running weir takes it up.
//!
//! Invariant: what lies at `--into` has passed its cases, and is whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use serde_json::json;

use super::module::{self, BuiltModule};
use super::{BuildArgs, Told};
use crate::cases::{self, CasesError, Report, Tested};
use crate::cli::filter::{note, say_of};
use crate::cli::{CommandError, print, said};

/// Between two looks at the folder.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Files that are looked at; a filter's crate has some dozens.
const FILES_MAX: usize = 10_000;
/// Folders that nobody writes sources in.
const LEFT_OUT: [&str; 5] = ["target", "dist", ".git", ".tools", "__pycache__"];
/// What cargo writes into a folder that it builds in: <https://bford.info/cachedir/>
const CACHE_TAG: &str = "CACHEDIR.TAG";

/// Builds and tests until it is ended.
pub(super) fn watch(args: &BuildArgs, dir: &Path) -> Result<(), CommandError> {
    let _telemetry = args.log.init_quietly()?;
    let mut sources = Sources::of(dir);
    loop {
        round(args, dir)?;
        sources = sources.until_changed(dir);
    }
}

/// One build, and what follows from it. What is wrong with the crate ends nothing.
fn round(args: &BuildArgs, dir: &Path) -> Result<(), CommandError> {
    let (built, mut told) = Told::of(dir, args.out.as_deref());
    let module = match &built {
        Ok(module) => module,
        Err(error) => {
            note(&(said(error, None) + "\n"));
            return Ok(args.tell(&built, &told)?);
        }
    };
    let after = match test(dir, module) {
        Ok(report) => After::tested(args, module, report),
        Err(error) => After { error: Some(error.to_string()), ..After::default() },
    };
    if let Some(told) = told.0.as_object_mut() {
        told.extend(after.json());
    }
    args.tell(&built, &told)?;
    if args.json {
        return Ok(());
    }
    if let Some(report) = &after.report {
        print(&report.to_string())?;
    }
    Ok(say_of(&after.line())?)
}

/// `None`: there is no case.
fn test(dir: &Path, module: &BuiltModule) -> Result<Option<Report>, CasesError> {
    let path = std::path::absolute(&module.path).unwrap_or_else(|_| module.path.clone());
    let tested = Tested::Module { name: &module.name, module: &path };
    match cases::run(&dir.join("cases"), tested, false) {
        Err(CasesError::None(_)) => Ok(None),
        ran => ran.map(Some),
    }
}

/// What came of a module that was built.
#[derive(Default)]
struct After {
    report: Option<Report>,
    /// Where it was put.
    into: Option<PathBuf>,
    error: Option<String>,
}

impl After {
    /// Puts the module where it is wanted, unless a case failed.
    fn tested(args: &BuildArgs, module: &BuiltModule, report: Option<Report>) -> After {
        let has_passed = report.as_ref().is_none_or(|report| report.failed() == 0);
        let mut after = After { report, ..After::default() };
        if let Some(into) = args.into.as_ref().filter(|_| has_passed) {
            match fs::read(&module.path).and_then(|component| module::put(into, &component)) {
                Ok(()) => after.into = Some(into.clone()),
                Err(error) => after.error = Some(format!("{}: {error}", into.display())),
            }
        }
        after
    }

    /// What there is to say behind the report.
    fn line(&self) -> String {
        let cases = if self.report.is_none() { "there is no case; " } else { "" };
        match (&self.into, &self.error) {
            (_, Some(error)) => format!("error: {error}"),
            (Some(into), None) => format!("{cases}put into {}", into.display()),
            (None, None) => format!("{cases}waiting for a change"),
        }
    }

    /// What is added to what was told of the build.
    fn json(&self) -> serde_json::Map<String, serde_json::Value> {
        let report = self.report.as_ref();
        let cases = report.map(|report| {
            let failed = report.failed();
            json!({ "passed": report.cases() - failed, "failed": failed })
        });
        let members = [
            ("cases", cases),
            ("into", self.into.as_ref().map(|into| json!(into))),
            ("error", self.error.as_ref().map(|error| json!(error))),
        ];
        let there = members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        there.collect()
    }
}

/// The files of a crate's folder, and when each was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sources(BTreeMap<PathBuf, (u64, SystemTime)>);

impl Sources {
    /// As they are now. What cannot be looked at is not there.
    fn of(dir: &Path) -> Sources {
        let mut sources = Sources::default();
        // Without an error: a folder may vanish while it is read.
        let _ = sources.add(dir);
        sources
    }

    fn add(&mut self, dir: &Path) -> io::Result<()> {
        if dir.join(CACHE_TAG).exists() {
            return Ok(());
        }
        for entry in dir.read_dir()? {
            let entry = entry?;
            let (path, found) = (entry.path(), entry.metadata()?);
            let is_left_out = LEFT_OUT.iter().any(|name| entry.file_name() == *name);
            if found.is_dir() && !is_left_out {
                self.add(&path)?;
            } else if found.is_file() && !is_built(&path) && self.0.len() < FILES_MAX {
                self.0.insert(path, (found.len(), found.modified()?));
            }
        }
        Ok(())
    }

    /// Waits until they are others than these, and nobody writes any more.
    fn until_changed(&self, dir: &Path) -> Sources {
        let mut last = self.clone();
        loop {
            std::thread::park_timeout(LOOK_EVERY);
            let now = Sources::of(dir);
            if now != *self && now == last {
                return now;
            }
            last = now;
        }
    }
}

/// Whether it may be what a build writes.
fn is_built(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "wasm" || end == "new")
}
