//! Names, labels and annotations of what is rendered: what is common to all objects, what is the
//! user's, and what keeps two releases apart.

use serde_json::Value;

use super::{features, objects, of_kind, template, template_as, template_in, workload};

#[test]
fn every_object_has_a_name_of_the_release_and_what_is_common() {
    let (_, file) = features().into_iter().find(|(name, _)| name == "scheduling").unwrap();
    let objects = objects(&template(&["--values", &file, "--set=lease.enabled=true"]).unwrap());
    for object in &objects {
        let metadata = &object["metadata"];
        let name = metadata["name"].as_str().unwrap();
        let has_own = object["kind"] == "ServiceAccount" && name == "events-reader";
        assert!(name.contains("my-events") || has_own, "{object}");
        assert_eq!(metadata["labels"]["team"], "platform", "{object}");
        assert_eq!(metadata["annotations"]["example.com/contact"], "platform@example.com");
        assert_eq!(metadata["labels"]["app.kubernetes.io/name"], "events");
        assert_eq!(metadata["labels"]["app.kubernetes.io/instance"], "demo");
        let has_namespace = !metadata["namespace"].is_null();
        let is_clusters = object["kind"].as_str().unwrap().starts_with("Cluster");
        assert_eq!(has_namespace, !is_clusters, "{object}");
    }
    let template = &workload(&objects)["spec"]["template"];
    assert_eq!(template["metadata"]["labels"]["team"], "platform");
    let secrets = &template["spec"]["imagePullSecrets"];
    let all = ["one", "two", "three", "four"].map(|name| serde_json::json!({"name": name}));
    assert_eq!(*secrets, Value::from(all.to_vec()));
    let image = template["spec"]["containers"][0]["image"].as_str().unwrap();
    assert!(image.starts_with("registry.example/weir-events/weir@sha256:0123"), "{image}");
}

#[test]
fn labels_and_annotations_that_the_chart_has_too_are_there_once() {
    let (_, file) = features().into_iter().find(|(name, _)| name == "persistence").unwrap();
    let key = |name: &str| format!("app\\.kubernetes\\.io/{name}");
    let yaml = template(&[
        "--values",
        &file,
        &format!("--set=commonLabels.{}=obs,commonLabels.{}=mine", key("part-of"), key("name")),
        &format!("--set=podLabels.{}=events,podLabels.{}=x", key("component"), key("version")),
        &format!("--set=persistence.labels.{}=x", key("instance")),
        &format!("--set=service.labels.{}=y", key("part-of")),
        "--set-string=podAnnotations.prometheus\\.io/scrape=false",
    ])
    .unwrap();
    // That reads no map with a key twice.
    let objects = objects(&yaml);
    for object in &objects {
        let labels = &object["metadata"]["labels"];
        let is_service = object["kind"] == "Service";
        assert_eq!(labels["app.kubernetes.io/part-of"], if is_service { "y" } else { "obs" });
        assert_eq!(labels["app.kubernetes.io/name"], "weir");
    }
    let spec = &workload(&objects)["spec"];
    let pod = &spec["template"]["metadata"];
    for (label, value) in spec["selector"]["matchLabels"].as_object().unwrap() {
        assert_eq!(pod["labels"][label], *value, "the selector does not match the pods");
    }
    assert_eq!(pod["labels"]["app.kubernetes.io/version"], "x");
    assert_eq!(pod["annotations"]["prometheus.io/scrape"], "false");
    assert_eq!(pod["annotations"]["prometheus.io/port"], "9464");
    let claim = &spec["volumeClaimTemplates"][0]["metadata"]["labels"];
    assert_eq!(claim["app.kubernetes.io/instance"], "demo");
}

#[test]
fn names_of_digits_stay_texts_and_names_with_dots_lose_them() {
    let base = ["--set=opensearch.hosts[0]=http://a", "--set=lease.enabled=true"];
    let digits = ["--set-string=lease.name=123", "--set-string=opensearch.existingSecret=7"];
    let render = |release: &str| {
        let arguments = [&base[..], &digits].concat();
        objects(&template_as(release, "42", &arguments).unwrap())
    };
    let all = render("1.2");
    for object in &all {
        let metadata = &object["metadata"];
        assert!(metadata["name"].as_str().unwrap().contains("1-2-weir"), "{metadata}");
        assert!(matches!(&metadata["namespace"], Value::Null | Value::String(_)), "{metadata}");
        assert_eq!(metadata["labels"]["app.kubernetes.io/instance"], "1.2");
    }
    let roles = of_kind(&all, "Role");
    assert_eq!(roles[0]["rules"][1]["resourceNames"], serde_json::json!(["123"]));
    let volumes = &workload(&all)["spec"]["template"]["spec"]["volumes"];
    let is_secret = |volume: &&Value| volume["name"] == "opensearch";
    let secret = volumes.as_array().unwrap().iter().find(is_secret).unwrap();
    assert_eq!(secret["secret"]["secretName"], "7");
}

#[test]
fn two_releases_of_a_name_have_their_own_monitoring_in_one_namespace() {
    let names = |namespace: &str| {
        let all = template_in(
            namespace,
            &[
                "--set=opensearch.hosts[0]=http://a",
                "--set=metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.namespace=monitoring",
                "--set=metrics.prometheusRule.enabled=true,metrics.prometheusRule.namespace=monitoring",
                "--set=metrics.grafanaDashboard.enabled=true,metrics.grafanaDashboard.namespace=monitoring",
            ],
        );
        let all = objects(&all.unwrap());
        let there = all.iter().filter(|object| object["metadata"]["namespace"] == "monitoring");
        there
            .map(|object| object["metadata"]["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("a"), ["a-demo-weir-dashboard", "a-demo-weir", "a-demo-weir"]);
    assert_eq!(names("b"), ["b-demo-weir-dashboard", "b-demo-weir", "b-demo-weir"]);
    let own = names("monitoring");
    assert!(own.contains(&"demo-weir".to_owned()), "{own:?}");
}

#[test]
fn namespace_override_moves_every_object() {
    let arguments = ["--set=opensearch.hosts[0]=http://a", "--set=namespaceOverride=elsewhere"];
    let objects =
        objects(&template(&[&arguments[..], &["--set=lease.enabled=true"]].concat()).unwrap());
    for object in &objects {
        let namespace = &object["metadata"]["namespace"];
        assert!(namespace.is_null() || namespace == "elsewhere", "{object}");
        for subject in object["subjects"].as_array().into_iter().flatten() {
            assert_eq!(subject["namespace"], "elsewhere");
        }
    }
}
