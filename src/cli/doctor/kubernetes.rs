//! What the API server's answers mean. Pure.

use jiff::Timestamp;

use super::grant::grant;
use super::{Clock, Finding, Level, clock};
use crate::kube::LeaseSettings;
use crate::kube::examine::{Right, Version};
use crate::lookup::Resource;
use crate::source::KubernetesSettings;

const API_SERVER: Clock = Clock {
    of: "the API server",
    matters: "lags are measured wrongly, and from 300 s on a data stream may hold an event twice",
    worst: Level::Fail,
};

/// Something that a run does there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Need {
    /// The finding's.
    name: &'static str,
    pub(super) group: String,
    pub(super) resource: String,
    pub(super) verbs: &'static [&'static str],
    pub(super) namespace: Option<String>,
    pub(super) object: Option<String>,
    purpose: &'static str,
    /// What it is that is missing without it.
    level: Level,
}

impl Need {
    /// As it is reviewed: what is made has no name yet, so a rule with `resourceNames` does not
    /// allow it.
    pub(super) fn reviewed(&self, verb: &'static str) -> Right {
        let name = self.object.clone().filter(|_| verb != "create");
        Right { name, ..self.right(verb) }
    }

    fn right(&self, verb: &'static str) -> Right {
        Right {
            group: self.group.clone(),
            resource: self.resource.clone(),
            verb,
            namespace: self.namespace.clone(),
            name: self.object.clone(),
        }
    }
}

/// Everything that a run needs. `default_namespace` is the Lease's where none is configured.
pub(super) fn needs(
    source: &KubernetesSettings,
    lease: Option<&LeaseSettings>,
    looked_up: &[Resource],
    default_namespace: &str,
) -> Vec<Need> {
    let scopes: Vec<Option<String>> = match &source.namespaces[..] {
        [] => vec![None],
        some => some.iter().cloned().map(Some).collect(),
    };
    let looked_up = looked_up.iter().flat_map(|resource| {
        let is_in_namespaces = resource.is_namespaced() != Some(false);
        let scopes = if is_in_namespaces { scopes.clone() } else { vec![None] };
        scopes.into_iter().map(|namespace| Need {
            name: "lookup",
            group: resource.group().to_owned(),
            resource: resource.plural().to_owned(),
            verbs: &["get"],
            namespace,
            object: None,
            purpose: "looking objects up",
            level: Level::Warn,
        })
    });
    let looked_up: Vec<Need> = looked_up.collect();
    let events = scopes.into_iter().map(|namespace| Need {
        name: "events",
        group: String::new(),
        resource: "events".to_owned(),
        verbs: &["list", "watch"],
        namespace,
        object: None,
        purpose: "reading",
        level: Level::Fail,
    });
    let identity = Need {
        name: "cluster-identity",
        group: String::new(),
        resource: "namespaces".to_owned(),
        verbs: &["get"],
        // An object of this kind is in the namespace that it is.
        namespace: Some("kube-system".to_owned()),
        object: Some("kube-system".to_owned()),
        purpose: "telling one cluster from another when a saved position is used",
        level: Level::Warn,
    };
    let lease = lease.map(|lease| Need {
        name: "lease",
        group: "coordination.k8s.io".to_owned(),
        resource: "leases".to_owned(),
        verbs: &["get", "create", "update"],
        namespace: Some(lease.namespace.clone().unwrap_or_else(|| default_namespace.to_owned())),
        object: Some(lease.name.clone()),
        purpose: "agreeing on who works",
        level: Level::Fail,
    });
    events.chain([identity]).chain(lease).chain(looked_up).collect()
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answers {
    /// Which server, and where that is from.
    pub(super) place: String,
    pub(super) version: Result<Version, String>,
    /// When that came.
    pub(super) now: Timestamp,
    pub(super) user: Option<String>,
    /// In the order of `verbs`.
    pub(super) rights: Vec<(Need, Vec<Result<bool, String>>)>,
    /// Who holds the Lease; `None`: there is none to be held.
    pub(super) lease: Option<Result<Holder, String>>,
}

/// Who holds a Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// There is no Lease yet.
    NoLease,
    Nobody,
    Somebody(String),
}

/// What they mean.
pub(super) fn findings(answers: &Answers) -> Vec<Finding> {
    let Answers { place, version, now, user, rights, lease } = answers;
    let version = match version {
        Ok(version) => version,
        Err(why) => {
            let text = format!(
                "{place}: it cannot be asked: {why}: check that it can be reached from here (a \
                 NetworkPolicy, a proxy), and the credentials"
            );
            return vec![Finding::fail("api-server", text)];
        }
    };
    let who = user.as_deref().map_or_else(String::new, |user| format!(", as {user}"));
    let mut findings =
        vec![Finding::ok("api-server", format!("{place}: Kubernetes {}{who}", version.number))];
    findings
        .extend(version.time.map(|time| clock(&API_SERVER, time.as_second() - now.as_second())));
    let user = user.as_deref().unwrap_or("USER");
    findings.extend(rights.iter().map(|(need, may)| right(need, may, user)));
    findings.extend(lease.as_ref().map(holder));
    findings
}

fn right(need: &Need, may: &[Result<bool, String>], user: &str) -> Finding {
    let Need { name, group, resource, verbs, namespace, object, purpose, level } = need;
    let group = if group.is_empty() { String::new() } else { format!(".{group}") };
    let scope = match (namespace, object) {
        // The object is the namespace.
        (_, Some(object)) if resource == "namespaces" => format!(" `{object}`"),
        (Some(namespace), Some(object)) => format!(" `{object}` in namespace {namespace}"),
        (Some(namespace), None) => format!(" in namespace {namespace}"),
        (None, _) => " in all namespaces".to_owned(),
    };
    let on = format!("{resource}{group}{scope}");
    if let Some(Err(why)) = may.iter().find(|may| may.is_err()) {
        let text = format!("nobody says whether {user} may {} {on}: {why}", and(verbs));
        return Finding::warn(name, text);
    }
    let missing: Vec<&'static str> = verbs
        .iter()
        .zip(may)
        .filter(|(_, may)| matches!(may, Ok(false)))
        .map(|(verb, _)| *verb)
        .collect();
    if missing.is_empty() {
        return Finding::ok(name, format!("may {} {on}", and(verbs)));
    }
    let text =
        format!("{user} may not {} {on}, which {purpose} needs: grant it", missing.join(" or "));
    let grant = grant(user, &need.right(missing[0]), &missing);
    Finding { grant: Some(grant), ..Finding::new(*level, name, text) }
}

fn and(verbs: &[&str]) -> String {
    match verbs.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

fn holder(lease: &Result<Holder, String>) -> Finding {
    match lease {
        Ok(Holder::NoLease) => {
            Finding::ok("lease", "there is no Lease yet: the first replica makes it")
        }
        Ok(Holder::Nobody) => Finding::ok("lease", "nobody holds it: the next replica leads"),
        Ok(Holder::Somebody(holder)) => Finding::ok("lease", format!("{holder} holds it")),
        Err(why) => Finding::fail("lease", why.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(answers: &Answers) -> String {
        findings(answers).iter().map(Finding::shown).collect()
    }

    fn answers(may: Result<bool, String>) -> Answers {
        let source = KubernetesSettings { namespaces: vec!["a".into()], ..Default::default() };
        let lease = LeaseSettings {
            namespace: None,
            name: "events".into(),
            duration: std::time::Duration::from_secs(15),
        };
        let looked_up = ["replicasets.apps", "nodes"].map(|of| Resource::parse(of).unwrap());
        let needs = needs(&source, Some(&lease), &looked_up, "weir");
        Answers {
            place: "https://api, by KUBECONFIG".into(),
            version: Ok(Version { number: "v1.35.4".into(), time: Some(Timestamp::UNIX_EPOCH) }),
            now: Timestamp::UNIX_EPOCH,
            user: Some("jane".into()),
            rights: needs
                .into_iter()
                .map(|need| {
                    let may = need.verbs.iter().map(|_| may.clone()).collect();
                    (need, may)
                })
                .collect(),
            lease: Some(Ok(Holder::Somebody("weir-0".into()))),
        }
    }

    #[test]
    fn whoever_may_everything_is_told_so() {
        insta::assert_snapshot!(shown(&answers(Ok(true))), @r"
        ok api-server: https://api, by KUBECONFIG: Kubernetes v1.35.4, as jane
        ok clock: the API server and this machine have the same time
        ok events: may list and watch events in namespace a
        ok cluster-identity: may get namespaces `kube-system`
        ok lease: may get, create and update leases.coordination.k8s.io `events` in namespace weir
        ok lookup: may get replicasets.apps in namespace a
        ok lookup: may get nodes in all namespaces
        ok lease: weir-0 holds it
        ");
    }

    #[test]
    fn a_right_that_is_missing_comes_with_what_grants_it() {
        let findings = findings(&answers(Ok(false)));
        let levels: Vec<(&str, Level, bool)> = findings
            .iter()
            .map(|finding| (finding.name, finding.level, finding.grant.is_some()))
            .collect();
        assert_eq!(
            levels,
            [
                ("api-server", Level::Ok, false),
                ("clock", Level::Ok, false),
                ("events", Level::Fail, true),
                ("cluster-identity", Level::Warn, true),
                ("lease", Level::Fail, true),
                ("lookup", Level::Warn, true),
                ("lookup", Level::Warn, true),
                ("lease", Level::Ok, false),
            ]
        );
        insta::assert_snapshot!(findings[2].text, @"jane may not list or watch events in namespace a, which reading needs: grant it");
    }

    #[test]
    fn what_is_made_is_reviewed_without_a_name_and_granted_with_the_others_names() {
        let answers = answers(Ok(false));
        let (lease, _) = answers.rights.iter().find(|(need, _)| need.name == "lease").unwrap();
        assert_eq!(lease.reviewed("create").name, None);
        assert_eq!(lease.reviewed("update").name.as_deref(), Some("events"));
        assert_eq!(lease.right("create").name.as_deref(), Some("events"));
    }

    #[test]
    fn a_server_that_does_not_answer_is_all_there_is_to_say() {
        let answers = Answers { version: Err("connection refused".into()), ..answers(Ok(true)) };
        insta::assert_snapshot!(shown(&answers), @"fail api-server: https://api, by KUBECONFIG: it cannot be asked: connection refused: check that it can be reached from here (a NetworkPolicy, a proxy), and the credentials");
    }

    #[test]
    fn what_cannot_be_reviewed_is_not_known() {
        let findings = findings(&answers(Err("it answers 403".into())));
        assert_eq!(findings[2].level, Level::Warn);
        insta::assert_snapshot!(findings[2].text, @"nobody says whether jane may list and watch events in namespace a: it answers 403");
    }
}
