//! The Helm chart, `deploy/helm/weir`, as helm renders it.
//!
//! - [`renderings`]: each of `ci/*-values.yaml`, one a feature: its `pipeline.toml` passes
//!   `weir check` with what its pod sees, and credentials are in Secrets alone;
//! - [`names`]: what is rendered is called and labelled so that releases stay apart;
//! - [`refusals`]: what the chart refuses, and in which words; [`own_config`]: what of `config`;
//! - [`values`]: every value is used, and every used value is declared;
//! - [`generated`]: what is made of `values.yaml` and of the chart is as it would be made now;
//! - [`server`]: the real API server takes every rendering, and [`rights`]: what it lets weir do
//!   with them.

mod generated;
mod names;
mod own_config;
mod pod;
mod refusals;
mod renderings;
mod rights;
mod server;
mod values;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;

use crate::support::repository;

/// The chart's folder.
fn chart() -> PathBuf {
    repository().join("deploy/helm/weir")
}

/// What a script of `tests/env/lib.sh` says that setup.sh made.
fn made_by_setup(function: &str, what: &str) -> PathBuf {
    let output = Command::new("bash")
        .args(["-c", &format!(". \"$1\" && {function}"), "-"])
        .arg(repository().join("tests/env/lib.sh"))
        .output()
        .unwrap();
    let path = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    assert!(path.exists(), "no {}: run tests/env/setup.sh {what}", path.display());
    path
}

fn helm(arguments: &[&str]) -> Output {
    static HELM: LazyLock<PathBuf> = LazyLock::new(|| made_by_setup("helm_command", "helm"));
    Command::new(&*HELM).args(arguments).current_dir(repository()).output().unwrap()
}

/// What helm renders of the chart, as the release `demo` in the namespace `weir`, with these
/// further arguments; or what it says is wrong.
fn template(arguments: &[&str]) -> Result<String, String> {
    template_in("weir", arguments)
}

fn template_in(namespace: &str, arguments: &[&str]) -> Result<String, String> {
    template_as("demo", namespace, arguments)
}

fn template_as(release: &str, namespace: &str, arguments: &[&str]) -> Result<String, String> {
    let chart = chart();
    let mut all = vec!["template", release, chart.to_str().unwrap(), "--namespace", namespace];
    all.extend(["--kube-version", "1.35.0"]);
    all.extend(arguments);
    text_of(helm(&all))
}

fn text_of(output: Output) -> Result<String, String> {
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// The objects of a rendering.
fn objects(yaml: &str) -> Vec<Value> {
    let all: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    all.into_iter().filter(|object| !object.is_null()).collect()
}

/// The files `ci/NAME-values.yaml`: each name, and the file.
fn features() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(chart().join("ci")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut features: Vec<_> = paths
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let name = name.strip_suffix("-values.yaml").expect("a file of ci/ has another name");
            (name.to_owned(), path.to_str().unwrap().to_owned())
        })
        .collect();
    features.sort();
    assert!(features.len() > 20, "only {} features are there", features.len());
    features
}

/// The objects of a kind.
fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// Weir's own Deployment or StatefulSet.
fn workload(objects: &[Value]) -> &Value {
    let is = |object: &&Value| object["kind"] == "Deployment" || object["kind"] == "StatefulSet";
    let all: Vec<&Value> = objects.iter().filter(is).collect();
    let [one] = all[..] else { panic!("there is one workload, not {}", all.len()) };
    one
}

fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
