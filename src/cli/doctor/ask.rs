//! Asks the servers and this machine. Decides nothing.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};

use super::kubernetes::{Answers, Holder, Need};
use super::machine::{Found, Room};
use super::{Finding, kubernetes, machine, opensearch};
use crate::config::Settings;
use crate::folders::Folder;
use crate::kube::LeaseSettings;
use crate::kube::examine::Examiner;
use crate::kube::lease::mark;
use crate::registry::{self, Reference};
use crate::source::KubernetesSettings;
use crate::stages::{Description, ModuleSource, StageSettings};
use crate::{dead_letter, sink, source};

/// Everything that there is to say of a pipeline.
pub(super) async fn all(settings: &Settings, modules: &[Description]) -> Vec<Finding> {
    let mut findings = vec![modules_of(modules)];
    findings.extend(registries(settings).await);
    if let source::Settings::Kubernetes(source) = &settings.source {
        findings.extend(api_server(source, settings).await);
    }
    if let sink::Settings::OpenSearch(sink) = &settings.sink {
        let letters = match &settings.dead_letter {
            dead_letter::Settings::Index { index } => Some(index.as_str()),
            dead_letter::Settings::None | dead_letter::Settings::Disk { .. } => None,
        };
        match sink::examine::examine(sink, letters).await {
            Ok(examined) => {
                findings.extend(opensearch::findings(&examined, sink, Timestamp::now()));
            }
            Err(error) => findings.push(opensearch::no_client(error.to_string())),
        }
    }
    findings.extend(machine::findings(&rooms(settings)));
    findings
}

/// They were loaded before: a configuration whose modules cannot be is none.
fn modules_of(modules: &[Description]) -> Finding {
    let text = match modules.len() {
        0 => "there are none to load".to_owned(),
        1 => "1 is loaded and configured".to_owned(),
        more => format!("{more} are loaded and configured"),
    };
    Finding::ok("modules", text)
}

/// The modules that are in registries: whether each could be pulled now.
async fn registries(settings: &Settings) -> Vec<Finding> {
    let references = settings.stages.iter().flat_map(StageSettings::modules);
    let references = references.filter_map(ModuleSource::reference);
    let references: BTreeSet<&Reference> = references.collect();
    let here = registry::look(&settings.cache, references.iter().copied());
    let mut findings = Vec::new();
    for reference in references {
        findings.push(match registry::about(&settings.registry, reference).await {
            Ok(_) => Finding::ok("registry", format!("{reference} can be pulled")),
            Err(error) if here.digest(reference).is_some() => {
                let text = format!(
                    "{reference} is in the cache, and where it is not it could not be pulled: \
                     {error}"
                );
                Finding::warn("registry", text)
            }
            Err(error) => Finding::fail("registry", format!("{reference}: {error}")),
        });
    }
    findings
}

async fn api_server(source: &KubernetesSettings, settings: &Settings) -> Vec<Finding> {
    let lease = settings.lease.as_ref();
    let looked_up = settings.lookup.as_ref().map_or(&[][..], |lookup| &lookup.resources);
    let examiner = match Examiner::new().await {
        Ok(examiner) => examiner,
        Err(error) => return vec![Finding::fail("api-server", error.to_string())],
    };
    let version = examiner.version().await;
    let now = Timestamp::now();
    let is_there = version.is_ok();
    let needs = kubernetes::needs(source, lease, looked_up, examiner.default_namespace());
    let mut rights = Vec::new();
    for need in needs.into_iter().filter(|_| is_there) {
        let may = may(&examiner, &need).await;
        rights.push((need, may));
    }
    let lease = match lease {
        Some(settings) if is_there => Some(holder(settings).await),
        _ => None,
    };
    let user = if is_there { examiner.user().await } else { None };
    let place = examiner.place.clone();
    kubernetes::findings(&Answers { place, version, now, user, rights, lease })
}

async fn may(examiner: &Examiner, need: &Need) -> Vec<Result<bool, String>> {
    let mut answers = Vec::new();
    for verb in need.verbs {
        answers.push(examiner.may(&need.reviewed(verb)).await);
    }
    answers
}

async fn holder(settings: &LeaseSettings) -> Result<Holder, String> {
    match mark::read(settings).await {
        Ok(None) => Ok(Holder::NoLease),
        Ok(Some(lease)) => Ok(lease.holder.map_or(Holder::Nobody, Holder::Somebody)),
        Err(error) => Err(error.to_string()),
    }
}

/// The folders that a run writes to.
fn rooms(settings: &Settings) -> Vec<Room> {
    let spool = settings.buffer.spool.as_ref().map(|spool| Room {
        key: "buffer.path",
        path: spool.path.clone(),
        wanted: spool.disk,
        found: look(&spool.path),
    });
    let letters = match &settings.dead_letter {
        dead_letter::Settings::Disk { path } => Some(Room {
            key: "dead_letter.path",
            path: path.clone(),
            wanted: dead_letter::BYTES_MAX,
            found: look(path),
        }),
        dead_letter::Settings::None | dead_letter::Settings::Index { .. } => None,
    };
    spool.into_iter().chain(letters).collect()
}

/// What a folder has room for; the nearest one above it that is there, where it is not.
fn look(path: &Path) -> Result<Found, String> {
    let is_there = path.symlink_metadata().is_ok();
    let nearest = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
    if is_there {
        Folder::open(path).map_err(|error| error.to_string())?;
    }
    match accessat(CWD, nearest, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS) {
        // An old kernel, or a container's filter, does not know the call: a run will tell.
        Ok(()) | Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {}
        Err(error) => {
            let what = if is_there { "it" } else { "the folder above it" };
            return Err(format!(
                "weir's user may not write to {what} ({error}): mount a volume there, or give the \
                 user the right"
            ));
        }
    }
    let found = statvfs(nearest).map_err(|error| error.to_string())?;
    let available = found.f_bavail.saturating_mul(found.f_frsize);
    let device = nearest.metadata().map_err(|error| error.to_string())?.dev();
    Ok(Found { device, available, used: if is_there { size_of(path) } else { 0 } })
}

/// The files of a folder of weir's; those below it are few.
fn size_of(path: &Path) -> u64 {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .sum()
}
