//! What a configuration would run, in one short line for each part.

use std::fmt::Write;

use crate::config::{Settings, Workers, show_duration, show_size};
use crate::kube::LeaseSettings;
use crate::sink::{OpenSearchSettings, Setup};
use crate::source::Start;
use crate::stages::{Description, Keys, Match, StageSettings};
use crate::text::{self, LINE_BYTES_MAX};
use crate::{buffer, dead_letter, lookup, sink, source};

/// One short line for each part of what would run.
pub(super) fn summary(settings: &Settings, modules: &[Description]) -> String {
    let mut lines = String::new();
    let mut line = |part: &str, text: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{part:<12} {}", text::one_line(text, LINE_BYTES_MAX));
    };
    line("pipeline", pipeline(settings));
    line("source", source(&settings.source));
    for stage in &settings.stages {
        line("stage", self::stage(stage, modules, settings.lookup.is_some()));
    }
    line("buffer", buffer(&settings.buffer));
    line("sink", sink(&settings.sink));
    line("dead_letter", self::dead_letter(&settings.dead_letter));
    if let Some(lease) = &settings.lease {
        line("lease", self::lease(lease));
    }
    if let Some(lookup) = &settings.lookup {
        line("lookup", self::lookup(lookup));
    }
    line(
        "admin",
        settings.admin.map_or_else(|| "does not listen".into(), |admin| admin.listen.to_string()),
    );
    lines
}

fn pipeline(settings: &Settings) -> String {
    let workers = match settings.workers {
        Workers::Auto => "auto".to_owned(),
        Workers::Count(count) => count.to_string(),
    };
    let cluster = settings.cluster.as_ref().map(|cluster| format!(", cluster {cluster:?}"));
    format!("{}{}, workers {workers}", settings.name, cluster.unwrap_or_default())
}

fn source(source: &source::Settings) -> String {
    match source {
        source::Settings::Kubernetes(kubernetes) => {
            let namespaces = match (&kubernetes.namespaces[..], &kubernetes.exclude_namespaces[..])
            {
                ([], []) => "all namespaces".to_owned(),
                ([], excluded) => format!("all namespaces but {}", excluded.join(", ")),
                (some, _) => format!("namespaces {}", some.join(", ")),
            };
            let selector = kubernetes.field_selector.as_ref();
            let selector = selector.map(|selector| format!(", field selector {selector}"));
            let rest = kubernetes.selector().map(|_| ", the rest is not received");
            let start = match kubernetes.start {
                Start::All => "",
                Start::Now => ", from now on where no position is saved",
            };
            let (selector, rest) = (selector.unwrap_or_default(), rest.unwrap_or_default());
            format!("kubernetes, {namespaces}{selector}{rest}{start}")
        }
        source::Settings::File { path, follow } => {
            format!("file {}{}", path.display(), if *follow { ", followed" } else { "" })
        }
        source::Settings::Stdin => "stdin".into(),
    }
}

/// The line of a stage; of one with a module, that is among `modules` if it could be loaded.
fn stage(stage: &StageSettings, modules: &[Description], has_lookup: bool) -> String {
    let name = stage.name();
    match stage {
        StageSettings::Drop { matches, .. } => {
            let shown = matched(matches);
            // Only exceptions.
            let all = if matches.keys.iter().next().is_none() { "everything" } else { "" };
            format!("{name}: drops {}", format!("{all}{shown}").trim_start_matches(", "))
        }
        StageSettings::Module(settings) => {
            let module = modules.iter().find(|module| module.name == settings.name);
            let powers = module.map_or("not in the cache: pulled at the start".into(), powers);
            let lookup = match module.is_some_and(Description::asks_for_lookups) {
                true if has_lookup => ", asks for what [lookup] finds",
                true => ", asks for labels or owners (warning: there is no [lookup], so none)",
                false => "",
            };
            let shadow = settings
                .shadow
                .as_ref()
                .map_or_else(String::new, |shadow| format!(", in its shadow {}", shadow.module));
            format!(
                "{name}: {}, {powers}{lookup}{}{shadow}, {} of CPU time a call, {} of memory, on \
                 error {}",
                settings.module,
                matched(&settings.matches),
                show_duration(settings.timeout),
                show_size(settings.memory),
                settings.on_error.word()
            )
        }
    }
}

/// What a stage sees, behind a comma each.
fn matched(matches: &Match) -> String {
    let keys = |keys: &Keys| -> Vec<String> {
        keys.iter()
            .map(|(key, texts)| format!("{} {}", key.word(), texts.collect::<Vec<_>>().join("|")))
            .collect()
    };
    let only = keys(&matches.keys).into_iter();
    let not = matches.not.iter().map(|not| format!("but not ({})", keys(not).join(", ")));
    only.chain(not).map(|key| format!(", {key}")).collect()
}

fn buffer(buffer: &buffer::Settings) -> String {
    let memory = show_size(buffer.memory);
    match &buffer.spool {
        None => format!("{memory} in memory"),
        Some(spool) => {
            format!(
                "{memory} in memory, then {} in {}",
                show_size(spool.disk),
                spool.path.display()
            )
        }
    }
}

fn dead_letter(settings: &dead_letter::Settings) -> String {
    match settings {
        dead_letter::Settings::None => "none: the first event that needs it stops the run".into(),
        dead_letter::Settings::Disk { path } => match dead_letter::ephemeral(path) {
            Some(ephemeral) => format!(
                "{}, on {}: mount a persistent volume there, or set kind = \"index\"",
                path.display(),
                ephemeral.what()
            ),
            None => path.display().to_string(),
        },
        dead_letter::Settings::Index { index } => {
            format!("index {index}, in the sink's OpenSearch")
        }
    }
}

fn lease(lease: &LeaseSettings) -> String {
    let namespace = lease.namespace.as_deref().unwrap_or("the pod's namespace");
    format!("{} in {namespace}, held for {}", lease.name, show_duration(lease.duration))
}

fn lookup(lookup: &lookup::Settings) -> String {
    let resources: Vec<String> = lookup.resources.iter().map(ToString::to_string).collect();
    let mut what = Vec::new();
    what.extend(lookup.labels.then(|| "labels".to_owned()));
    if !lookup.annotations.is_empty() {
        what.push(format!("annotations {}", lookup.annotations.join("|")));
    }
    what.extend(lookup.owners.then(|| "owners".to_owned()));
    format!(
        "{} of {}, {} a second at most, events wait {}",
        what.join(", "),
        resources.join(", "),
        lookup.max_per_second,
        show_duration(lookup.timeout)
    )
}

/// What the module can do to an event.
fn powers(module: &Description) -> String {
    let has = |power: &str| module.powers.iter().any(|name| name == power);
    let may = match (has("discard"), has("edit")) {
        (true, true) => "can drop and change",
        (true, false) => "can drop",
        (false, true) => "can change",
        (false, false) => "can only look at",
    };
    format!("{may} {}", text::one_line(&module.interest, LINE_BYTES_MAX))
}

fn sink(sink: &sink::Settings) -> String {
    match sink {
        sink::Settings::OpenSearch(opensearch) => self::opensearch(opensearch),
        sink::Settings::File { path } => format!("file {}, appended", path.display()),
        sink::Settings::Stdout => "stdout".into(),
    }
}

fn opensearch(opensearch: &OpenSearchSettings) -> String {
    let mode = opensearch.mode.word();
    let index = &opensearch.index;
    let connection = &opensearch.connection;
    let hosts = connection.hosts.join(", ");
    let mut text = format!("opensearch {hosts}, index {index}, mode {mode}");
    if opensearch.setup == Setup::Run {
        text += ", set up at the start";
    }
    if let (Some(username), Some(password)) = (&connection.username, &connection.password) {
        // A secret shows as ***.
        text += &format!(", user {username}, password {password:?}");
    }
    if connection.authorization.is_some() {
        text += ", with an Authorization header";
    }
    if let Some(aws) = &connection.aws {
        text += &format!(", signed for AWS ({} in {})", aws.service.word(), aws.region);
    }
    if let Some((certificate, _)) = &connection.identity {
        text += &format!(", certificate {}", certificate.display());
    }
    if let Some(ca) = &connection.ca {
        text += &format!(", trusts {}", ca.display());
    }
    if let Ok(proxies) = connection.proxies()
        && let Some((_, proxy)) = proxies.first()
    {
        text += &format!(", through {proxy}");
    }
    if let Some(warning) = connection.readable_credentials() {
        text += &format!(" (warning: {warning})");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Environment};
    use crate::stages::ModuleSettings;
    use std::path::Path;

    fn summary_of(text: &str) -> String {
        let environment = Environment { cache: "/home/me/.cache/weir/modules".into() };
        let settings =
            config::parse(Path::new("etc/pipeline.toml"), text, &environment).unwrap().settings;
        let modules = settings.stages.iter().filter_map(|stage| match stage {
            StageSettings::Module(module) => Some(module),
            StageSettings::Drop { .. } => None,
        });
        let describe = |(module, power): (&ModuleSettings, &str)| Description {
            name: module.name.clone(),
            module: module.module.clone(),
            powers: vec!["event".into(), power.into()],
            reasons: Vec::new(),
            counters: Vec::new(),
            interest: "events".to_owned(),
        };
        let modules: Vec<_> = modules.zip(["discard", "edit"]).map(describe).collect();
        summary(&settings, &modules)
    }

    #[test]
    fn a_summary_tells_what_outlives_a_restart() {
        let environment = Environment::default();
        let text = "name = 'p'\nsource.kind = 'kubernetes'\nsink.kind = 'stdout'";
        let mut settings = config::parse(Path::new("p.toml"), text, &environment).unwrap().settings;
        settings.source = source::Settings::Kubernetes(source::KubernetesSettings {
            start: Start::Now,
            ..source::KubernetesSettings::default()
        });
        settings.buffer.spool =
            Some(buffer::SpoolSettings { path: "/spool".into(), disk: 2 << 30 });
        let duration = std::time::Duration::from_secs(15);
        settings.lease = Some(LeaseSettings { namespace: None, name: "p".into(), duration });
        insta::assert_snapshot!(summary(&settings, &[]), @r"
        pipeline     p, workers auto
        source       kubernetes, all namespaces, from now on where no position is saved
        buffer       16MiB in memory, then 2GiB in /spool
        sink         stdout
        dead_letter  none: the first event that needs it stops the run
        lease        p in the pod's namespace, held for 15s
        admin        0.0.0.0:9464
        ");
    }

    #[test]
    fn a_summary_has_a_line_for_each_part_and_no_secret() {
        insta::assert_snapshot!(summary_of(config::EXAMPLE), @r#"
        pipeline     events, cluster "prod-eu-1", workers auto
        source       kubernetes, all namespaces
        stage        drop-normal: etc/../filters/dist/drop-normal.wasm, can drop events, type Normal, 50ms of CPU time a call, 16MiB of memory, on error keep
        stage        tag-gpu-failures: etc/../filters/dist/tag-gpu-failures.wasm, can change events, 50ms of CPU time a call, 16MiB of memory, on error keep
        stage        drop-image-pulls: drops reason Pull*, but not (type Warning)
        buffer       16MiB in memory, then 2GiB in /var/lib/weir
        sink         opensearch https://opensearch.example:9200, index kube-events-{yyyy.MM.dd}, mode history, user "weir", password ***, trusts /etc/weir/ca.pem
        dead_letter  /var/lib/weir/dead-letter
        lookup       labels, owners of pods, replicasets.apps, 20 a second at most, events wait 2s
        admin        0.0.0.0:9464
        "#);
        insta::assert_snapshot!(summary_of("name = 'small'\nworkers = 2\nsource = { kind = 'file', path = 'in', follow = true }\nsink = { kind = 'file', path = '/out' }"), @r"
        pipeline     small, workers 2
        source       file etc/in, followed
        buffer       16MiB in memory
        sink         file /out, appended
        dead_letter  none: the first event that needs it stops the run
        admin        does not listen
        ");
        insta::assert_snapshot!(summary_of("name = 'p'\nsource = { kind = 'kubernetes', namespaces = ['a', 'b'] }\nsink = { kind = 'stdout' }"), @r"
        pipeline     p, workers auto
        source       kubernetes, namespaces a, b
        buffer       16MiB in memory
        sink         stdout
        dead_letter  none: the first event that needs it stops the run
        admin        0.0.0.0:9464
        ");
    }

    #[test]
    fn a_summary_tells_what_is_dropped_without_code_and_what_is_not_received() {
        insta::assert_snapshot!(summary_of("name = 'p'\nsink = { kind = 'stdout' }\n[source]\nkind = 'kubernetes'\nexclude_namespaces = ['a', 'b']\nfield_selector = 'type!=Normal'\nstart = 'now'\n[[stage]]\nname = 'quiet'\ndrop = true\nmatch = { reason = ['Pull*', 'Created'], kind = ['Pod'], not = [{ name = ['web-*'], message = ['*GPU*'] }, { component = ['x'] }] }\n[[stage]]\nname = 'only-pods'\ndrop = true\n[stage.match.not]\nkind = ['Pod']\n[[stage]]\nname = 'm'\nmodule = 'm.wasm'\nmatch.not.kind = ['Pod']"), @r"
        pipeline     p, workers auto
        source       kubernetes, all namespaces but a, b, field selector type!=Normal, the rest is not received, from now on where no position is saved
        stage        quiet: drops reason Pull*|Created, kind Pod, but not (message *GPU*, name web-*), but not (component x)
        stage        only-pods: drops everything, but not (kind Pod)
        stage        m: etc/m.wasm, can drop events, but not (kind Pod), 50ms of CPU time a call, 16MiB of memory, on error keep
        buffer       16MiB in memory
        sink         stdout
        dead_letter  none: the first event that needs it stops the run
        admin        0.0.0.0:9464
        ");
    }
}
