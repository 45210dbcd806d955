//! What OpenSearch's answers mean. Pure.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Clock, Finding, Level, clock};
use crate::sink::examine::{Answered, Asked, Examined, Has, Host, Inside};
use crate::sink::setup::{Item, State, What};
use crate::sink::{OpenSearchSettings, Setup, Template};
use crate::text;

const OPENSEARCH: Clock = Clock {
    of: "OpenSearch",
    matters: "it rolls over and deletes by its own clock",
    worst: Level::Warn,
};
/// Of a template or policy that somebody edited.
const DIFFERENCES_TOLD_MAX: usize = 5;

/// What was found out means this; it came `now`.
pub(super) fn findings(
    examined: &Examined,
    settings: &OpenSearchSettings,
    now: Timestamp,
) -> Vec<Finding> {
    let is_in = examined.inside.is_some();
    let mut findings: Vec<Finding> =
        examined.hosts.iter().flat_map(|one| host(one, is_in)).collect();
    findings.extend(several_clusters(&examined.hosts));
    let Some(Inside { user, rights, setup, unknown, time }) = &examined.inside else {
        return findings;
    };
    if let Some(user) = user {
        findings.push(Finding::ok("login", format!("as {user}")));
    }
    findings.extend(time.map(|time| clock(&OPENSEARCH, time.as_second() - now.as_second())));
    findings.extend(rights.iter().map(right));
    findings.extend(setup.iter().map(|item| self::item(item, settings)));
    findings.extend(unknown.as_ref().map(|why| {
        Finding::warn("policy", format!("no more can be looked at of what is set up: {why}"))
    }));
    findings
}

/// Where another one lets weir in, a run goes on with that one.
fn host(Host { url, answer }: &Host, is_in: bool) -> Vec<Finding> {
    match answer {
        Answered::In { version, warning, .. } => {
            let text = match version {
                Some(version) => format!("{url} answers, version {version}"),
                None => format!("{url} answers, and does not say its version"),
            };
            let warning = warning
                .as_ref()
                .map(|warning| Finding::warn("opensearch", format!("{url}: {warning}")));
            [Some(Finding::ok("opensearch", text)), warning].into_iter().flatten().collect()
        }
        Answered::Collection => {
            let text = format!("{url} answers, a collection of OpenSearch Serverless");
            vec![Finding::ok("opensearch", text)]
        }
        Answered::Silent(why) => vec![Finding::warn(
            "opensearch",
            format!(
                "{url} does not say what it is ({why}): grant the cluster permission \
                 `cluster:monitor/main`, by which a saved position knows its target"
            ),
        )],
        Answered::Refused(why) => vec![Finding::fail("login", why.clone())],
        Answered::Out(why) if is_in => {
            let text = format!("{why}; a run goes on with the other hosts, and one fewer");
            vec![Finding::warn("opensearch", text)]
        }
        Answered::Out(why) => vec![Finding::fail("opensearch", why.clone())],
    }
}

fn several_clusters(hosts: &[Host]) -> Option<Finding> {
    let clusters: BTreeSet<&String> = hosts
        .iter()
        .filter_map(|host| match &host.answer {
            Answered::In { cluster, .. } => cluster.as_ref(),
            _ => None,
        })
        .collect();
    (clusters.len() > 1).then(|| {
        let text = "sink.hosts are nodes of more than one cluster: documents would go to either; \
                    name nodes of one";
        Finding::fail("opensearch", text)
    })
}

fn right(Asked { right, index, purpose, has, is_needed }: &Asked) -> Finding {
    let on = match index {
        Some(index) => format!("on the index `{index}`"),
        None => "on the cluster".to_owned(),
    };
    match has {
        Has::Yes => Finding::ok("rights", format!("{purpose}: `{right}` {on}")),
        Has::No(why) => Finding::new(
            if *is_needed { Level::Fail } else { Level::Warn },
            "rights",
            format!("{purpose} needs `{right}` {on}, and the user lacks it: grant it ({why})"),
        ),
        Has::Unknown(why) => Finding::warn(
            "rights",
            format!(
                "{purpose} needs `{right}` {on}, and nobody says whether the user has it: {why}"
            ),
        ),
    }
}

fn item(Item { what, name, state }: &Item, settings: &OpenSearchSettings) -> Finding {
    let label = what.word();
    const BY_COMMAND: &str = "`weir opensearch setup` does that";
    match state {
        State::Fine(how) | State::Others(how) => Finding::ok(label, format!("{name}: {how}")),
        State::Missing(_) | State::Differs(_) | State::Pending(_)
            if settings.setup == Setup::Run =>
        {
            let text = "not there as it should be: a run sets it up";
            match needs(*what) {
                None => Finding::ok(label, format!("{name}: {text}")),
                Some(right) => Finding::warn(
                    label,
                    format!(
                        "{name}: {text}, if the user has the right `{right}`, which cannot be \
                         asked for without writing: look whether it was granted, or have \
                         `weir opensearch setup` do it now"
                    ),
                ),
            }
        }
        State::Missing(_) if *what == What::Template && settings.template == Template::Install => {
            Finding::ok(label, format!("{name}: missing: a run installs it"))
        }
        State::Missing(_) => {
            let so = match what {
                What::Policy => "missing: nothing rolls over or deletes old indices",
                What::Stream => {
                    "nothing has this name: a run makes one index, from which nothing is deleted"
                }
                What::Template | What::Managed => "missing",
            };
            let would = match what {
                What::Stream => "`weir opensearch setup` makes a data stream",
                _ => "`weir opensearch setup` installs it",
            };
            Finding::warn(label, format!("{name}: {so}: {would}"))
        }
        State::Differs(differences) => {
            let told = text::first(differences, DIFFERENCES_TOLD_MAX);
            Finding::warn(label, format!("{name}: to be brought up to date: {BY_COMMAND} ({told})"))
        }
        State::Pending(how) => Finding::warn(label, format!("{name}: {how}: {BY_COMMAND}")),
        State::Edited(differences) => {
            let told = text::first(differences, DIFFERENCES_TOLD_MAX);
            Finding::ok(label, format!("{name}: edited by somebody, and left so ({told})"))
        }
        State::Failed(why) => Finding::warn(label, format!("{name}: {why}")),
        // A dry run does nothing.
        State::Created(how) | State::Done(how) => Finding::ok(label, format!("{name}: {how}")),
        State::Changed(_) => Finding::ok(label, format!("{name}: changed")),
    }
}

/// The right that setting it up needs, where it cannot be found out whether the user has it.
fn needs(what: What) -> Option<&'static str> {
    match what {
        What::Policy => Some("cluster:admin/opendistro/ism/policy/write"),
        What::Template => None,
        What::Stream => Some("indices:admin/data_stream/create"),
        What::Managed => Some("cluster:admin/opendistro/ism/managedindex/…"),
    }
}

/// That there is nothing else to say where no host answered.
pub(super) fn no_client(why: String) -> Finding {
    Finding::new(Level::Fail, "opensearch", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(more: &str) -> OpenSearchSettings {
        let text = format!(
            "name='p'\nsource.kind='stdin'\n[sink]\nkind='opensearch'\nhosts=['http://a','http://b']\nindex='e'\n{more}"
        );
        let path = std::path::Path::new("p.toml");
        let config = crate::config::parse(path, &text, &crate::config::Environment::default());
        match config.unwrap().settings.sink {
            crate::sink::Settings::OpenSearch(settings) => settings,
            other => panic!("{other:?}"),
        }
    }

    fn into(url: &str, cluster: &str) -> Host {
        let (version, cluster) = (Some("2.19.4".to_owned()), Some(cluster.to_owned()));
        Host { url: url.into(), answer: Answered::In { version, warning: None, cluster } }
    }

    fn shown(examined: &Examined, more: &str) -> String {
        let findings = findings(examined, &settings(more), Timestamp::UNIX_EPOCH);
        findings.iter().map(Finding::shown).collect()
    }

    #[test]
    fn each_host_says_how_it_answers_and_several_clusters_are_a_mistake() {
        let hosts = vec![
            into("http://a", "one"),
            into("http://b", "two"),
            Host { url: "http://c".into(), answer: Answered::Out("http://c is down".into()) },
            Host { url: "http://d".into(), answer: Answered::Silent("403: no".into()) },
        ];
        insta::assert_snapshot!(shown(&Examined { hosts, inside: None }, ""), @r"
        ok opensearch: http://a answers, version 2.19.4
        ok opensearch: http://b answers, version 2.19.4
        fail opensearch: http://c is down
        warn opensearch: http://d does not say what it is (403: no): grant the cluster permission `cluster:monitor/main`, by which a saved position knows its target
        fail opensearch: sink.hosts are nodes of more than one cluster: documents would go to either; name nodes of one
        ");
    }

    #[test]
    fn what_is_not_set_up_says_by_what_it_is() {
        let item = |what, state| Item { what, name: "e".into(), state };
        let inside = || Inside {
            user: None,
            rights: Vec::new(),
            setup: vec![
                item(What::Policy, State::Missing("it deletes".into())),
                item(What::Template, State::Missing("it maps".into())),
                item(What::Stream, State::Missing("documents".into())),
            ],
            unknown: None,
            time: None,
        };
        let examined = || Examined { hosts: Vec::new(), inside: Some(inside()) };
        insta::assert_snapshot!(shown(&examined(), ""), @r"
        warn policy: e: missing: nothing rolls over or deletes old indices: `weir opensearch setup` installs it
        ok template: e: missing: a run installs it
        warn stream: e: nothing has this name: a run makes one index, from which nothing is deleted: `weir opensearch setup` makes a data stream
        ");
        insta::assert_snapshot!(shown(&examined(), "setup='run'"), @r"
        warn policy: e: not there as it should be: a run sets it up, if the user has the right `cluster:admin/opendistro/ism/policy/write`, which cannot be asked for without writing: look whether it was granted, or have `weir opensearch setup` do it now
        ok template: e: not there as it should be: a run sets it up
        warn stream: e: not there as it should be: a run sets it up, if the user has the right `indices:admin/data_stream/create`, which cannot be asked for without writing: look whether it was granted, or have `weir opensearch setup` do it now
        ");
    }

    #[test]
    fn what_a_run_can_do_without_is_no_failure() {
        let rights = [(false, "indices:admin/resolve/index"), (true, "indices:data/write/index")];
        let asked = |(is_needed, right)| Asked {
            right,
            index: Some("e".into()),
            purpose: "it",
            has: Has::No("no".into()),
            is_needed,
        };
        let levels = rights.map(|one| right(&asked(one)).level);
        assert_eq!(levels, [Level::Warn, Level::Fail]);
        let out = Host { url: "http://c".into(), answer: Answered::Out("http://c is down".into()) };
        assert_eq!(host(&out, true)[0].level, Level::Warn);
        assert_eq!(host(&out, false)[0].level, Level::Fail);
    }
}
