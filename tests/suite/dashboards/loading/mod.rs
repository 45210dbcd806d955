//! How docs/opensearch.md#loading-them says that dashboards and monitors are loaded: its own
//! commands, run against a server that answers as OpenSearch Dashboards and OpenSearch Alerting do.

mod server;

use std::collections::BTreeMap;
use std::process::{Command, Output};

use serde_json::{Value, json};

use self::server::{Shared, server};
use super::objects::{self, text};
use crate::support::{Folder, repository};

const USERNAME: &str = "ada";
/// With what a shell and curl would take for something else.
const PASSWORD: &str = r#"it's \ 1 $PATH"#;
/// The command of the page that begins below a heading with these words.
fn command(before: &str) -> String {
    let page = text("docs/opensearch.md");
    let (_, behind) = page.split_once(before).unwrap_or_else(|| panic!("no {before:?}"));
    let (_, behind) = behind.split_once("```sh\n").unwrap();
    behind.split_once("```").unwrap().0.to_owned()
}

/// A folder with what is to be loaded.
fn folder() -> Folder {
    let folder = Folder::new();
    let from = repository().join("deploy/opensearch");
    for (of, to) in [
        ("", "deploy/opensearch"),
        ("monitors", "deploy/opensearch/monitors"),
        ("terraform", "deploy/opensearch/terraform"),
    ] {
        for entry in std::fs::read_dir(from.join(of)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                let name = entry.file_name().into_string().unwrap();
                folder.write(&format!("{to}/{name}"), std::fs::read(entry.path()).unwrap());
            }
        }
    }
    folder
}

/// Runs a command of the page.
fn run(folder: &Folder, command: &str, url: &str, password: &str) -> Output {
    Command::new("bash")
        .args(["-euo", "pipefail", "-c", command])
        .current_dir(folder.path())
        .envs([("DASHBOARDS", url), ("OPENSEARCH", url)])
        .envs([("USERNAME", USERNAME), ("PASSWORD", password)])
        .env("NO_PROXY", "*")
        .env("CHECKPOINT_DISABLE", "1")
        .output()
        .unwrap()
}

/// The same, where it must go well: what it printed.
fn succeed(folder: &Folder, command: &str, url: &str, password: &str) -> String {
    let output = run(folder, command, url, password);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}\n{error}");
    String::from_utf8(output.stdout).unwrap()
}

fn ids() -> Vec<String> {
    let mut ids: Vec<String> = objects::ours().into_iter().map(|object| object.id).collect();
    ids.sort();
    ids
}

fn loaded(stored: &Shared, tenant: &str) -> Vec<String> {
    let stored = stored.lock().unwrap();
    stored.objects.get(tenant).map(|of| of.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn curl_with_basic_authentication_loads_every_object_and_again() {
    let ((url, stored), folder) = (server(), folder());
    let command = command("With basic authentication:");
    for _ in 0..2 {
        let answer: Value =
            serde_json::from_str(&succeed(&folder, &command, &url, PASSWORD)).unwrap();
        assert_eq!(answer, json!({ "success": true, "successCount": ids().len() }));
    }
    assert_eq!(loaded(&stored, "global"), ids());
}

#[test]
fn without_overwrite_what_is_there_stays_and_the_answer_says_so() {
    let ((url, stored), folder) = (server(), folder());
    let mine = json!({ "id": "weir-overview", "mine": true });
    let of_global = BTreeMap::from([("weir-overview".to_owned(), mine.clone())]);
    stored.lock().unwrap().objects.insert("global".into(), of_global);
    let command = command("With basic authentication:");
    let without = command.replace("?overwrite=true", "");
    let answer: Value = serde_json::from_str(&succeed(&folder, &without, &url, PASSWORD)).unwrap();
    assert_eq!((&answer["success"], &answer["errors"][0]["id"]), (&json!(false), &mine["id"]));
    assert_eq!(stored.lock().unwrap().objects["global"]["weir-overview"], mine);
    succeed(&folder, &command, &url, PASSWORD);
    assert_ne!(stored.lock().unwrap().objects["global"]["weir-overview"], mine);
}

#[test]
fn curl_with_a_cookie_loads_them_into_the_tenant_that_was_chosen_at_the_login() {
    let ((url, stored), folder) = (server(), folder());
    let command = command("a cookie is got first.");
    succeed(&folder, &command, &url, "simple");
    assert_eq!(loaded(&stored, "global"), ids());
    assert!(!folder.names().contains(&"cookies.txt".to_owned()), "the cookie is left there");
    let of_team = command.replace("global", "team-a");
    succeed(&folder, &of_team, &url, "simple");
    assert_eq!(loaded(&stored, "team-a"), ids());
}

#[test]
fn another_index_is_one_command() {
    let folder = folder();
    succeed(&folder, &command("or before loading:"), "", "");
    let objects = objects::read(&folder.read("mine.ndjson"));
    assert_eq!(objects[0].title, "platform-events-*");
    assert_eq!(objects.len(), ids().len());
}

#[test]
fn curl_loads_every_monitor() {
    let ((url, stored), folder) = (server(), folder());
    succeed(&folder, &command("it ends when there is none any more."), &url, PASSWORD);
    let names = stored.lock().unwrap().monitors.clone();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("weir: ")), "{names:?}");
}

/// The command within the Terraform example, as Terraform runs it.
#[test]
fn the_import_of_the_terraform_example_loads_them_and_fails_when_something_was_left_out() {
    let ((url, stored), folder) = (server(), folder());
    let example = text("deploy/opensearch/terraform/main.tf");
    let (_, behind) = example.split_once("<<-EOT\n").unwrap();
    let command = behind.split_once("EOT\n").unwrap().0;
    let with = |overwrite: &str| {
        format!(
            "export URL=$DASHBOARDS TENANT=global OVERWRITE={overwrite} \
             OBJECTS=deploy/opensearch/dashboards.ndjson DASHBOARDS_PASSWORD=$PASSWORD\n{command}"
        )
    };
    succeed(&folder, &with("false"), &url, PASSWORD);
    assert_eq!(loaded(&stored, "global"), ids());
    let again = run(&folder, &with("false"), &url, PASSWORD);
    let error = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success() && error.contains("conflict"), "{error}");
    let refused = run(&folder, &with("true"), &url, "wrong");
    assert!(!refused.status.success(), "a wrong password went unnoticed");
}

/// Terraform itself, where it is: its own provider is in it, so that nothing is fetched.
#[test]
fn terraform_loads_them_and_does_not_do_it_again() {
    if Command::new("terraform").arg("version").output().is_err() {
        eprintln!("terraform is not here: deploy/opensearch/terraform was not run by it");
        return;
    }
    let ((url, stored), folder) = (server(), folder());
    let format = "cd deploy/opensearch/terraform && terraform fmt -check -diff";
    succeed(&folder, format, &url, PASSWORD);
    let command = command("which runs the first of these when the file has changed:");
    let said = succeed(&folder, &command, &url, PASSWORD);
    assert!(said.contains("1 added, 0 changed, 0 destroyed"), "{said}");
    assert_eq!(loaded(&stored, "global"), ids());
    let again = succeed(&folder, &command, &url, PASSWORD);
    assert!(again.contains("0 added, 0 changed, 0 destroyed"), "{again}");
    let state = folder.read("deploy/opensearch/terraform/terraform.tfstate");
    assert!(!state.is_empty() && !state.contains("it's"), "the state has the password");
}
