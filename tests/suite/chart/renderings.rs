//! Each of `ci/*-values.yaml`, one a feature.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::pod::Files;
use super::{chart, features, helm, objects, of_kind, template, text_of, workload};

/// Stands in every inline credential of these tests.
const MARK: &str = "hunter2-hunter2";

#[test]
fn lint_finds_nothing_in_any_of_them() {
    let chart = chart();
    for (name, file) in features() {
        let output = helm(&["lint", "--strict", chart.to_str().unwrap(), "--values", &file]);
        let said = text_of(output).unwrap_or_else(|said| panic!("{name}: {said}"));
        assert!(!said.contains("[WARNING]"), "{name}: {said}");
    }
}

#[test]
fn the_pipeline_of_each_passes_check_with_what_its_pod_sees() {
    let mut checked = 0;
    for (name, file) in features() {
        let objects = objects(&template(&["--values", &file]).unwrap());
        let Some(files) = Files::of(&objects) else {
            assert_eq!(name, "existing-configmap", "{name} has no pipeline.toml");
            continue;
        };
        let config = files.config();
        let output = Command::new(env!("CARGO_BIN_EXE_weir"))
            .arg("check")
            .arg(&config)
            .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("chart"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let text = super::read(&config);
        assert!(output.status.success(), "{name}: {said}\n{text}");
        checked += 1;
    }
    assert!(checked > 20, "only {checked} were checked");
}

#[test]
fn what_compiles_before_weir_sees_what_weir_sees_and_may_use_more() {
    let (_, file) = features().into_iter().find(|(name, _)| name == "compile").unwrap();
    let objects = objects(&template(&["--values", &file]).unwrap());
    let spec = &workload(&objects)["spec"]["template"]["spec"];
    let [compile, after] = spec["initContainers"].as_array().unwrap().as_slice() else {
        panic!("{spec}");
    };
    assert_eq!((&compile["name"], &after["name"]), (&"compile".into(), &"after-it".into()));
    let weir = &spec["containers"][0];
    for same in ["image", "env", "securityContext", "volumeMounts"] {
        assert_eq!(compile[same], weir[same], "{same}");
    }
    assert_eq!(compile["args"], serde_json::json!(["check", "/etc/weir/pipeline.toml"]));
    assert_eq!(compile["resources"]["limits"]["memory"], "768Mi");
    assert_eq!(weir["resources"]["limits"]["memory"], "128Mi");
}

#[test]
fn numbers_texts_and_nested_settings_of_a_stage_stay_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    std::fs::write(
        &values,
        "opensearch: {hosts: ['http://a']}\nstages: [{name: a, module: m.wasm, config: {whole: 9, \
         big: 12345678, half: 0.5, text: '9', flag: true, none: null, 'a key': [1, {b: [2]}], \
         quoted: \"a\\\"b\\\\c\\n<&>\"}}]\n",
    )
    .unwrap();
    let objects = objects(&template(&["--values", values.to_str().unwrap()]).unwrap());
    let text = of_kind(&objects, "ConfigMap")[0]["data"]["pipeline.toml"].as_str().unwrap();
    let config = text.split("[stage.config]\n").nth(1).unwrap().split("\n\n").next().unwrap();
    insta::assert_snapshot!(config, @r#"
    "a key" = [1, { b = [2] }]
    big = 12345678
    flag = true
    half = 0.5
    quoted = "a\"b\\c\n<&>"
    text = "9"
    whole = 9
    "#);
}

#[test]
fn inline_credentials_are_in_the_secret_and_nowhere_else() {
    let user = format!("user-{MARK}");
    let password = format!("password-{MARK}");
    for (name, file) in features() {
        let inline = [
            "--set=opensearch.existingSecret=,opensearch.aws.region=",
            &format!("--set=opensearch.username={user}"),
            &format!("--set=opensearch.password={password}"),
            "--values",
            &file,
        ];
        for arguments in [&inline[..], &inline[3..]] {
            let objects = objects(&template(arguments).unwrap());
            let (secrets, others): (Vec<_>, Vec<_>) =
                objects.iter().partition(|object| object["kind"] == "Secret");
            for object in others {
                no_credential_in(&name, object);
            }
            let has_inline = arguments.len() > 2 || name == "inline-credentials";
            let has_secret = secrets.iter().any(|secret| secret["data"]["password"].is_string());
            assert_eq!(has_secret, has_inline, "{name}");
        }
    }
}

/// Neither as it is nor as a Secret would have it, whatever stands before or behind.
fn no_credential_in(name: &str, object: &Value) {
    let text = object.to_string();
    // As base64 of each of the ways in which its bytes may fall into groups of three: 12 of them
    // that are whole groups.
    let encoded = [0, 1, 2].map(|from| STANDARD.encode(&MARK[from..from + 12]));
    for form in [MARK.to_owned()].into_iter().chain(encoded) {
        assert!(!text.contains(&form), "{name}: a credential is in {text}");
    }
}

#[test]
fn a_rendering_is_the_same_every_time() {
    for (name, file) in features() {
        let render = || template(&["--values", &file]).unwrap();
        assert!(render() == render(), "{name} is rendered in two ways");
    }
}

#[test]
fn null_is_nothing() {
    for value in [
        "resources",
        "securityContext",
        "podSecurityContext",
        "image.pullSecrets",
        "global.imagePullSecrets",
        "commonLabels",
        "commonAnnotations",
        "podLabels",
        "podAnnotations",
        "affinity",
        "modules",
        "labels",
        "service.annotations",
        "test.labels",
        "opensearch.password",
        "podDisruptionBudget.minAvailable",
    ] {
        let set = format!("--set={value}=null");
        let rendered = template(&["--set=opensearch.hosts[0]=http://a", &set]);
        rendered.unwrap_or_else(|said| panic!("{value}: {said}"));
    }
}

#[test]
fn the_alert_of_a_missing_weir_is_about_this_release() {
    let absent = |arguments: &[&str]| {
        let base =
            ["--set=opensearch.hosts[0]=http://a", "--set=metrics.prometheusRule.enabled=true"];
        let all = objects(&template(&[&base[..], arguments].concat()).unwrap());
        let rules = of_kind(&all, "PrometheusRule")[0]["spec"]["groups"][0]["rules"].clone();
        let rule = rules.as_array().unwrap().iter().find(|rule| rule["alert"] == "WeirAbsent");
        rule.unwrap()["expr"].as_str().unwrap().to_owned()
    };
    let service = "--set=metrics.serviceMonitor.enabled=true";
    let release = r#"absent(weir_build_info{namespace="weir",job="demo"})"#;
    assert_eq!(absent(&[service]), release);
    assert_eq!(absent(&["--set=metrics.podMonitor.enabled=true"]), release);
    let other = "--set=metrics.serviceMonitor.jobLabel=team";
    assert_eq!(absent(&[service, other]), r#"absent(weir_build_info{namespace="weir"})"#);
    // Whatever scrapes the pods by their annotations gives labels that the chart does not know.
    assert_eq!(absent(&[]), "absent(weir_build_info)");
}

#[test]
fn what_a_pod_reads_rolls_it_unless_it_is_told_not_to() {
    let annotations = |arguments: &[&str]| {
        let base = ["--set=opensearch.hosts[0]=http://a", "--set=opensearch.username=u"];
        let objects = objects(&template(&[&base[..], arguments].concat()).unwrap());
        workload(&objects)["spec"]["template"]["metadata"]["annotations"].clone()
    };
    let one = annotations(&["--set=opensearch.password=one"]);
    let two = annotations(&["--set=opensearch.password=two"]);
    assert_ne!(one["checksum/secret"], two["checksum/secret"]);
    assert_eq!(one["checksum/config"], two["checksum/config"]);
    let other = annotations(&["--set=opensearch.password=one", "--set=cluster=c"]);
    assert_eq!(one["checksum/secret"], other["checksum/secret"]);
    assert_ne!(one["checksum/config"], other["checksum/config"]);
    let of_another = |name: &str| {
        annotations(&[
            "--set=opensearch.existingSecret=s",
            &format!("--set=opensearch.username={name}"),
        ])
    };
    assert_ne!(of_another("a")["checksum/secret"], of_another("b")["checksum/secret"]);
    let neither = annotations(&[
        "--set=opensearch.password=one",
        "--set=rollOn.secret=false",
        "--set=rollOn.config=false",
    ]);
    assert!(neither["checksum/secret"].is_null() && !neither["checksum/config"].is_null());
}

#[test]
fn stages_roll_no_pod_unless_that_is_wanted_and_what_weir_cannot_take_up_does() {
    let sum = |arguments: &[&str]| {
        let base = ["--set=opensearch.hosts[0]=http://a"];
        let objects = objects(&template(&[&base[..], arguments].concat()).unwrap());
        workload(&objects)["spec"]["template"]["metadata"]["annotations"]["checksum/config"].clone()
    };
    let stage = "--set=stages[0].name=drop-normal,stages[0].module=drop-normal.wasm";
    let (text, other) = ("--set=config=name = 'a'", "--set=config=name = 'b'");
    assert_eq!(sum(&[]), sum(&[stage]));
    assert_ne!(sum(&[]), sum(&["--set=cluster=c"]));
    assert!(sum(&[text]).is_null());
    let always = "--set=rollOn.config=true";
    assert_ne!(sum(&[always]), sum(&[always, stage]));
    assert_ne!(sum(&[always, text]), sum(&[always, other]));
}

#[test]
fn the_test_and_weir_have_the_same_image_account_secrets_and_rights() {
    for (name, file) in features() {
        let objects = objects(&template(&["--values", &file]).unwrap());
        let pods = of_kind(&objects, "Pod");
        let [test] = pods[..] else { panic!("{name} has one test") };
        let weir = &workload(&objects)["spec"]["template"]["spec"];
        for part in ["serviceAccountName", "automountServiceAccountToken", "securityContext"] {
            assert_eq!(test["spec"][part], weir[part], "{name}");
        }
        let (doctor, container) = (&test["spec"]["containers"][0], &weir["containers"][0]);
        for part in ["image", "env", "envFrom", "volumeMounts", "securityContext"] {
            assert_eq!(doctor[part], container[part], "{name}");
        }
        let args: Vec<_> =
            doctor["args"].as_array().unwrap().iter().flat_map(Value::as_str).collect();
        assert_eq!(args, ["doctor", "--config", "/etc/weir/pipeline.toml"]);
        let weirs = &workload(&objects)["spec"]["template"]["metadata"];
        for (part, key) in [("labels", "e"), ("annotations", "g")] {
            assert_eq!(test["metadata"][part][key], weirs[part][key], "{name}");
        }
        // Else the Service, and the budget, would count it.
        let selector = &workload(&objects)["spec"]["selector"]["matchLabels"];
        let labels = &test["metadata"]["labels"];
        let is_selected =
            selector.as_object().unwrap().iter().all(|(key, value)| labels[key] == *value);
        assert!(!is_selected, "{name}: the test's pod is taken for weir's");
    }
}

#[test]
fn it_works_as_a_subchart_and_can_be_left_out_of_one() {
    let folder = tempfile::tempdir().unwrap();
    let parent = folder.path();
    std::fs::create_dir(parent.join("charts")).unwrap();
    let status = Command::new("cp").arg("-r").arg(chart()).arg(parent.join("charts/weir")).status();
    assert!(status.unwrap().success());
    std::fs::write(
        parent.join("Chart.yaml"),
        "apiVersion: v2\nname: parent\nversion: 1.0.0\ndependencies:\n- name: weir\n  version: 0.1.0\n  condition: weir.enabled\n",
    )
    .unwrap();
    std::fs::write(
        parent.join("values.yaml"),
        "global: {imageRegistry: registry.parent, other: 1}\nweir:\n  enabled: true\n  cluster: c\n  opensearch: {hosts: ['http://a']}\n",
    )
    .unwrap();
    let render = |more: &[&str]| {
        let base = ["template", "demo", parent.to_str().unwrap()];
        text_of(helm(&[&base[..], more].concat())).unwrap()
    };
    let objects = objects(&render(&[]));
    let workload = workload(&objects);
    assert_eq!(workload["metadata"]["name"], "demo-weir");
    let image = &workload["spec"]["template"]["spec"]["containers"][0]["image"];
    assert!(image.as_str().unwrap().starts_with("registry.parent/weir-events/weir:"), "{image}");
    assert!(render(&["--set=weir.enabled=false"]).trim().is_empty());
}
