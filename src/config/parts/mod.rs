//! From checked values to the parts' settings, and the checks that concern several keys.
//!
//! `None` means that something has been diagnosed.

mod lookup;
mod sink;
mod source;
mod stage;

pub(super) use self::sink::username;
pub(super) use self::stage::{build as stage_of, shadow as shadow_of};

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};

use super::input::Input;
use super::keys::SourceKind;
use super::section::Section;
use super::settings::{AdminSettings, Environment, Settings};
use super::units::show_size;
use crate::buffer::SpoolSettings;
use crate::kube::LeaseSettings;
use crate::stages::StageSettings;
use crate::{buffer, dead_letter, registry};

/// What is wrong with a sink that writes to what the source reads.
pub(crate) const SAME_FILE: &str = "the sink would write to the file that the source reads, and \
                                    read it again without end: give the sink a file of its own";

/// Where a Kubernetes source listens when `[admin]` does not say.
const ADMIN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9464);

/// Each part's settings, where there is nothing wrong with them.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) cache: PathBuf,
    pub(super) source: Option<crate::source::Settings>,
    stages: Vec<Option<StageSettings>>,
    registry: Option<registry::Settings>,
    buffer: Option<buffer::Settings>,
    pub(super) sink: Option<crate::sink::Settings>,
    dead_letter: Option<dead_letter::Settings>,
    /// `Some(None)`: none is wanted.
    lease: Option<Option<LeaseSettings>>,
    /// The same.
    lookup: Option<Option<crate::lookup::Settings>>,
}

/// Builds all parts, so that everything wrong is found.
pub(super) fn of(input: &mut Input<'_>, root: &Section, environment: &Environment) -> Parts {
    stage::unique_names(input, root.sections("stage"));
    stage::digests(input, root);
    let parts = Parts {
        cache: root.path("cache").unwrap_or_else(|| environment.cache.clone()),
        source: root.section("source").and_then(|section| source::build(input, section)),
        stages: root.sections("stage").iter().map(stage::build).collect(),
        registry: root.section("registry").and_then(registry),
        buffer: root.section("buffer").and_then(|section| buffer(input, section)),
        sink: root.section("sink").and_then(|section| sink::build(input, section)),
        dead_letter: root
            .section("dead_letter")
            .and_then(|section| sink::dead_letter(input, root, section)),
        lease: root.section("lease").and_then(|section| lease(input, root, section)),
        lookup: lookup::build(input, root),
    };
    sink_beside_source(input, root, &parts);
    dead_letters_beside_buffer(input, root, &parts);
    parts
}

impl Parts {
    /// All of it, when nothing is missing.
    pub(super) fn into_settings(self, root: &Section, folder: PathBuf) -> Option<Settings> {
        let source = self.source?;
        Some(Settings {
            name: root.text("name")?,
            cluster: root.text("cluster"),
            workers: root.workers("workers")?,
            reload: root.word("reload")?,
            cache: self.cache,
            admin: admin(root, &source)?,
            source,
            stages: self.stages.into_iter().collect::<Option<_>>()?,
            registry: self.registry?,
            buffer: self.buffer?,
            sink: self.sink?,
            dead_letter: self.dead_letter?,
            lease: self.lease?,
            lookup: self.lookup?,
            folder,
        })
    }
}

/// What is written to the file that is read is read again, without end.
fn sink_beside_source(input: &mut Input<'_>, root: &Section, parts: &Parts) {
    use crate::{sink, source};
    if let Some(source::Settings::File { path: from, .. }) = &parts.source
        && let Some(sink::Settings::File { path: to }) = &parts.sink
        && normal(from) == normal(to)
        && let Some(section) = root.section("sink")
    {
        input.error(section.at("path"), SAME_FILE);
    }
}

fn dead_letters_beside_buffer(input: &mut Input<'_>, root: &Section, parts: &Parts) {
    if let Some(buffer::Settings { spool: Some(spool), .. }) = &parts.buffer
        && let Some(dead_letter::Settings::Disk { path }) = &parts.dead_letter
        && normal(&spool.path) == normal(path)
        && let Some(section) = root.section("dead_letter")
    {
        input.error(
            section.at("path"),
            "`path` is `buffer.path`, too: give the dead letters a folder of their own",
        );
    }
}

/// The path without `.` and `..`, as far as it can be told without looking at the disk.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(normal.components().next_back(), Some(Component::Normal(_))) =>
            {
                normal.pop();
            }
            // The root's parent is the root.
            Component::ParentDir if normal.has_root() => {}
            other => normal.push(other),
        }
    }
    normal
}

fn admin(root: &Section, source: &crate::source::Settings) -> Option<Option<AdminSettings>> {
    let section = root.section("admin")?;
    // The rule of `listen` has parsed it before.
    let listen = section.text("listen").and_then(|text| text.parse().ok());
    let listen = listen.or_else(|| {
        matches!(source, crate::source::Settings::Kubernetes(_)).then_some(ADMIN_DEFAULT)
    });
    let show_events = section.flag("show_events")?;
    Some(listen.map(|listen| AdminSettings { listen, show_events }))
}

fn registry(section: &Section) -> Option<registry::Settings> {
    let allow_tags = section.flag("allow_tags")?;
    let (credentials, ca) = (section.path("credentials"), section.path("ca"));
    Some(registry::Settings { credentials, ca, allow_tags })
}

fn buffer(input: &mut Input<'_>, section: &Section) -> Option<buffer::Settings> {
    if section.is_given("disk") && !section.is_in_file("path") {
        input.error(section.at("disk"), "`disk` needs `path` beside it");
    }
    let (memory, disk) = (section.size("memory")?, section.size("disk")?);
    let spool = section.path("path").map(|path| SpoolSettings { path, disk });
    if spool.is_some() && disk < memory {
        let key = if section.is_given("disk") { "disk" } else { "memory" };
        let text = format!(
            "`disk`, {}, must be at least `memory`, {}: all that waits in memory must fit",
            show_size(disk),
            show_size(memory)
        );
        input.error(section.at(key), text);
    }
    Some(buffer::Settings { memory, spool })
}

fn lease(
    input: &mut Input<'_>,
    root: &Section,
    section: &Section,
) -> Option<Option<LeaseSettings>> {
    let (is_enabled, duration) = (section.flag("enabled")?, section.duration("duration")?);
    if duration.subsec_nanos() != 0 {
        input.error(
            section.at("duration"),
            "`duration` must be whole seconds: a Lease holds no fractions",
        );
    }
    if !is_enabled {
        return Some(None);
    }
    let kind = root.section("source").and_then(|source| source.word("kind"));
    if kind.is_some_and(|kind: SourceKind| kind != SourceKind::Kubernetes) {
        let text = "`enabled = true` is for a kubernetes source: replicas cannot share any other";
        input.error(section.at("enabled"), text);
    }
    let name = section.text("name").or_else(|| root.text("name"))?;
    Some(Some(LeaseSettings { namespace: section.text("namespace"), name, duration }))
}
