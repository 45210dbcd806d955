//! `weir run`, as far as the command line goes.

use super::*;

#[test]
fn a_configuration_may_come_from_what_the_shell_has_opened() {
    let folder = Folder::with(&[("p.toml", "name = 'p'\n")]);
    let weir = env!("CARGO_BIN_EXE_weir");
    for opened in ["<(cat p.toml)", "/dev/stdin < <(cat p.toml)", "/dev/stdin <p.toml"] {
        let mut command = std::process::Command::new("bash");
        command.args(["-c", &format!("{weir} check {opened}")]).current_dir(folder.path());
        let ended = folder.end_of(&mut command);
        assert!(ended.stderr.contains("source"), "{opened}: it is read: {}", ended.stderr);
    }
}

const EVENT: &str = r#"{"apiVersion":"v1","kind":"Event","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"1"},"involvedObject":{"kind":"Pod","name":"p","namespace":"n"},"reason":"Killing","type":"Normal","lastTimestamp":"2024-01-02T03:04:05Z"}"#;

const FILE_TO_FILE: &str = "name = 'p'\n[source]\nkind = 'file'\npath = 'in.json'\n[sink]\nkind = 'file'\npath = 'out.json'\n";

#[test]
fn a_file_is_read_to_its_end_and_the_last_line_is_the_ledger() {
    let folder =
        Folder::with(&[("p.toml", FILE_TO_FILE), ("in.json", &format!("{EVENT}\n{EVENT}\n"))]);
    let ended = folder.weir(&["run", "--config", "p.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    insta::assert_snapshot!(ended.stderr.lines().last().unwrap(), @"ledger received=2 recovered=0 replayed=0 delivered=2 filtered=0 dead_lettered=0 in_flight=0");
    let out = std::fs::read_to_string(folder.path().join("out.json")).unwrap();
    assert_eq!(out.lines().count(), 2);
}

#[test]
fn stdout_carries_only_documents() {
    let folder = Folder::with(&[("p.toml", SMALL), ("in.json", EVENT)]);
    let input = std::fs::File::open(folder.path().join("in.json")).unwrap();
    let output = folder.command(&["run", "--config", "p.toml"]).stdin(input).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["reason"], "Killing");
}

#[test]
fn a_wrong_configuration_exits_2_with_the_diagnostics_of_check() {
    let folder =
        Folder::with(&[("p.toml", "name = 'A'\nsource.kind = 'stdin'\nsink.kind = 'x'\n")]);
    let run = folder.weir(&["run", "--config", "p.toml"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert_eq!(run, folder.weir(&["check", "p.toml"]));
}

#[test]
fn a_sink_that_is_the_source_by_a_link_is_refused_and_nothing_is_written() {
    let folder = Folder::with(&[("p.toml", FILE_TO_FILE), ("in.json", EVENT)]);
    std::os::unix::fs::symlink("in.json", folder.path().join("out.json")).unwrap();
    let ended = folder.weir(&["run", "--config", "p.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(ended.stderr, @"p.toml:7:8: error: the sink would write to the file that the source reads, and read it again without end: give the sink a file of its own");
    assert_eq!(std::fs::read_to_string(folder.path().join("in.json")).unwrap(), EVENT);
}

#[test]
fn stdout_that_is_the_file_of_stdin_is_refused() {
    let folder = Folder::with(&[("p.toml", SMALL), ("in.json", EVENT)]);
    let path = folder.path().join("in.json");
    let mut command = folder.command(&["run", "--config", "p.toml"]);
    command.stdin(std::fs::File::open(&path).unwrap());
    command.stdout(std::fs::OpenOptions::new().append(true).open(&path).unwrap());
    assert_eq!(command.status().unwrap().code(), Some(2));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), EVENT);
}

#[test]
fn a_module_that_cannot_be_loaded_exits_2() {
    let config = SMALL.to_owned() + "[[stage]]\nname = 'a'\nmodule = 'none.wasm'\n";
    let folder = Folder::with(&[("p.toml", &config)]);
    let ended = folder.weir(&["run", "--config", "p.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(ended.stderr.lines().last().unwrap(), @"p.toml:7:10: error: stage `a`: none.wasm: cannot read it: No such file or directory (os error 2): `weir filter build DIR` makes it of a filter's source");
}

#[test]
fn a_malformed_event_without_dead_letters_fails_the_run_and_loses_nothing() {
    let folder = Folder::with(&[("p.toml", FILE_TO_FILE), ("in.json", "{\"kind\":\"Pod\"}\n")]);
    let ended = folder.weir(&["run", "--config", "p.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("set dead_letter.path"), "{}", ended.stderr);
    assert!(
        ended.stderr.lines().last().unwrap().starts_with("ledger received="),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_check_finds_before_a_run_is_told_by_a_run_too_and_nothing_starts() {
    let config = "name = 'p'\nworkerz = 2\nsource = { kind = 'file', path = 'in.json' }\n[sink]\nkind = 'opensearch'\nhosts = ['https://127.0.0.1:1']\nca = 'ca.pem'\nusername = 'u'\npassword = { env = 'WEIR_NO_SUCH_VARIABLE' }\n[[stage]]\nname = 'a'\nmodule = 'a.wasm'\n";
    let folder = Folder::with(&[("p.toml", config), ("ca.pem", "hello"), ("in.json", EVENT)]);
    let run = folder.weir(&["run", "--config", "p.toml"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(run.stderr, @r"
        p.toml:2:1: error: unknown key `workerz` at the top level; did you mean `workers`?
        p.toml:7:6: error: cannot use the CA file ca.pem: there is no certificate in it: it must be a PEM file with the certificates of the authorities to trust
        p.toml:9:12: error: the environment variable WEIR_NO_SUCH_VARIABLE, which should hold the secret, is not set
        p.toml:12:10: error: stage `a`: a.wasm: cannot read it: No such file or directory (os error 2): `weir filter build DIR` makes it of a filter's source
        ");
    assert_eq!(run, folder.weir(&["check", "p.toml"]));

    std::fs::write(folder.path().join("p.toml"), config.replace("workerz = 2\n", "")).unwrap();
    let run = folder.weir(&["run", "--config", "p.toml"]);
    assert_eq!((run.code, run.stderr.lines().count()), (Some(2), 3), "{}", run.stderr);
    assert_eq!(run, folder.weir(&["check", "p.toml"]));
}

#[test]
fn a_full_stdout_fails_the_run_and_nothing_counts_as_delivered() {
    let folder = Folder::with(&[("p.toml", SMALL), ("in.json", EVENT)]);
    let mut command = folder.command(&["run", "--config", "p.toml"]);
    command.stdin(std::fs::File::open(folder.path().join("in.json")).unwrap());
    command.stdout(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let output = command.output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("cannot write documents to stdout: No space left"), "{stderr}");
    assert!(stderr.contains("delivered=0"), "{stderr}");
}

#[test]
fn log_lines_that_were_left_out_are_counted_before_the_ledger() {
    let config = FILE_TO_FILE.to_owned() + "[dead_letter]\npath = 'dead'\n";
    let folder =
        Folder::with(&[("p.toml", &config), ("in.json", &"{\"kind\":\"Pod\"}\n".repeat(13))]);
    let ended = folder.weir(&["run", "--config", "p.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let last: Vec<&str> = ended.stderr.lines().rev().take(2).collect();
    assert!(last[0].starts_with("ledger received=13 "), "{}", ended.stderr);
    let line: serde_json::Value = serde_json::from_str(last[1]).unwrap();
    assert_eq!((&line["suppressed"], &line["like"]), (&3.into(), &"malformed event".into()));
}

#[test]
fn a_run_begins_by_saying_what_runs() {
    let config = FILE_TO_FILE.replace("'p'", "'events'")
        + "[[stage]]\nname = 'drop'\nmodule = 'drop.wasm'\n";
    let folder = Folder::with(&[("p.toml", &config), ("in.json", EVENT)]);
    std::fs::write(folder.path().join("drop.wasm"), modules::Guest::default().component()).unwrap();
    let ended = folder.weir(&["run", "--config", "p.toml"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut first: serde_json::Value =
        serde_json::from_str(ended.stderr.lines().next().unwrap()).unwrap();
    let line = first.as_object_mut().unwrap();
    line.remove("timestamp").unwrap();
    assert_eq!(line.remove("version").unwrap(), env!("CARGO_PKG_VERSION"));
    insta::assert_snapshot!(first, @r#"{"config":"p.toml","level":"INFO","message":"starting","pipeline":"events","sink":"file DIR/out.json","source":"file DIR/in.json","stages":"drop","target":"weir::cli::run"}"#);
}

#[test]
fn a_run_begins_by_saying_what_is_not_received() {
    let config = "name = 'p'\nsink.kind = 'stdout'\n[source]\nkind = 'kubernetes'\n\
                      exclude_namespaces = ['a']\nfield_selector = 'type!=Normal'\n";
    let folder = Folder::with(&[("p.toml", config), ("kubeconfig", "")]);
    let mut command = folder.command(&["run", "--config", "p.toml"]);
    let ended = folder.end_of(command.env("KUBECONFIG", folder.path().join("kubeconfig")));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let first = ended.stderr.lines().next().unwrap();
    let first: serde_json::Value = serde_json::from_str(first).unwrap();
    let asked_for = "metadata.namespace!=a,type!=Normal (the rest is not received)";
    assert_eq!((&first["message"], &first["asked_for"]), (&"starting".into(), &asked_for.into()));
}
