//! From checked values to the parts' settings, and the checks that concern several keys.
//!
//! `None` means that something has been diagnosed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};

use toml::de::DeTable;

use super::keys::ROOT;
use super::rules::same_host;
use super::section::Section;
use super::walk::Walk;
use super::{Environment, Named, Settings, index, named, show_size};
use crate::buffer::SpoolSettings;
use crate::kube::LeaseSettings;
use crate::sink::{Duplicates, Mode, OpenSearchSettings, Template};
use crate::source::{KubernetesSettings, Start};
use crate::stages::{Match, OnError, StageSettings, Wasi};
use crate::{buffer, dead_letter, sink, source};

/// Where a Kubernetes source listens when `[admin]` does not say.
const ADMIN_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9464);

/// Builds everything, so that everything wrong is found; and what can be looked at all the same.
pub(super) fn config(
    walk: &mut Walk<'_>,
    root: &DeTable<'_>,
    environment: &Environment,
) -> (Option<Settings>, Named) {
    let root = walk.table(&ROOT, root, 0);
    let stages: Vec<_> = root.sections("stage").iter().map(stage).collect();
    unique_names(walk, root.sections("stage"));
    let source = root.section("source").and_then(|section| source(walk, section));
    let sink = root.section("sink").and_then(|section| sink(walk, section));
    if let (Some(source), Some(sink), Some(section)) = (&source, &sink, root.section("sink")) {
        not_into_itself(walk, source, sink, section);
    }
    let buffer = root.section("buffer").and_then(|section| buffer(walk, section));
    let lease = root.section("lease").and_then(|section| lease(walk, &root, section));
    let dead_letter =
        root.section("dead_letter").and_then(|section| dead_letter(walk, &root, section));
    if let (Some(buffer), Some(dead_letter::Settings::Disk { path })) = (&buffer, &dead_letter)
        && buffer.spool.as_ref().is_some_and(|spool| normal(&spool.path) == normal(path))
        && let Some(section) = root.section("dead_letter")
    {
        walk.error(
            section.at("path"),
            "`path` is `buffer.path`, too: give the dead letters a folder of their own",
        );
    }
    let parts =
        Parts { source: source.clone(), stages, buffer, sink: sink.clone(), dead_letter, lease };
    let settings = settings(walk, &root, parts, environment);
    (settings, Named { source, sink, ..named::named(walk, &root, environment) })
}

/// Each part's settings, where there is nothing wrong with them.
struct Parts {
    source: Option<source::Settings>,
    stages: Vec<Option<StageSettings>>,
    buffer: Option<buffer::Settings>,
    sink: Option<sink::Settings>,
    dead_letter: Option<dead_letter::Settings>,
    /// `Some(None)`: none is wanted.
    lease: Option<Option<LeaseSettings>>,
}

fn settings(
    walk: &Walk<'_>,
    root: &Section,
    parts: Parts,
    environment: &Environment,
) -> Option<Settings> {
    let Parts { source, stages, buffer, sink, dead_letter, lease } = parts;
    let source = source?;
    Some(Settings {
        name: root.text("name")?,
        cluster: root.text("cluster"),
        workers: root.workers("workers")?,
        cache: cache(root, environment),
        admin: admin(root, &source),
        source,
        stages: stages.into_iter().collect::<Option<_>>()?,
        buffer: buffer?,
        sink: sink?,
        dead_letter: dead_letter?,
        lease: lease?,
        folder: folder(walk.file),
    })
}

pub(super) fn cache(root: &Section, environment: &Environment) -> PathBuf {
    root.path("cache").unwrap_or_else(|| environment.cache.clone())
}

/// What is written to the file that is read is read again, without end.
fn not_into_itself(
    walk: &mut Walk<'_>,
    source: &source::Settings,
    sink: &sink::Settings,
    section: &Section,
) {
    if let (source::Settings::File { path: from, .. }, sink::Settings::File { path: to }) =
        (source, sink)
        && normal(from) == normal(to)
    {
        walk.error(section.at("path"), super::SAME_FILE);
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

fn folder(file: &Path) -> PathBuf {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn admin(root: &Section, source: &source::Settings) -> Option<SocketAddr> {
    // The rule of `listen` has parsed it before.
    let listen = root.section("admin")?.text("listen").and_then(|text| text.parse().ok());
    listen.or_else(|| matches!(source, source::Settings::Kubernetes(_)).then_some(ADMIN_DEFAULT))
}

fn source(walk: &mut Walk<'_>, section: &Section) -> Option<source::Settings> {
    Some(match section.text("kind")?.as_str() {
        "kubernetes" => {
            let namespaces = section.texts("namespaces")?;
            let distinct: BTreeSet<&String> = namespaces.iter().collect();
            if distinct.len() < namespaces.len() {
                walk.error(section.at("namespaces"), "`namespaces` names a namespace twice");
            }
            let start = match section.text("start")?.as_str() {
                "now" => Start::Now,
                _ => Start::All,
            };
            source::Settings::Kubernetes(KubernetesSettings { namespaces, start })
        }
        "file" => {
            source::Settings::File { path: section.path("path")?, follow: section.flag("follow")? }
        }
        _ => source::Settings::Stdin,
    })
}

fn buffer(walk: &mut Walk<'_>, section: &Section) -> Option<buffer::Settings> {
    if section.is_given("disk") && !section.is_in_file("path") {
        walk.error(section.at("disk"), "`disk` needs `path` beside it");
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
        walk.error(section.at(key), text);
    }
    Some(buffer::Settings { memory, spool })
}

fn dead_letter(
    walk: &mut Walk<'_>,
    root: &Section,
    section: &Section,
) -> Option<dead_letter::Settings> {
    if section.text("kind")? == "disk" {
        if section.is_given("kind") && !section.is_in_file("path") {
            walk.error(section.at("kind"), "`kind = \"disk\"` needs `path` beside it");
        }
        let path = section.path("path");
        return Some(
            path.map_or(dead_letter::Settings::None, |path| dead_letter::Settings::Disk { path }),
        );
    }
    let index = section.text("index")?;
    let sink = root.section("sink");
    let kind = sink.and_then(|sink| sink.text("kind"));
    if kind.as_deref().is_some_and(|kind| kind != "opensearch") {
        let text = "`kind = \"index\"` needs a sink of kind = \"opensearch\": the index is in its OpenSearch; with another sink, set `path`";
        walk.error(section.at("kind"), text);
    }
    let documents =
        sink.and_then(|sink| sink.text("index")).and_then(|text| index::parse(&text).ok());
    if kind.as_deref() == Some("opensearch")
        && documents.is_some_and(|documents| index::holds(&documents, &index))
    {
        let text = format!(
            "\"{index}\" is an index that the sink writes documents to, or that has their index template: give the dead letters one of their own"
        );
        let key = if section.is_given("index") { "index" } else { "kind" };
        walk.error(section.at(key), text);
    }
    Some(dead_letter::Settings::Index { index })
}

fn lease(walk: &mut Walk<'_>, root: &Section, section: &Section) -> Option<Option<LeaseSettings>> {
    let (is_enabled, duration) = (section.flag("enabled")?, section.duration("duration")?);
    if duration.subsec_nanos() != 0 {
        walk.error(
            section.at("duration"),
            "`duration` must be whole seconds: a Lease holds no fractions",
        );
    }
    if !is_enabled {
        return Some(None);
    }
    let kind = root.section("source").and_then(|source| source.text("kind"));
    if kind.is_some_and(|kind| kind != "kubernetes") {
        let text = "`enabled = true` is for a kubernetes source: replicas share no other";
        walk.error(section.at("enabled"), text);
    }
    let name = section.text("name").or_else(|| root.text("name"))?;
    Some(Some(LeaseSettings { namespace: section.text("namespace"), name, duration }))
}

fn unique_names(walk: &mut Walk<'_>, stages: &[Section]) {
    let mut seen = BTreeMap::new();
    for (at, name) in
        stages.iter().filter_map(|stage| Some((stage.at("name"), stage.text("name")?)))
    {
        let line = walk.place(at).line;
        match seen.get(&name) {
            Some(first) => {
                walk.error(
                    at,
                    format!("the stage name \"{name}\" is taken by the stage in line {first}"),
                );
            }
            None => {
                seen.insert(name, line);
            }
        }
    }
}

fn stage(section: &Section) -> Option<StageSettings> {
    let matches = section.section("match")?;
    Some(StageSettings {
        name: section.text("name")?,
        module: section.path("module")?,
        matches: Match {
            event_type: matches.texts("type"),
            reason: matches.texts("reason"),
            namespace: matches.texts("namespace"),
            kind: matches.texts("kind"),
            name: matches.texts("name"),
            component: matches.texts("component"),
        },
        timeout: section.duration("timeout")?,
        memory: section.size("memory")?,
        on_error: match section.text("on_error")?.as_str() {
            "drop" => OnError::Drop,
            "dead-letter" => OnError::DeadLetter,
            _ => OnError::Keep,
        },
        wasi: wasi(section)?,
        config: section.free("config")?,
    })
}

pub(super) fn wasi(section: &Section) -> Option<Wasi> {
    Some(match section.text("wasi")?.as_str() {
        "stub" => Wasi::Stub,
        _ => Wasi::None,
    })
}

fn sink(walk: &mut Walk<'_>, section: &Section) -> Option<sink::Settings> {
    Some(match section.text("kind")?.as_str() {
        "opensearch" => sink::Settings::OpenSearch(opensearch(walk, section)?),
        "file" => sink::Settings::File { path: section.path("path")? },
        _ => sink::Settings::Stdout,
    })
}

fn opensearch(walk: &mut Walk<'_>, section: &Section) -> Option<OpenSearchSettings> {
    for (one, other) in [("username", "password"), ("password", "username")] {
        if section.is_given(one) && !section.is_in_file(other) {
            walk.error(section.at(one), format!("`{one}` needs `{other}` beside it"));
        }
    }
    let hosts = section.texts("hosts");
    if let Some(hosts) = &hosts
        && section.is_given("ca")
        && hosts.iter().all(|host| same_host(host).starts_with("http://"))
    {
        walk.error(section.at("ca"), "`ca` is for https, and all `hosts` are http");
    }
    let distinct: BTreeSet<String> = hosts.iter().flatten().map(|host| same_host(host)).collect();
    if distinct.len() < hosts.as_ref().map_or(0, Vec::len) {
        walk.error(section.at("hosts"), "`hosts` names a host twice");
    }
    let mode = match section.text("mode")?.as_str() {
        "latest" => Mode::Latest,
        _ => Mode::History,
    };
    // The rule of `index` has parsed it before.
    let index = index::parse(&section.text("index")?).ok()?;
    if mode == Mode::Latest && index.date.is_some() {
        let text = "needs an index without a date, because an event can repeat for days";
        let (at, what) = if section.is_given("index") {
            ("index", "`mode = \"latest\"`")
        } else {
            ("mode", "this mode")
        };
        walk.error(
            section.at(at),
            format!("{what} {text}: set `index` to a plain name such as \"kube-events\""),
        );
    }
    Some(OpenSearchSettings {
        hosts: hosts?,
        username: section.text("username"),
        password: section.secret("password"),
        ca: section.path("ca"),
        index,
        mode,
        template: match section.text("template")?.as_str() {
            "skip" => Template::Skip,
            _ => Template::Install,
        },
        duplicates: match section.text("duplicates")?.as_str() {
            "allow" => Duplicates::Allow,
            _ => Duplicates::Forbid,
        },
    })
}
