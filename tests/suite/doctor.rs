//! `weir doctor` against real servers: what is missing is found, and what it says to do mends it.

use serde_json::{Value, json};

use crate::support::{Cluster, Ended, Folder, Ism, Search, send, unique, variable};

/// Level, name and text of each finding.
fn findings(ended: &Ended) -> Vec<(String, String, String)> {
    let finding = |line: &str| {
        let (level, rest) = line.split_once(' ').unwrap();
        let (name, text) = rest.split_once(": ").unwrap();
        assert!(["ok", "warn", "fail"].contains(&level), "{line}");
        (level.to_owned(), name.to_owned(), text.to_owned())
    };
    ended.stdout.lines().map(finding).collect()
}

fn of<'a>(all: &'a [(String, String, String)], level: &str, name: &str) -> Vec<&'a str> {
    let is =
        |(is_level, is_name, _): &&(String, String, String)| is_level == level && is_name == name;
    all.iter().filter(is).map(|(_, _, text)| text.as_str()).collect()
}

fn doctor(folder: &Folder, more: &[&str]) -> Ended {
    folder.weir(&[&["doctor", "--config", "p.toml"], more].concat())
}

/// With the user's rights in the secure node.
fn into_secure(search: &Search, user: &str, password: &str, index: &str) -> String {
    format!(
        "name = \"doctor\"\n[source]\nkind = \"stdin\"\n[sink]\nkind = \"opensearch\"\nhosts = [{:?}]\nindex = \"{index}\"\n\
         username = \"{user}\"\npassword = {password:?}\nca = {:?}\n[dead_letter]\npath = \"dead\"\n",
        search.url,
        variable("WEIR_TEST_OPENSEARCH_SECURE_CA")
    )
}

#[tokio::test]
async fn rights_that_a_service_account_lacks_are_granted_by_what_is_printed() {
    let (cluster, search) = (Cluster::with_namespace().await, Search::shared());
    let folder = Folder::new();
    folder.write("kubeconfig", cluster.kubeconfig_of_nobody().await);
    let lease = unique("doctor");
    folder.write(
        "p.toml",
        format!(
            "name = \"doctor\"\n[source]\nkind = \"kubernetes\"\nnamespaces = [{0:?}]\n[lease]\nenabled = true\nnamespace = {0:?}\nname = \"{lease}\"\n\
             [sink]\nkind = \"opensearch\"\nhosts = [{1:?}]\nindex = \"{2}-{{yyyy}}\"\n[dead_letter]\nkind = \"index\"\nindex = \"letters-{2}\"\n",
            cluster.namespace, search.url, search.index
        ),
    );
    let ask = || {
        let mut command = folder.command(&["doctor", "--config", "p.toml", "--json"]);
        folder.end_of(command.env("KUBECONFIG", folder.path().join("kubeconfig")))
    };
    let ended = ask();
    assert_eq!(ended.code, Some(1), "{}{}", ended.stdout, ended.stderr);
    let found: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let missing: Vec<&Value> =
        found.iter().filter(|finding| finding["grant"].is_string()).collect();
    let names: Vec<&str> =
        missing.iter().map(|finding| finding["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["events", "cluster-identity", "lease"], "{}", ended.stdout);
    // A rule with a name allows no Lease to be made: what is made has none yet.
    apply_role(&cluster, &lease).await;
    let by_name = ask().stdout;
    let by_name = by_name.lines().find(|line| line.contains("leases.coordination.k8s.io"));
    let by_name: Value = serde_json::from_str(by_name.unwrap()).unwrap();
    assert_eq!(by_name["level"], "fail", "{by_name}");
    assert!(by_name["text"].as_str().unwrap().contains("may not create leases"), "{by_name}");

    let user = format!("system:serviceaccount:{}:nobody", cluster.namespace);
    for finding in missing {
        assert!(finding["text"].as_str().unwrap().starts_with(&user), "{finding}");
        let list: Value = serde_json::from_str(finding["grant"].as_str().unwrap()).unwrap();
        for item in list["items"].as_array().unwrap() {
            apply(&cluster, item).await;
        }
    }
    let ended = ask();
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    let levels: Vec<Value> = ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|finding| {
            ["api-server", "events", "cluster-identity", "lease", "clock"]
                .contains(&finding["name"].as_str().unwrap())
        })
        .collect();
    assert!(levels.iter().all(|finding| finding["level"] == "ok"), "{levels:?}");
    assert!(levels[0]["text"].as_str().unwrap().contains(": Kubernetes v1."), "{levels:?}");
    let kube_system = "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system";
    for kind in ["rolebindings", "roles"] {
        let name = format!("weir:{}:nobody:namespaces:kube-system", cluster.namespace);
        let path = format!("{kube_system}/{kind}/{name}");
        send(&cluster.client, "DELETE", &path, json!(null)).await.unwrap();
    }
    assert!(!found.iter().any(|finding| finding["name"] == "rights" && finding["level"] != "ok"));
    // Nothing was made: no Lease, no index of either kind.
    let (status, _) =
        search.ask(reqwest::Method::GET, &format!("letters-{}", search.index), None).await;
    assert_eq!(status, 404);
    let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", cluster.namespace);
    let leases = send(&cluster.client, "GET", &leases, json!(null)).await.unwrap();
    assert_eq!(leases["items"], json!([]));
}

/// Rights on one Lease, by its name.
async fn apply_role(cluster: &Cluster, lease: &str) {
    let (group, namespace) = ("rbac.authorization.k8s.io", &cluster.namespace);
    let version = format!("{group}/v1");
    let metadata = json!({ "name": "by-name", "namespace": namespace });
    let role = json!({
        "apiVersion": version, "kind": "Role", "metadata": metadata,
        "rules": [{
            "apiGroups": ["coordination.k8s.io"], "resources": ["leases"],
            "resourceNames": [lease], "verbs": ["get", "create", "update"],
        }],
    });
    let binding = json!({
        "apiVersion": version, "kind": "RoleBinding", "metadata": metadata,
        "roleRef": { "apiGroup": group, "kind": "Role", "name": "by-name" },
        "subjects": [{ "kind": "ServiceAccount", "namespace": namespace, "name": "nobody" }],
    });
    apply(cluster, &role).await;
    apply(cluster, &binding).await;
}

/// As `kubectl apply` does with what is not there yet.
async fn apply(cluster: &Cluster, object: &Value) {
    let kind = format!("{}s", object["kind"].as_str().unwrap().to_lowercase());
    let group = object["apiVersion"].as_str().unwrap();
    let namespace = object["metadata"]["namespace"].as_str().unwrap();
    let path = format!("/apis/{group}/namespaces/{namespace}/{kind}");
    send(&cluster.client, "POST", &path, object.clone()).await.unwrap();
}

#[tokio::test]
async fn rights_in_opensearch_are_found_without_making_anything() {
    let search = Search::secure();
    let index = format!("{}-{{yyyy}}", search.index);
    let folder = Folder::new();
    let ask = |user: &str, password: &str, index: &str| {
        folder.write("p.toml", into_secure(&search, user, password, index));
        let ended = doctor(&folder, &[]);
        (ended.code, findings(&ended))
    };
    // It may write, and is not let near templates.
    let (code, shipper) = ask("shipper", &search.password(), &index);
    assert_eq!(code, Some(0), "{shipper:#?}");
    assert_eq!(of(&shipper, "ok", "login"), ["as shipper"]);
    assert_eq!(of(&shipper, "ok", "rights").len(), 3, "{shipper:#?}");
    let template = of(&shipper, "warn", "template");
    assert!(template[0].contains("indices:admin/index_template/get"), "{shipper:#?}");
    let version = of(&shipper, "ok", "opensearch");
    assert!(version[0].contains("answers, version "), "{version:?}");

    // It may only read.
    let (code, reader) = ask("reader", &search.password(), &index);
    assert_eq!(code, Some(1), "{reader:#?}");
    let missing = of(&reader, "fail", "rights");
    for right in ["indices:data/write/bulk*", "indices:data/write/index", "indices:admin/create"] {
        assert!(missing.iter().any(|text| text.contains(right)), "{right}: {missing:#?}");
    }

    let (code, nobody) = ask("shipper", "wrong-and-secret", &index);
    assert_eq!(code, Some(1));
    let refused = of(&nobody, "fail", "login");
    assert!(refused[0].contains("check sink.username and sink.password"), "{nobody:#?}");
    assert!(!nobody.iter().any(|(_, _, text)| text.contains("wrong-and-secret")));

    // Nothing came of any of this.
    let path = format!("{}*/_count", search.index);
    let (_, count) = search.ask(reqwest::Method::GET, &path, None).await;
    assert_eq!((&count["count"], &count["_shards"]["total"]), (&json!(0), &json!(0)), "{count}");
}

#[tokio::test]
async fn of_a_data_stream_the_rights_to_look_up_are_asked_for() {
    let search = Search::secure();
    search.make_stream().await;
    let folder = Folder::new();
    folder.write("p.toml", into_secure(&search, "admin", &search.password(), &search.index));
    let ended = doctor(&folder, &[]);
    let admin = findings(&ended);
    assert_eq!(ended.code, Some(0), "{admin:#?}");
    let rights = of(&admin, "ok", "rights");
    for right in ["indices:admin/refresh*", "indices:data/read/search*"] {
        assert!(rights.iter().any(|text| text.contains(right)), "{right}: {rights:#?}");
    }
    assert!(of(&admin, "warn", "policy")[0].contains("no Index State Management"), "{admin:#?}");
    assert_eq!(search.documents().await.len(), 0);
}

/// Into the node, through something that stands before it.
fn through(hosts: &[&str], index: &str) -> Folder {
    let folder = Folder::new();
    let letters = unique("letters");
    let config = format!(
        "name = \"doctor\"\n[source]\nkind = \"stdin\"\n[sink]\nkind = \"opensearch\"\nhosts = {hosts:?}\nindex = \"{index}\"\n\
         [dead_letter]\nkind = \"index\"\nindex = \"{letters}\"\n"
    );
    folder.write("p.toml", config);
    folder
}

#[test]
fn what_is_no_opensearch_is_told_as_such() {
    let search = Search::shared();
    let ism = Ism::before(&search);
    ism.refuse("*", 404, json!("default backend - 404"));
    let folder = through(&[&ism.url], &search.index);
    let ended = doctor(&folder, &[]);
    let found = findings(&ended);
    assert_eq!(ended.code, Some(1), "{found:#?}");
    assert!(of(&found, "fail", "opensearch")[0].contains("as OpenSearch never does"), "{found:#?}");

    // What hides `GET /` behind a 403 must answer the rest itself.
    let ism = Ism::before(&search);
    ism.forbid("GET /");
    ism.refuse("*", 404, json!("default backend - 404"));
    let found = findings(&doctor(&through(&[&ism.url], &search.index), &[]));
    assert_eq!(of(&found, "ok", "rights"), Vec::<&str>::new(), "{found:#?}");
    assert!(of(&found, "warn", "rights").len() > 3, "{found:#?}");
}

#[tokio::test]
async fn what_a_run_can_do_without_is_a_warning() {
    let search = Search::shared();
    let ism = Ism::before(&search);
    let down = "http://127.0.0.1:1";
    ism.forbid("GET /_resolve/index/*");
    ism.forbid("PUT /_index_template/*");
    let ended = doctor(&through(&[&ism.url, down], &format!("{}-{{yyyy}}", search.index)), &[]);
    let found = findings(&ended);
    assert_eq!(ended.code, Some(0), "{found:#?}");
    assert!(of(&found, "warn", "opensearch")[0].contains("goes on with the other hosts"));
    let rights = of(&found, "warn", "rights");
    assert!(rights[0].contains("indices:admin/index_template/put"), "{found:#?}");
    let ended = doctor(&through(&[&ism.url], &search.index), &[]);
    let found = findings(&ended);
    assert_eq!(ended.code, Some(0), "{found:#?}");
    let rights = of(&found, "warn", "rights");
    assert!(rights[0].contains("indices:admin/resolve/index"), "{found:#?}");
}

#[tokio::test]
async fn a_right_to_install_the_template_is_asked_for_without_installing_one() {
    let search = Search::secure();
    let folder = Folder::new();
    let index = format!("{}-{{yyyy}}", search.index);
    folder.write("p.toml", into_secure(&search, "admin", &search.password(), &index));
    let found = findings(&doctor(&folder, &[]));
    let rights = of(&found, "ok", "rights");
    assert!(rights.iter().any(|text| text.contains("index_template/put")), "{found:#?}");
    let path = format!("_index_template/weir-{}*", search.index);
    let (_, templates) = search.ask(reqwest::Method::GET, &path, None).await;
    assert_eq!(templates["index_templates"], json!([]), "{templates}");
}

#[test]
fn nothing_is_written_and_no_lock_is_taken() {
    let module = crate::support::repository().join("filters/dist/drop-normal.wasm");
    let folder = Folder::new();
    folder.write(
        "p.toml",
        format!(
            "name = \"doctor\"\ncache = \"cache/here\"\n[source]\nkind = \"stdin\"\n[[stage]]\nname = \"a\"\nmodule = {module:?}\n\
             [buffer]\npath = \"spool\"\n[sink]\nkind = \"stdout\"\n[dead_letter]\npath = \"dead\"\n"
        ),
    );
    let ended = doctor(&folder, &[]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(ended.stdout, @r"
    ok modules: 1 is loaded and configured
    ok disk: buffer.path, spool, may take 2GiB and has room for it
    ok disk: dead_letter.path, dead, may take 1GiB and has room for it
    ");
    assert_eq!(folder.names(), ["p.toml"]);
}

#[test]
fn what_cannot_be_reached_or_written_is_a_fail_and_a_wrong_configuration_is_told_as_such() {
    let folder = Folder::new();
    let config = "name = 'doctor'\nsource = { kind = 'stdin' }\nbuffer = { path = '/proc/weir' }\n\
                  sink = { kind = 'opensearch', hosts = ['http://127.0.0.1:1'] }\n";
    folder.write("p.toml", config);
    let ended = doctor(&folder, &[]);
    assert_eq!(ended.code, Some(1));
    insta::assert_snapshot!(ended.stdout, @r"
    ok modules: there are none to load
    fail opensearch: http://127.0.0.1:1 cannot be reached: Connection refused (os error 111)
    fail disk: buffer.path, /proc/weir, has 0 B left: make room there
    ");
    insta::assert_snapshot!(ended.stderr, @"error: it would not run: see what begins with `fail` above");

    folder.write("p.toml", config.replace("stdin", "stdni"));
    let ended = doctor(&folder, &["--json"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(ended.stderr, @r#"p.toml:2:19: error: unknown kind "stdni": it may be "kubernetes", "file" or "stdin"; did you mean `stdin`?"#);
}
