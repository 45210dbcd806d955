//! What the chart refuses before anything is installed: each message names the value, and what it
//! needs.

use super::template;

/// What is said of values that cannot work; `opensearch.hosts` is set.
pub(super) fn refusal(values: &[&str]) -> String {
    let base = ["--set=opensearch.hosts[0]=http://a"];
    let said = template(&[&base[..], values].concat()).expect_err("these values are refused");
    // `execution error at (weir/templates/deployment.yaml:1:4): TEXT`
    let line = said.lines().find(|line| line.starts_with("Error: ")).unwrap();
    assert!(line.contains("execution error at"), "{said}");
    line.split_once("): ").unwrap().1.to_owned()
}

#[test]
fn what_is_missing_or_contradicts_itself() {
    let empty = template(&[]).unwrap_err();
    insta::assert_snapshot!(empty.lines().next().unwrap(), @r#"Error: execution error at (weir/templates/deployment.yaml:1:4): opensearch.hosts is empty: set it to where OpenSearch is, such as --set "opensearch.hosts[0]=https://opensearch.example:9200""#);
    insta::assert_snapshot!(refusal(&["--set=config=x", "--set=existingConfigMap=y"]), @"config and existingConfigMap are both set: pipeline.toml can be only one of them");
    insta::assert_snapshot!(refusal(&["--set=source.namespaces={a}", "--set=source.excludeNamespaces={b}"]), @"source.excludeNamespaces does not stand beside source.namespaces: those that are listed are the only ones");
    insta::assert_snapshot!(refusal(&["--set=metrics.serviceMonitor.enabled=true", "--set=metrics.podMonitor.enabled=true"]), @"metrics.serviceMonitor.enabled and metrics.podMonitor.enabled are both true: everything would be scraped twice");
    insta::assert_snapshot!(refusal(&["--set=metrics.serviceMonitor.enabled=true", "--set=service.enabled=false"]), @"metrics.serviceMonitor.enabled needs service.enabled=true, or metrics.podMonitor instead");
    insta::assert_snapshot!(refusal(&["--set=persistence.existingClaim=x"]), @"persistence.existingClaim needs persistence.enabled=true");
}

#[test]
fn credentials() {
    insta::assert_snapshot!(refusal(&["--set=opensearch.password=p"]), @"opensearch.password needs opensearch.username");
    insta::assert_snapshot!(refusal(&["--set=opensearch.username=u"]), @"opensearch.username needs opensearch.existingSecret (a Secret with the password), or opensearch.password");
    insta::assert_snapshot!(refusal(&["--set=opensearch.username=u", "--set=opensearch.password=p", "--set=opensearch.existingSecret=s"]), @"opensearch.password and opensearch.existingSecret are both set: keep one of the two");
}

#[test]
fn several_pods() {
    insta::assert_snapshot!(refusal(&["--set=replicas=2"]), @"replicas=2 needs lease.enabled=true: otherwise every pod reads and sends everything");
    insta::assert_snapshot!(refusal(&["--set=replicas=2", "--set=lease.enabled=true", "--set=persistence.enabled=true", "--set=persistence.existingClaim=x"]), @"replicas=2 needs persistence.existingClaim to be empty: each pod has a volume of its own");
    insta::assert_snapshot!(refusal(&["--set=lease.enabled=true", "--set=config=x"]), @"lease.enabled with config or existingConfigMap needs lease.name: `name` of [lease] there, or else the pipeline's; the rights are given for this name alone");
}

#[test]
fn a_budget_that_blocks_every_drain() {
    insta::assert_snapshot!(refusal(&["--set=podDisruptionBudget.minAvailable=1"]), @"podDisruptionBudget.minAvailable=1 with replicas=1 blocks every drain of a node: leave it empty");
    insta::assert_snapshot!(refusal(&["--set=podDisruptionBudget.maxUnavailable=0"]), @"podDisruptionBudget.maxUnavailable=0 blocks every drain of a node: set it to 1, or podDisruptionBudget.enabled to false");
    insta::assert_snapshot!(refusal(&["--set=podDisruptionBudget.maxUnavailable=null"]), @"podDisruptionBudget needs maxUnavailable, or minAvailable: with neither it allows nothing");
    let three = |least: &str| {
        let least = format!("--set=podDisruptionBudget.minAvailable={least}");
        let base = ["--set=opensearch.hosts[0]=http://a", "--set=lease.enabled=true"];
        template(&[&base[..], &["--set=replicas=3", &least]].concat())
    };
    for blocks in ["3", "4", "100%", "67%"] {
        let said = three(blocks).expect_err(blocks);
        assert!(said.contains("blocks every drain of a node"), "{blocks}: {said}");
    }
    for fine in ["2", "66%", "0", "0%"] {
        let expected = format!("minAvailable: {fine}\n");
        let budget = three(fine).unwrap_or_else(|said| panic!("{fine}: {said}"));
        assert!(budget.contains(&expected), "{fine}");
    }
    let budget = three("null").unwrap();
    assert!(budget.contains("maxUnavailable: 1\n") && !budget.contains("minAvailable"), "{budget}");
    let off =
        ["--set=podDisruptionBudget.enabled=false", "--set=podDisruptionBudget.maxUnavailable=0"];
    template(&[&["--set=opensearch.hosts[0]=http://a"][..], &off].concat()).unwrap();
}

#[test]
fn a_network_policy_that_does_not_know_opensearchs_port() {
    let on = "--set=networkPolicy.enabled=true";
    let said = template(&[on, "--set=existingConfigMap=x"]).unwrap_err();
    assert!(said.contains("networkPolicy.enabled with config or existingConfigMap needs networkPolicy.opensearchPorts"), "{said}");
    assert_eq!(template(&[on, "--set=config=x"]).unwrap_err(), said);
    template(&[on, "--set=config=x", "--set=networkPolicy.opensearchPorts={9201}"]).unwrap();
}

#[test]
fn rights() {
    insta::assert_snapshot!(refusal(&["--set=rbac.scope=namespaces"]), @"rbac.scope=namespaces needs source.namespaces: Roles are made in these");
    insta::assert_snapshot!(refusal(&["--set=serviceAccount.create=false"]), @"rbac.create with serviceAccount.create=false needs serviceAccount.name: otherwise every pod with the account `default` would get the rights");
    insta::assert_snapshot!(refusal(&["--set=lookup.resources={pods,nodes}", "--set=source.namespaces={a}"]), @"lookup.resources has nodes, which is in no namespace: it needs rbac.scope=cluster");
    let namespaced = ["--set=opensearch.hosts[0]=http://a", "--set=lookup.resources={secrets}"];
    let said = template(&namespaced).unwrap_err();
    assert!(said.contains("at '/lookup/resources/0'"), "{said}");
    let said = refusal(&["--set=lookup.resources={secrets}", "--skip-schema-validation"]);
    insta::assert_snapshot!(said, @"lookup.resources has secrets: looking one up needs the right to read all of it");
}

#[test]
fn stages_and_modules() {
    let of = |values: &[&str]| refusal(values);
    insta::assert_snapshot!(of(&["--set=stages[0].name=a"]), @"stages: a needs module, such as drop-normal.wasm, or drop: true");
    insta::assert_snapshot!(of(&["--set=stages[0].name=a", "--set=stages[0].drop=true"]), @"stages: a has drop and needs match: what it drops");
    insta::assert_snapshot!(of(&["--set=stages[0].name=a", "--set=stages[0].drop=true", "--set=stages[0].module=m.wasm"]), @"stages: a has drop and module: with drop there is no module");
    insta::assert_snapshot!(of(&["--set=stages[0].name=a", "--set=stages[0].module=m.wasm", "--set=stages[0].from=team", "--set=modules.other.configMap.name=x"]), @"stages: a takes its module from team, which is no entry of modules: there is image, other");
    let pulled = [
        "--set=stages[0].name=a",
        "--set=stages[0].from=b",
        "--set=modules.b.oci.reference=r.example/b:1",
    ];
    insta::assert_snapshot!(of(&pulled), @"modules.b.oci names r.example/b:1 by a tag alone, and whoever can move the tag decides what runs: add the digest that `weir filter push` prints, or set registry.allowTags");
    insta::assert_snapshot!(of(&[&pulled[..], &["--set=stages[0].module=m.wasm"]].concat()), @"stages: a has module, and takes what modules.b.oci names, which is one module: leave module out");
    let said = template(
        &[&pulled[..], &["--set=registry.allowTags=true", "--set=opensearch.hosts[0]=http://a"]]
            .concat(),
    );
    assert!(said.unwrap().contains("module = \"oci://r.example/b:1\"\n"));
    insta::assert_snapshot!(of(&["--set=modules.image.configMap.name=x"]), @"modules: an entry cannot be called image: that is weir's own image");
    insta::assert_snapshot!(of(&["--set=modules.a.imageVolume.reference=x", "--kube-version=1.30.0"]), @"modules.a.imageVolume needs Kubernetes 1.35, or 1.31 with the feature gate ImageVolume: this is v1.30.0");
}

#[test]
fn a_volume_that_is_smaller_than_what_weir_may_write() {
    insta::assert_snapshot!(refusal(&["--set=emptyDir.sizeLimit=2Gi"]), @"emptyDir.sizeLimit=2Gi is less than what weir may write (buffer.disk=2GiB, and 256Mi for letters and modules), and the pod would be evicted: it needs 2304Mi");
    insta::assert_snapshot!(refusal(&["--set=deadLetter.kind=disk"]), @"emptyDir.sizeLimit=3Gi is less than what weir may write (buffer.disk=2GiB, and 1280Mi for letters and modules), and the pod would be evicted: it needs 3328Mi");
    let claims = ["--set=persistence.enabled=true", "--set=buffer.disk=10GiB"];
    insta::assert_snapshot!(refusal(&claims), @"persistence.size=4Gi is less than what weir may write (buffer.disk=10GiB, and 256Mi for letters and modules), and weir would stop when it is full: it needs 10496Mi");
    let letters = ["--set=persistence.enabled=true", "--set=deadLetter.kind=disk"];
    template(&[&["--set=opensearch.hosts[0]=http://a"][..], &letters].concat()).unwrap();
    let said = refusal(&[&letters[..], &["--set=buffer.disk=3GiB"]].concat());
    assert!(said.ends_with("it needs 4352Mi"), "{said}");
    template(
        &[
            &["--set=opensearch.hosts[0]=http://a", "--set=persistence.existingClaim=x"][..],
            &claims,
        ]
        .concat(),
    )
    .unwrap();
    for (disk, limit) in [("2GiB", "2304Mi"), ("1048576", "300M"), ("512MiB", "0.75Gi")] {
        let values = [
            "--set=opensearch.hosts[0]=http://a",
            &format!("--set-string=buffer.disk={disk}"),
            &format!("--set-string=emptyDir.sizeLimit={limit}"),
        ];
        template(&values).unwrap_or_else(|said| panic!("{disk} in {limit}: {said}"));
    }
}

#[test]
fn a_value_that_is_no_value_is_named() {
    for (value, place) in [
        ("opensearch.user=x", "opensearch"),
        ("replica=2", "''"),
        ("replicas=two", "/replicas"),
        ("opensearch.hosts[0]=opensearch:9200", "/opensearch/hosts/0"),
        ("opensearch.hosts[0]=https://me:secret@a", "/opensearch/hosts/0"),
        ("stages[0].modul=x", "/stages/0"),
        ("terminationGracePeriodSeconds=20", "/terminationGracePeriodSeconds"),
        ("modules.a.http=x", "/modules/a"),
        ("global.imageRegistry=1", "/global/imageRegistry"),
        ("fullnameOverride=my.weir", "/fullnameOverride"),
        ("nameOverride=Weir", "/nameOverride"),
        ("namespaceOverride=a b", "/namespaceOverride"),
        ("lease.name=a\\, b", "/lease/name"),
        ("persistence.size=lots", "/persistence/size"),
        ("podDisruptionBudget.maxUnavailable=some", "/podDisruptionBudget/maxUnavailable"),
    ] {
        let said = template(&["--set=opensearch.hosts[0]=http://a", &format!("--set={value}")]);
        let said = said.expect_err(value);
        assert!(said.contains("values don't meet the specifications"), "{value}: {said}");
        assert!(said.contains(place), "{value}: {said}");
    }
    template(&["--set=opensearch.hosts[0]=http://a", "--set=global.other=1", "--set=enabled=true"])
        .unwrap();
}
