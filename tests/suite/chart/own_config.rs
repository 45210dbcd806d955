//! What the chart refuses of `config`, the user's own text of pipeline.toml: what it would show to
//! too many, and what does not agree with the values by which rights and volumes are made.

use super::refusals::refusal;
use super::template;

/// With these arguments, and this `config`.
fn of_config(config: &str, values: &[&str]) -> String {
    refusal(&[&[&*format!("--set-literal=config={config}")], values].concat())
}

#[test]
fn a_config_with_credentials_in_it() {
    let of = |config: &str| refusal(&[&format!("--set-literal=config={config}")]);
    insta::assert_snapshot!(of("[sink]\npassword = \"hunter2\""), @r#"config holds a password or an Authorization header, and would put it into a ConfigMap: write { file = "/run/secrets/weir/opensearch/password" }, and set opensearch.existingSecret"#);
    let password = of("sink = { kind = 'opensearch', password = 'hunter2' }");
    for same in [
        "sink.password='hunter2'",
        "[sink]\n\"password\" = \"hunter2\"",
        "[sink]\n  authorization   =   \"ApiKey hunter2\"",
        "[sink]\npassword = '''hunter2'''",
        "sink = { index = 'a#b', password = 'hunter2' }",
        "[sink]\npassword = \"{{ .Values.opensearch.index }}\"",
    ] {
        assert_eq!(of(same), password, "{same}");
    }
    insta::assert_snapshot!(of("[sink]\nproxy = \"http://me:hunter2@proxy:3128\""), @"config holds a URL with a password, and would put it into a ConfigMap: for a proxy, set HTTPS_PROXY in extraEnv from a Secret");
    let fine =
        "[sink]\n# password = 'x'\npassword = { file = '/run/x' }\nproxy = 'http://proxy:3128'";
    template(&[&format!("--set-literal=config={fine}")]).unwrap();
}

#[test]
fn a_config_and_values_that_do_not_agree_about_the_lease() {
    let on = ["--set=lease.enabled=true", "--set=lease.name=own", "--set=replicas=2"];
    insta::assert_snapshot!(of_config("name = 'own'\n[lease]\nenabled = true", &[]), @"config has enabled = true in [lease], and lease.enabled is false: set it, and lease.name, so that weir has the right to its Lease");
    insta::assert_snapshot!(of_config("name = 'own'", &on), @"lease.enabled is true, and config has no enabled = true in [lease]: no leader would be elected, and every pod would read and send everything");
    insta::assert_snapshot!(of_config("name = 'own'\n[lease]\nenabled = true\nname = 'other' # it", &on), @"lease.name is own, and config has the Lease other (`name` of [lease], or else the pipeline's): the rights are given for lease.name alone");
    let pipelines = of_config("name = \"other\"\nlease.enabled = true", &on);
    assert!(
        pipelines.starts_with("lease.name is own, and config has the Lease other"),
        "{pipelines}"
    );
    let other = of_config("[lease]\n# enabled = true\n[other]\nenabled = true", &on);
    assert!(other.contains("config has no enabled = true in [lease]"), "{other}");
    for fine in [
        "name = 'own'\n[ lease ] # of the pods\nenabled = true # two",
        "lease = { enabled = true, name = 'own' }",
        "lease.enabled = true\n'lease'.\"name\"=\"own\"",
    ] {
        let literal = format!("--set-literal=config={fine}");
        template(&[&on[..], &[&literal]].concat()).unwrap_or_else(|said| panic!("{fine}: {said}"));
    }
}

#[test]
fn a_config_that_looks_up_what_weir_may_not_get() {
    let said = of_config("name = 'x'\n[lookup]\nresources = ['pods']", &[]);
    insta::assert_snapshot!(said, @"config has [lookup], and lookup.resources is empty: set it to the same kinds, so that weir has the right to get them");
    for same in
        ["lookup = { labels = true, resources = ['pods'] }", "lookup.resources = [\n  'pods']"]
    {
        assert_eq!(of_config(same, &[]), said, "{same}");
    }
    let fine = "--set-literal=config=[stage.config]\nlookup = 'x'\n# [lookup]\n# resources = []";
    template(&[fine]).unwrap();
}

#[test]
fn a_volume_that_is_smaller_than_what_a_config_may_write() {
    let buffer = "[buffer]\npath = '/var/lib/weir/buffer'\n";
    insta::assert_snapshot!(of_config(&format!("{buffer}disk = \"20GiB\" # much"), &[]), @"emptyDir.sizeLimit=3Gi is less than what weir may write (buffer.disk=20GiB, and 256Mi for letters and modules), and the pod would be evicted: it needs 20736Mi");
    let letters = format!("{buffer}[dead_letter]\npath = '/var/lib/weir/dead-letter'");
    insta::assert_snapshot!(of_config(&letters, &[]), @"emptyDir.sizeLimit=3Gi is less than what weir may write (buffer.disk=2GiB, and 1280Mi for letters and modules), and the pod would be evicted: it needs 3328Mi");
    let bytes =
        of_config(&format!("{buffer}disk = 5368709120"), &["--set=persistence.enabled=true"]);
    assert!(bytes.starts_with("persistence.size=4Gi is less"), "{bytes}");
    let fits = format!("{buffer}disk = '2GiB'\n[dead_letter]\nkind = 'index'");
    let elsewhere = "[buffer]\npath = '/mnt/buffer'\ndisk = '20GiB'".to_owned();
    let none = "[buffer]\ndisk = '20GiB'".to_owned();
    for fine in [fits, elsewhere, none] {
        let literal = format!("--set-literal=config={fine}");
        template(&[&literal]).unwrap_or_else(|said| panic!("{fine}: {said}"));
    }
}
