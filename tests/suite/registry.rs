//! Modules in a real registry (CNCF's distribution): pushed, named by a stage, kept, carried.
//! `make test` gets it (`tests/env/setup.sh registry`) and sets `WEIR_TEST_REGISTRY`.

use std::io::{Read, Write};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Ended, Folder, Registry, finish, repository, until};

const EVENTS: &str = concat!(
    r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"a","namespace":"n","uid":"a","resourceVersion":"1"},"involvedObject":{"kind":"Pod","name":"p"},"type":"Normal","reason":"Pulled","lastTimestamp":"2026-01-02T03:04:05Z"}"#,
    "\n",
    r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"b","namespace":"n","uid":"b","resourceVersion":"2"},"involvedObject":{"kind":"Pod","name":"p"},"type":"Warning","reason":"Failed","lastTimestamp":"2026-01-02T03:04:05Z"}"#,
    "\n"
);

/// A folder with the module in it.
fn folder() -> Folder {
    let module = repository().join("filters/dist/drop-normal.wasm");
    assert!(module.exists(), "{} is missing: run `make filters`", module.display());
    let folder = Folder::new();
    folder.write("drop-normal.wasm", std::fs::read(module).unwrap());
    folder
}

/// What a command printed as JSON.
fn json(folder: &Folder, arguments: &[&str]) -> Value {
    let ended = folder.weir(&[arguments, &["--json"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

fn push(folder: &Folder, to: &str, more: &[&str]) -> Value {
    json(folder, &[&["filter", "push", "drop-normal.wasm", to], more].concat())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A pipeline from stdin to stdout.
fn configure(folder: &Folder, stage: &str, more: &str) {
    folder.write(
        "pipeline.toml",
        format!(
            "name = 'p'\ncache = 'cache'\nsource.kind = 'stdin'\nsink.kind = 'stdout'\n{stage}\n{more}"
        ),
    );
}

/// Has the events run through the pipeline.
fn run(folder: &Folder) -> Ended {
    folder.write("events", EVENTS);
    let mut command = folder.command(&["run", "--config", "pipeline.toml"]);
    let events = std::fs::File::open(folder.path().join("events")).unwrap();
    folder.end_of(command.stdin(events))
}

fn assert_filtered(ended: &Ended) {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("\"reason\":\"Failed\"") && !ended.stdout.contains("Pulled"));
    assert!(ended.last().contains("delivered=1 filtered=1"), "{ended:?}");
}

#[test]
fn a_pushed_module_runs_and_goes_on_running_without_its_registry_as_long_as_it_is_in_the_cache() {
    let (mut registry, folder) = (Registry::start(), folder());
    let to = format!("{}/filters/drop-normal:1", registry.address);
    let pushed = push(&folder, &to, &[]);
    let reference = text(&pushed["reference"]);
    assert_eq!(reference, format!("oci://{to}@{}", text(&pushed["digest"])));
    assert_eq!(push(&folder, &to, &[])["digest"], pushed["digest"], "the same module again");

    configure(&folder, &text(&pushed["stage"]), "");
    let unpulled = folder.weir(&["check", "pipeline.toml"]);
    assert_eq!(unpulled.code, Some(0), "{unpulled:?}");
    assert!(unpulled.stdout.contains("not in the cache: pulled at the start"), "{unpulled:?}");
    assert_filtered(&run(&folder));
    let checked = folder.weir(&["check", "pipeline.toml"]);
    assert!(
        checked.stdout.contains(&format!("{reference}, can drop Normal events")),
        "{checked:?}"
    );

    registry.stop();
    assert_filtered(&run(&folder));
    std::fs::remove_dir_all(folder.path().join("cache/pulled")).unwrap();
    let ended = run(&folder);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let why =
        format!("error: {reference} cannot be pulled: {} cannot be reached: ", registry.address);
    assert!(ended.stderr.contains(&why), "{ended:?}");
    registry.start_again();
    assert_filtered(&run(&folder));
}

#[test]
fn a_start_waits_for_a_registry_that_is_away_and_says_so() {
    let (mut registry, folder) = (Registry::start(), folder());
    let pushed = push(&folder, &format!("{}/a:1", registry.address), &[]);
    registry.stop();
    let weir = start(&folder, &text(&pushed["stage"]));
    until("it says so", || folder.read("log").contains("it is tried again in"));
    let ready = get(&folder, "/readyz?verbose");
    assert!(ready.starts_with("HTTP/1.0 503") || ready.starts_with("HTTP/1.1 503"), "{ready}");
    assert!(ready.contains("modules: not ok: oci://127.0.0.1:"), "{ready}");
    assert!(ready.contains("cannot be reached"), "{ready}");
    registry.start_again();
    until("it is ready", || get(&folder, "/readyz").contains(" 200 "));
    append(&folder, EVENTS);
    until("it is delivered", || folder.read("out").contains("\"reason\":\"Failed\""));
    end(weir, &folder);
}

/// weir with this stage, which follows the file `in` and writes to `out`, with its log in `log`.
fn start(folder: &Folder, stage: &str) -> Child {
    folder.write("in", "");
    configure_followed(folder, stage);
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut command = folder.command(&["run", "--config", "pipeline.toml"]);
    let weir = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    until("it listens", || folder.read("log").contains("serving /metrics"));
    weir
}

fn configure_followed(folder: &Folder, stage: &str) {
    folder.write(
        "pipeline.toml",
        format!(
            "name = 'p'\ncache = 'cache'\nsink = {{ kind = 'file', path = 'out' }}\n\
             source = {{ kind = 'file', path = 'in', follow = true }}\n\
             admin = {{ listen = '127.0.0.1:0' }}\n{stage}"
        ),
    );
}

fn append(folder: &Folder, events: &str) {
    let file = std::fs::OpenOptions::new().append(true).open(folder.path().join("in"));
    file.and_then(|mut file| file.write_all(events.as_bytes())).unwrap();
}

/// SIGTERM; it ends well.
fn end(weir: Child, folder: &Folder) {
    let pid = Pid::from_raw(weir.id() as i32).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(finish(weir).status.code(), Some(0), "{}", folder.read("log"));
}

#[test]
fn a_swap_waits_for_a_registry_that_is_away_while_the_running_stages_go_on() {
    let (mut registry, folder) = (Registry::start(), folder());
    let pushed = push(&folder, &format!("{}/a:1", registry.address), &[]);
    registry.stop();
    let (weir, folder) = (start(&folder, ""), &folder);
    until("it is ready", || get(folder, "/readyz").contains(" 200 "));
    configure_followed(folder, &text(&pushed["stage"]));
    let note = "modules: ok (the last change is refused: oci://127.0.0.1:";
    until("it says so", || get(folder, "/readyz?verbose").contains(note));
    append(folder, EVENTS);
    until("it is delivered", || folder.read("out").contains("\"reason\":\"Pulled\""));
    registry.start_again();
    until("it is taken up", || get(folder, "/metrics").contains("\nweir_config_generation 2\n"));
    append(folder, &EVENTS.replace("Pulled", "Created").replace("Failed", "Killed"));
    until("it is delivered", || folder.read("out").contains("\"reason\":\"Killed\""));
    assert!(!folder.read("out").contains("Created"));
    end(weir, folder);
}

/// What weir's admin address answers, which is in its log.
fn get(folder: &Folder, path: &str) -> String {
    let log = folder.read("log");
    let line = log.lines().find(|line| line.contains("serving /metrics")).unwrap();
    let (_, rest) = line.split_once("\"address\":\"").unwrap();
    let mut stream = std::net::TcpStream::connect(rest.split_once('"').unwrap().0).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_login_and_an_authority_of_ones_own_are_used_and_missed() {
    let (registry, folder) = (Registry::secure(), folder());
    let to = format!("{}/a:1", registry.address);
    let (ca, credentials) = (registry.ca(), registry.credentials());
    let (ca, credentials) = (ca.to_str().unwrap(), credentials.to_str().unwrap());
    let said = |more: &[&str]| {
        let ended = folder.weir(&[&["filter", "push", "drop-normal.wasm", &to], more].concat());
        assert_eq!(ended.code, Some(1), "{ended:?}");
        ended.stderr.replace(&registry.address, "REGISTRY")
    };
    let refused = said(&["--ca", ca]);
    assert!(refused.contains("REGISTRY answers 401 to the question whether it has "), "{refused}");
    assert!(refused.contains(": see `credentials` in [registry], or --credentials"), "{refused}");
    folder.write("none.json", r#"{"auths":{}}"#);
    assert!(said(&["--ca", ca, "--credentials", "none.json"]).contains(" answers 401 to "));
    let pushed = push(&folder, &to, &["--ca", ca, "--credentials", credentials]);

    let stage = text(&pushed["stage"]);
    configure(&folder, &stage, &format!("[registry]\nca = '{ca}'\ncredentials = '{credentials}'"));
    assert_filtered(&run(&folder));
    std::fs::remove_dir_all(folder.path().join("cache")).unwrap();
    configure(&folder, &stage, &format!("[registry]\nca = '{ca}'"));
    let ended = run(&folder);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("answers 401"), "{ended:?}");
    assert!(!ended.stderr.contains("weir-Test-1"), "{ended:?}");
}

#[test]
fn a_tag_is_followed_where_that_is_allowed_and_what_it_led_to_is_used_without_the_registry() {
    let (mut registry, folder) = (Registry::start(), folder());
    let to = format!("{}/a:1", registry.address);
    let digest = text(&push(&folder, &to, &[])["digest"]);
    let stage = format!("[[stage]]\nname = 'a'\nmodule = 'oci://{to}'\n");
    configure(&folder, &stage, "");
    let refused = run(&folder);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("allow_tags = true"), "{refused:?}");

    configure(&folder, &stage, "[registry]\nallow_tags = true");
    assert_filtered(&run(&folder));
    registry.stop();
    let ended = run(&folder);
    assert_filtered(&ended);
    assert!(ended.stderr.contains("going on with what it was before"), "{ended:?}");
    assert!(ended.stderr.contains(&digest), "{ended:?}");
}

#[test]
fn a_module_in_a_registry_is_inspected_without_its_layer() {
    let (registry, folder) = (Registry::start(), folder());
    let to = format!("{}/a:1", registry.address);
    let pushed = push(&folder, &to, &[]);
    let oci = format!("oci://{to}");
    let told = json(&folder, &["filter", "inspect", &oci]);
    let here = json(&folder, &["filter", "inspect", "drop-normal.wasm"]);
    for same in ["bytes", "sha256", "world", "imports", "permissions"] {
        assert_eq!(told[same], here[same], "{same}");
    }
    assert_eq!(told["reference"], pushed["reference"]);
    assert_eq!(told["stage"], pushed["stage"]);

    let image = push(&folder, &to, &["--as-image"]);
    let ended = folder.weir(&["filter", "inspect", &oci]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    insta::assert_snapshot!(ended.stderr.replace(&registry.address, "REGISTRY"), @"error: oci://REGISTRY/a:1: it is no module: it lists the platforms of an image: `weir filter push` without --as-image makes what a stage can name; an image is mounted by the kubelet, and its file named");
    assert_eq!(text(&image["reference"]), format!("{to}@{}", text(&image["digest"])));
    insta::assert_snapshot!(text(&image["stage"]).replace(&text(&image["reference"]), "IMAGE"), @r#"
    modules:
      pushed:
        imageVolume:
          reference: "IMAGE"
    stages:
      - name: "drop-normal"
        from: pushed
        module: "drop-normal.wasm"
    "#);
}

#[test]
fn modules_are_carried_to_where_no_registry_is_and_to_another_one() {
    let (mut registry, here) = (Registry::start(), folder());
    let references: Vec<String> = ["team/a:1", "b:2"]
        .map(|name| text(&push(&here, &format!("{}/{name}", registry.address), &[])["reference"]))
        .into();
    let saved =
        json(&here, &["filter", "save", "--out", "modules.tar", &references[0], &references[1]]);
    assert_eq!(saved["modules"].as_array().unwrap().len(), 2);
    registry.stop();

    let there = Folder::new();
    there.write("modules.tar", std::fs::read(here.path().join("modules.tar")).unwrap());
    let loaded = json(&there, &["filter", "load", "modules.tar", "--cache", "cache"]);
    for (module, reference) in loaded["modules"].as_array().unwrap().iter().zip(&references) {
        assert!(references.contains(&text(&module["reference"])), "{reference}");
        configure(&there, &text(&module["stage"]), "");
        assert_filtered(&run(&there));
    }

    let mirror = Registry::start();
    let to = format!("{}/mirror", mirror.address);
    let pushed = json(&there, &["filter", "load", "modules.tar", "--to", &to]);
    std::fs::remove_dir_all(there.path().join("cache")).unwrap();
    for (pushed, loaded) in
        pushed["modules"].as_array().unwrap().iter().zip(loaded["modules"].as_array().unwrap())
    {
        assert_eq!(pushed["digest"], loaded["digest"]);
        assert!(text(&pushed["reference"]).starts_with(&format!("oci://{to}/")), "{pushed}");
        configure(&there, &text(&pushed["stage"]), "");
        assert_filtered(&run(&there));
    }
}

#[test]
fn what_is_pulled_is_the_module_and_what_is_none_is_not_pushed() {
    let (registry, folder) = (Registry::start(), folder());
    let to = format!("{}/a:1", registry.address);
    push(&folder, &to, &[]);
    json(&folder, &["filter", "pull", &to, "--out", "out.wasm"]);
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("out.wasm"), read("drop-normal.wasm"));

    folder.write("text.wasm", "no module");
    for (arguments, code) in [
        (vec!["push", "text.wasm", &to], 2),
        (vec!["push", "none.wasm", &to], 2),
        (vec!["push", "drop-normal.wasm", "noise:1"], 2),
        (vec!["pull", "noise"], 2),
        (vec!["load", "text.wasm"], 2),
        (vec!["pull", &format!("{}/none:1", registry.address)], 1),
    ] {
        let ended = folder.weir(&[&["filter"][..], &arguments].concat());
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
}
