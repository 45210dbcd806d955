//! What gives a right that is missing: a Role or a ClusterRole and its binding, as YAML on one line
//! (JSON is YAML). Pure.

use serde_json::{Value, json};

use crate::kube::examine::Right;

/// A List of both, for whom the API server takes this process for.
pub(super) fn grant(user: &str, right: &Right, verbs: &[&str]) -> String {
    let name = name(user, right);
    let (role, binding) = match right.namespace {
        None => ("ClusterRole", "ClusterRoleBinding"),
        Some(_) => ("Role", "RoleBinding"),
    };
    let mut metadata = json!({ "name": name });
    if let Some(namespace) = &right.namespace {
        metadata["namespace"] = json!(namespace);
    }
    let rules = rules(right, verbs);
    let group = "rbac.authorization.k8s.io";
    let version = format!("{group}/v1");
    let list = json!({
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            { "apiVersion": version, "kind": role, "metadata": metadata, "rules": rules },
            {
                "apiVersion": version,
                "kind": binding,
                "metadata": metadata,
                "roleRef": { "apiGroup": group, "kind": role, "name": name },
                "subjects": [subject(user)],
            },
        ],
    });
    list.to_string()
}

/// Of its own for each account, kind of object and object: what grants one right takes no other
/// away.
fn name(user: &str, right: &Right) -> String {
    let account = user.strip_prefix("system:serviceaccount:").unwrap_or(user);
    let group = if right.group.is_empty() { String::new() } else { format!(".{}", right.group) };
    let object = right.name.as_ref().map_or_else(String::new, |name| format!(":{name}"));
    // A name in RBAC may have anything in it that a path may.
    format!("weir:{account}:{}{group}{object}", right.resource).replace(['/', '%'], "-")
}

/// `create` is never by name: the object is not there yet.
fn rules(right: &Right, verbs: &[&str]) -> Vec<Value> {
    let rule = |verbs: Vec<&str>, name: Option<&String>| {
        let mut rule = json!({
            "apiGroups": [right.group], "resources": [right.resource], "verbs": verbs,
        });
        if let Some(name) = name {
            rule["resourceNames"] = json!([name]);
        }
        rule
    };
    let Some(name) = &right.name else { return vec![rule(verbs.to_vec(), None)] };
    let (creating, others): (Vec<&str>, Vec<&str>) =
        verbs.iter().partition(|verb| **verb == "create");
    let by_name = (!others.is_empty()).then(|| rule(others, Some(name)));
    let creating = (!creating.is_empty()).then(|| rule(creating, None));
    by_name.into_iter().chain(creating).collect()
}

fn subject(user: &str) -> Value {
    let account = user.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    match account {
        Some((namespace, name)) => {
            json!({ "kind": "ServiceAccount", "namespace": namespace, "name": name })
        }
        None => {
            json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_right_is_granted_to_whom_it_is_missing_and_no_more() {
        let lease = Right {
            group: "coordination.k8s.io".into(),
            resource: "leases".into(),
            verb: "get",
            namespace: Some("weir".into()),
            name: Some("events".into()),
        };
        let user = "system:serviceaccount:weir:shipper";
        insta::assert_snapshot!(grant(user, &lease, &["get", "create", "update"]), @r#"{"apiVersion":"v1","items":[{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"weir:weir:shipper:leases.coordination.k8s.io:events","namespace":"weir"},"rules":[{"apiGroups":["coordination.k8s.io"],"resourceNames":["events"],"resources":["leases"],"verbs":["get","update"]},{"apiGroups":["coordination.k8s.io"],"resources":["leases"],"verbs":["create"]}]},{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"weir:weir:shipper:leases.coordination.k8s.io:events","namespace":"weir"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"weir:weir:shipper:leases.coordination.k8s.io:events"},"subjects":[{"kind":"ServiceAccount","name":"shipper","namespace":"weir"}]}],"kind":"List"}"#);
        let events = Right {
            group: "".into(),
            resource: "events".into(),
            verb: "list",
            namespace: None,
            name: None,
        };
        let all = grant("jane", &events, &["list", "watch"]);
        assert!(
            all.contains(r#""kind":"ClusterRoleBinding""#)
                && all.contains(r#""kind":"User","name":"jane""#),
            "{all}"
        );
    }
}
