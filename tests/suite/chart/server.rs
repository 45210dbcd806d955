//! The real API server takes every rendering, strictly, in a namespace that enforces the Pod
//! Security Standard "restricted"; and what helm says after an installation.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{chart, features, made_by_setup, objects, template_as, template_in, text_of, workload};
use crate::support::{Cluster, repository, variable};

/// `kubectl` as the administrator, with this on its stdin.
pub(super) fn kubectl(arguments: &[&str], stdin: &str) -> Result<String, String> {
    let mut child = Command::new(variable("WEIR_TEST_KUBECTL"))
        .args(["--kubeconfig", &variable("WEIR_TEST_KUBECONFIG")])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let warned = String::from_utf8_lossy(&output.stderr).into_owned();
    if warned.contains("Warning:") { Err(warned) } else { text_of(output) }
}

/// What the API server says of objects that it is not asked to keep.
fn dry_run(yaml: &str) -> Result<String, String> {
    kubectl(&["apply", "--dry-run=server", "--validate=strict", "--filename=-"], yaml)
}

/// A pod as the controller would make it of a workload. A Deployment is taken whatever its pods may
/// not: "restricted" is held against pods.
fn pod(workload: &Value) -> Value {
    let mut pod = workload["spec"]["template"].clone();
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    for part in ["name", "namespace"] {
        pod["metadata"][part] = workload["metadata"][part].clone();
    }
    for claim in workload["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        let volume = json!({
            "name": claim["metadata"]["name"],
            "persistentVolumeClaim": {"claimName": "claim"},
        });
        pod["spec"]["volumes"].as_array_mut().unwrap().push(volume);
    }
    pod
}

/// Objects as a file of several documents.
fn documents(objects: &[Value]) -> String {
    objects.iter().map(|object| format!("---\n{object}\n")).collect()
}

/// Makes the accounts that pods name: without them no pod is taken.
fn make_accounts(pods: &[Value]) {
    let account = |pod: &Value| {
        let name = &pod["spec"]["serviceAccountName"];
        let metadata = json!({"name": name, "namespace": pod["metadata"]["namespace"]});
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    };
    let accounts: Vec<Value> = pods.iter().map(account).collect();
    kubectl(&["apply", "--filename=-"], &documents(&accounts)).unwrap();
}

/// Has "restricted" enforced, and makes the namespaces and kinds that the renderings name.
fn prepare(cluster: &Cluster) {
    let restricted = "pod-security.kubernetes.io/enforce=restricted";
    kubectl(&["label", "namespace", &cluster.namespace, restricted], "").unwrap();
    let namespaces = ["team-a", "team-b", "monitoring"];
    let mut needed: Vec<Value> = namespaces
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .collect();
    needed.push(json!({
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "gvisor"},
        "handler": "runsc",
    }));
    // Server-side: other tests do the same at the same time, and the operator's kinds are larger
    // than an annotation may be.
    let apply = ["apply", "--server-side", "--force-conflicts"];
    kubectl(&[&apply[..], &["--filename=-"]].concat(), &documents(&needed)).unwrap();
    let kinds = made_by_setup("prometheus_crds_dir", "prometheus-crds");
    let kinds = format!("--filename={}", kinds.display());
    kubectl(&[&apply[..], &[&kinds]].concat(), "").unwrap();
    kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &kinds], "").unwrap();
}

#[tokio::test]
async fn the_api_server_takes_every_rendering_where_restricted_is_enforced() {
    let cluster = Cluster::with_namespace().await;
    prepare(&cluster);
    let (mut all, mut pods) = (Vec::new(), Vec::new());
    for (name, file) in features() {
        // The release's name tells whose objects are refused.
        let yaml = template_as(&name, &cluster.namespace, &["--values", &file]).unwrap();
        let objects = objects(&yaml);
        pods.push(pod(workload(&objects)));
        all.extend(objects);
    }
    make_accounts(&pods);
    let said = dry_run(&documents(&all)).unwrap();
    assert_eq!(said.lines().count(), all.len(), "{said}");
    let said = dry_run(&documents(&pods)).unwrap();
    assert_eq!(said.lines().count(), features().len(), "{said}");
}

#[tokio::test]
async fn the_api_server_refuses_what_is_wrong() {
    let cluster = Cluster::with_namespace().await;
    prepare(&cluster);
    let render = |argument: &str| {
        let arguments = ["--set=opensearch.hosts[0]=http://a", argument];
        objects(&template_in(&cluster.namespace, &arguments).unwrap())
    };
    let unknown = render("--set=resources.limit.memory=1Mi");
    let said = dry_run(&documents(&unknown)).unwrap_err();
    assert!(said.contains("containers[0].resources.limit\""), "{said}");
    let pods = [pod(workload(&render("--set=securityContext.allowPrivilegeEscalation=true")))];
    make_accounts(&pods);
    let said = dry_run(&documents(&pods)).unwrap_err();
    assert!(said.contains("violates PodSecurity \"restricted:latest\""), "{said}");
}

#[tokio::test]
async fn the_api_server_takes_install_yaml_and_the_kustomize_base() {
    let cluster = Cluster::with_namespace().await;
    prepare(&cluster);
    let namespace = &cluster.namespace;
    let install = super::read(repository().join("deploy/install.yaml"));
    let elsewhere = install.replace("namespace: weir\n", &format!("namespace: {namespace}\n"));
    let said = dry_run(&elsewhere).unwrap_or_else(|said| panic!("install.yaml: {said}"));
    assert!(said.contains("deployment.apps/weir created"), "{said}");

    // As a user's own overlay.
    let folder = tempfile::tempdir().unwrap();
    let base = repository().join("deploy/kustomize/base");
    let copied = Command::new("cp").arg("-r").arg(&base).arg(folder.path()).status().unwrap();
    assert!(copied.success());
    let overlay = folder.path().join("overlay");
    std::fs::create_dir(&overlay).unwrap();
    let text = format!("namespace: {namespace}\nresources: [../base]\n");
    std::fs::write(overlay.join("kustomization.yaml"), text).unwrap();
    let built = kubectl(&["kustomize", overlay.to_str().unwrap()], "").unwrap();
    let objects = objects(&built);
    let map = super::of_kind(&objects, "ConfigMap")[0]["metadata"]["name"].as_str().unwrap();
    assert!(map.starts_with("weir-") && map.len() > 10, "{map} has no hash of its content");
    let volumes = workload(&objects)["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    assert!(volumes.iter().any(|volume| volume["configMap"]["name"] == map), "{built}");
    dry_run(&built).unwrap_or_else(|said| panic!("kustomize: {said}"));
}

#[tokio::test]
async fn after_an_installation_it_says_what_was_deployed_and_what_to_look_at() {
    let cluster = Cluster::with_namespace().await;
    let notes = |arguments: &[&str]| {
        let helm = made_by_setup("helm_command", "helm");
        let output = Command::new(helm)
            .args(["install", "demo"])
            .arg(chart())
            .args(["--dry-run=server", "--kubeconfig", &variable("WEIR_TEST_KUBECONFIG")])
            .args(["--namespace", &cluster.namespace])
            .args(arguments)
            .output()
            .unwrap();
        let text = text_of(output).unwrap();
        text.split_once("NOTES:\n").unwrap().1.replace(&cluster.namespace, "NAMESPACE")
    };
    insta::assert_snapshot!(notes(&["--set=opensearch.hosts[0]=https://a"]), @r#"
    weir 0.1.0 was installed: deployment demo-weir in namespace NAMESPACE, 1 pod of ghcr.io/weir-events/weir:0.1.0.

      configuration  made from the values
      reads          events of all namespaces
      stages         none
      writes to      https://a, index kube-events-{yyyy.MM.dd}
      what waits     on an emptyDir: it goes with the pod, and the next one lists what the cluster still holds
      rights         a ClusterRole

    Look at these:
      - no credentials are set: OpenSearch must take documents from anybody.

    Next:

      kubectl --namespace NAMESPACE rollout status deployment/demo-weir
      helm test demo --namespace NAMESPACE --logs

    If the pods do not become ready, the log says why; a configuration that is wrong ends them with
    exit code 2, and the log has its line:

      kubectl --namespace NAMESPACE logs deployment/demo-weir

    What a pod that runs waits for, in two terminals:

      kubectl --namespace NAMESPACE port-forward deployment/demo-weir 9464
      curl "http://127.0.0.1:9464/readyz?verbose"

    The newest document, from where OpenSearch can be reached:

      curl "https://a/kube-events-*/_search?size=1&sort=@timestamp:desc"
    "#);
    insta::assert_snapshot!(notes(&[
        "--set=opensearch.hosts[0]=http://a:9200",
        "--set=opensearch.username=u,opensearch.password=p",
        "--set=source.namespaces={x,y},source.warningsOnly=true",
        "--set=stages[0].name=gpu,stages[0].module=tag-gpu-failures.wasm",
        "--set=deadLetter.kind=disk,emptyDir.medium=Memory,emptyDir.sizeLimit=4Gi",
        "--set=image.tag=latest,replicas=0,rbac.create=false,serviceAccount.automount=false",
        "--set=resources.limits=null,securityContext.readOnlyRootFilesystem=false,test.enabled=false",
    ]), @r#"
    weir 0.1.0 was installed: deployment demo-weir in namespace NAMESPACE, 0 pods of ghcr.io/weir-events/weir:latest.

      configuration  made from the values
      reads          events of x, y, warnings only
      stages         gpu
      writes to      http://a:9200, index kube-events-{yyyy.MM.dd}
      what waits     on an emptyDir: it goes with the pod, and the next one lists what the cluster still holds
      rights         yours, for the account demo-weir

    Look at these:
      - opensearch.password is also in the release that Helm keeps: opensearch.existingSecret is not.
      - http://a:9200 is not encrypted: everybody on the way can read the password.
      - deadLetter.kind=disk without persistence.enabled: letters go with the pod.
      - emptyDir.medium=Memory: what waits counts towards resources.limits.memory.
      - rbac.create=false: the README lists the rights that weir needs.
      - serviceAccount.automount=false: without a token weir reads nothing.
      - replicas=0: nothing runs, and the cluster forgets its events after an hour.
      - image.tag=latest: pods may run different versions.
      - resources.limits.memory is not set: a module that is compiled may take gigabytes.
      - securityContext.readOnlyRootFilesystem is not true: weir needs no more than its volume.

    Next:

      kubectl --namespace NAMESPACE rollout status deployment/demo-weir

    If the pods do not become ready, the log says why; a configuration that is wrong ends them with
    exit code 2, and the log has its line:

      kubectl --namespace NAMESPACE logs deployment/demo-weir

    What a pod that runs waits for, in two terminals:

      kubectl --namespace NAMESPACE port-forward deployment/demo-weir 9464
      curl "http://127.0.0.1:9464/readyz?verbose"

    The newest document, from where OpenSearch can be reached:

      curl --user NAME "http://a:9200/kube-events-*/_search?size=1&sort=@timestamp:desc"
    "#);
    insta::assert_snapshot!(notes(&["--set=existingConfigMap=mine", "--set=persistence.enabled=true", "--set=opensearch.existingSecret=s"]), @r#"
    weir 0.1.0 was installed: statefulset demo-weir in namespace NAMESPACE, 1 pod of ghcr.io/weir-events/weir:0.1.0.

      configuration  ConfigMap mine, which is yours
      what waits     on a claim for each pod, 4Gi
      rights         a ClusterRole

    Look at these:
      - existingConfigMap: what may wait (`disk` in [buffer], 2GiB if it is not there) is to be less than persistence.size=4Gi.

    Next:

      kubectl --namespace NAMESPACE rollout status statefulset/demo-weir
      helm test demo --namespace NAMESPACE --logs

    If the pods do not become ready, the log says why; a configuration that is wrong ends them with
    exit code 2, and the log has its line:

      kubectl --namespace NAMESPACE logs statefulset/demo-weir

    What a pod that runs waits for, in two terminals:

      kubectl --namespace NAMESPACE port-forward statefulset/demo-weir 9464
      curl "http://127.0.0.1:9464/readyz?verbose"
    "#);
    let aws = "--set=opensearch.hosts[0]=https://a,opensearch.aws.region=eu-central-1";
    let signed = notes(&[aws, "--set=resources=null"]);
    assert!(!signed.contains("no credentials are set"), "{signed}");
    assert!(signed.contains("resources.limits.memory is not set"), "{signed}");
}
