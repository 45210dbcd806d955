//! `weir dead-letter` through the real binary: what it prints, what it leaves in the folder, and
//! its exit code.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ended, Folder, modules, until};

const CONFIG: &str = "name = 'p'\n[source]\nkind = 'file'\npath = 'in'\n[sink]\nkind = 'file'\npath = 'out'\n[dead_letter]\npath = 'dead'\n";

const GOOD: &str = r#"{"apiVersion":"v1","kind":"Event","metadata":{"name":"a","namespace":"shop","uid":"u","resourceVersion":"1"},"involvedObject":{"kind":"Pod","name":"web-0","namespace":"shop"},"reason":"BackOff","type":"Warning","lastTimestamp":"2024-01-02T03:04:05Z"}"#;

/// One of each: malformed, of a stage, of the sink with its document.
fn three() -> String {
    [
        record("source", "syntax", "line 7, column 12: expected `:`", "{\"a\" 1}\n\u{1b}[2J", ""),
        record("stage\",\"stage\":\"redact", "trap", "wasm trap: unreachable", GOOD, ""),
        record(
            "sink",
            "mapping",
            "failed to parse field [count]",
            GOOD,
            r#","document":{"b":1.50,"a":[]}"#,
        ),
    ]
    .concat()
}

fn record(part: &str, reason: &str, detail: &str, source: &str, more: &str) -> String {
    let source = serde_json::Value::from(source);
    format!(
        "{{\"version\":1,\"time\":\"2025-10-09T08:53:20.000001Z\",\"where\":\"{part}\",\"reason\":\"{reason}\",\"detail\":\"{detail}\",\"source\":{source}{more}}}\n"
    )
}

/// A folder with a pipeline and its dead letters.
struct Letters(Folder);

impl Letters {
    /// With a configuration and, in `dead`, these files.
    fn with(letters: &[(&str, &str)]) -> Letters {
        let folder = Folder::with(&[("p.toml", CONFIG)]);
        for (name, text) in letters {
            folder.write(&format!("dead/{name}"), text);
        }
        Letters(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.0.command(arguments);
        command.env("WEIR_LOG", "error");
        command
    }

    /// `weir dead-letter` with these arguments.
    fn weir(&self, arguments: &[&str]) -> Ended {
        self.0.end_of(&mut self.command(&[&["dead-letter"], arguments].concat()))
    }

    fn list(&self, arguments: &[&str]) -> Ended {
        self.weir(&[&["list", "--config", "p.toml"], arguments].concat())
    }

    fn replay(&self, arguments: &[&str]) -> Ended {
        self.weir(&[&["replay", "--config", "p.toml"], arguments].concat())
    }

    /// All letters of the folder: id, where and why.
    fn listed(&self) -> Vec<(String, String, String)> {
        let of = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| row[key].as_str().unwrap().to_owned();
            (text("id"), text("where"), text("reason"))
        };
        self.list(&["--json"]).stdout.lines().map(of).collect()
    }
}

fn letter(id: &str, part: &str, reason: &str) -> (String, String, String) {
    (id.into(), part.into(), reason.into())
}

mod list {
    use super::*;

    #[test]
    fn has_a_line_for_each_letter_and_a_sum_on_stderr() {
        let ended = Letters::with(&[("00000001.jsonl", &three())]).list(&[]);
        assert_eq!(ended.code, Some(0));
        insta::assert_snapshot!(ended.stdout, @r"
        00000001:1  2025-10-09T08:53:20.000001Z  source    syntax        12 bytes  line 7, column 12: expected `:`
        00000001:2  2025-10-09T08:53:20.000001Z  stage:redact  trap          Pod shop/web-0 BackOff  wasm trap: unreachable
        00000001:3  2025-10-09T08:53:20.000001Z  sink      mapping       Pod shop/web-0 BackOff  failed to parse field [count]
        ");
        insta::assert_snapshot!(ended.stderr, @"3 letters: 1 sink mapping, 1 source syntax, 1 stage:redact trap");
    }

    #[test]
    fn takes_only_what_is_asked_for() {
        let folder = Letters::with(&[("00000001.jsonl", &three()), ("00000002.jsonl", &three())]);
        let ids = |arguments: &[&str]| {
            let listed = folder.list(arguments).stdout;
            listed.lines().map(|line| line[7..10].to_owned()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(ids(&["--where", "stage"]), "1:2 2:2");
        assert_eq!(ids(&["--stage", "redact"]), "1:2 2:2");
        assert_eq!(ids(&["--stage", "other"]), "");
        assert_eq!(ids(&["--reason", "mapping", "--where", "sink"]), "1:3 2:3");
        assert_eq!(ids(&["--reason", "mapping", "--where", "source"]), "");
    }

    #[test]
    fn a_filter_that_matches_nothing_is_told_from_a_place_without_letters() {
        let told = |folder: &Letters| {
            let ended = folder.list(&["--reason", "none"]);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
            ended.stderr
        };
        let mut folder =
            Letters::with(&[("00000001.jsonl", &three()), ("00000002.jsonl", &three())]);
        assert_eq!(told(&folder), "none of the 6 letters match\n");
        folder = Letters::with(&[("00000001.jsonl", &record("sink", "mapping", "", GOOD, ""))]);
        assert_eq!(told(&folder), "the only letter does not match\n");
        assert_eq!(told(&Letters::with(&[("00000001.jsonl", "")])), "no letters\n");
    }

    #[test]
    fn json_is_one_object_a_letter() {
        let ended = Letters::with(&[("00000001.jsonl", &three())]).list(&["--json"]);
        insta::assert_snapshot!(ended.stdout, @r#"
        {"id":"00000001:1","time":"2025-10-09T08:53:20.000001Z","where":"source","reason":"syntax","detail":"line 7, column 12: expected `:`","source_bytes":12,"has_document":false}
        {"id":"00000001:2","time":"2025-10-09T08:53:20.000001Z","where":"stage","stage":"redact","reason":"trap","detail":"wasm trap: unreachable","involvedObject":{"kind":"Pod","namespace":"shop","name":"web-0"},"eventReason":"BackOff","source_bytes":250,"has_document":false}
        {"id":"00000001:3","time":"2025-10-09T08:53:20.000001Z","where":"sink","reason":"mapping","detail":"failed to parse field [count]","involvedObject":{"kind":"Pod","namespace":"shop","name":"web-0"},"eventReason":"BackOff","source_bytes":250,"has_document":true}
        "#);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_does_not_stop_the_rest() {
        let text = format!("not json\n{}{{\"version\":7}}\n\n{{\"version\":1,\"ti", three());
        let folder = Letters::with(&[
            ("00000001.jsonl", &text),
            ("00000002.jsonl", &three()),
            ("mine.jsonl", ""),
        ]);
        let ended = folder.list(&[]);
        assert_eq!((ended.code, ended.stdout.lines().count()), (Some(0), 6));
        insta::assert_snapshot!(ended.stderr, @r"
        skipping 00000001:1: it is not a dead letter: expected ident at line 1 column 2
        skipping 00000001:5: a newer weir wrote it (version 7 of the records; this weir reads up to 1): use that one
        skipping 00000001:7: it is incomplete: it is still being written, or a crash tore it before it was acknowledged
        skipped: mine.jsonl in dead: the files of dead letters are named by eight digits, such as 00000001.jsonl
        6 letters: 2 sink mapping, 2 source syntax, 2 stage:redact trap
        ");
    }

    #[test]
    fn a_folder_that_no_run_has_made_yet_has_no_letters_and_one_that_is_named_must_be_there() {
        let folder = Letters::with(&[]);
        assert_eq!(folder.list(&[]).stderr, "no letters\n");
        let ended = folder.weir(&["list", "--from", "none"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
        insta::assert_snapshot!(ended.stderr, @"error: cannot read the dead letters in none: No such file or directory (os error 2): it must be there, and weir's user must have the right to read it");
    }

    #[test]
    fn a_configuration_without_dead_letters_is_told() {
        let folder = Letters::with(&[]);
        folder.0.write("p.toml", CONFIG.split("[dead_letter]").next().unwrap());
        let ended = folder.list(&[]);
        assert_eq!(ended.code, Some(2));
        insta::assert_snapshot!(ended.stderr, @r#"error: p.toml has no dead_letter.path, and dead_letter.kind is not "index", so its pipeline keeps no dead letters: name a folder of some with --from FOLDER"#);
    }

    #[test]
    fn a_reader_that_has_enough_is_no_failure() {
        let folder = Letters::with(&[("00000001.jsonl", &three().repeat(5000))]);
        let mut child = folder
            .command(&["dead-letter", "list", "--from", "dead"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success());
    }
}

mod show {
    use super::*;

    #[test]
    fn tells_everything_about_letters_in_a_form_to_be_read() {
        let folder = Letters::with(&[("00000001.jsonl", &three())]);
        let ended = folder.weir(&["show", "--config", "p.toml", "1:3", "00000001:1"]);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        insta::assert_snapshot!(ended.stdout, @r#"
        letter    00000001:1
        time      2025-10-09T08:53:20.000001Z
        where     source
        reason    syntax
        event     12 bytes
        detail    line 7, column 12: expected `:`
        source    12 bytes
          {"a" 1}
          \u{1b}[2J

        letter    00000001:3
        time      2025-10-09T08:53:20.000001Z
        where     sink
        reason    mapping
        event     Pod shop/web-0 BackOff
        detail    failed to parse field [count]
        source    250 bytes
          {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
              "name": "a",
              "namespace": "shop",
              "uid": "u",
              "resourceVersion": "1"
            },
            "involvedObject": {
              "kind": "Pod",
              "name": "web-0",
              "namespace": "shop"
            },
            "reason": "BackOff",
            "type": "Warning",
            "lastTimestamp": "2024-01-02T03:04:05Z"
          }
        document  17 bytes
          {
            "b": 1.50,
            "a": []
          }
        "#);
    }

    #[test]
    fn json_prints_the_records_as_they_are() {
        let folder = Letters::with(&[("00000001.jsonl", &three())]);
        let ended = folder.weir(&["show", "--from", "dead", "--json", "1:2"]);
        assert_eq!(ended.stdout, three().lines().nth(1).unwrap().to_owned() + "\n");
    }

    #[test]
    fn an_id_that_is_none_is_wrong_usage_and_one_of_nothing_is_told() {
        let folder = Letters::with(&[("00000001.jsonl", &three())]);
        let ended = folder.weir(&["show", "--from", "dead", "1"]);
        assert_eq!(ended.code, Some(2));
        insta::assert_snapshot!(ended.stderr.lines().next().unwrap(), @"error: invalid value '1' for '<ID>...': it must be a file's number and a line, such as 00000001:17, or the 32 digits of a letter in an index, as `weir dead-letter list` prints it");
        let ended = folder.weir(&["show", "--from", "dead", "1:3", "1:4", "2:1"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
        insta::assert_snapshot!(ended.stderr, @"error: there is no letter 00000001:4, 00000002:1 in dead: it was replayed, or moved away; `weir dead-letter list` tells which there are");
    }
}

mod replay {
    use super::*;

    #[test]
    fn letters_that_are_delivered_leave_the_folder_and_enter_the_ledger_as_replayed() {
        let good = record("sink", "mapping", "d", GOOD, "");
        let folder =
            Letters::with(&[("00000001.jsonl", &good.repeat(3)), ("00000002.jsonl", &good)]);
        let ended = folder.replay(&["--all"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
        insta::assert_snapshot!(ended.stderr, @"ledger received=0 recovered=0 replayed=4 delivered=4 filtered=0 dead_lettered=0 in_flight=0");
        assert_eq!(folder.0.read("out").lines().count(), 4);
        assert_eq!(folder.listed(), []);
        let names: Vec<_> = std::fs::read_dir(folder.0.path().join("dead")).unwrap().collect();
        assert_eq!(
            names.len(),
            2,
            "the lock, and an empty file that keeps the numbers going: {names:?}"
        );
    }

    #[test]
    fn letters_that_fail_again_are_there_once_with_the_new_reason_and_the_others_keep_their_ids() {
        let malformed = record("source", "truncated", "d", "{\"kind\":\"Pod\"}", "");
        let text = [malformed, record("sink", "mapping", "d", GOOD, ""), three()].concat();
        let folder = Letters::with(&[("00000001.jsonl", &text)]);
        let ended = folder.replay(&["1:1", "1:2"]);
        assert_eq!(ended.code, Some(1));
        insta::assert_snapshot!(ended.stderr, @r"
        error: not everything was delivered: 1 event is a dead letter again
        ledger received=0 recovered=0 replayed=2 delivered=1 filtered=0 dead_lettered=1 in_flight=0
        ");
        let expected = [
            letter("00000001:3", "source", "syntax"),
            letter("00000001:4", "stage", "trap"),
            letter("00000001:5", "sink", "mapping"),
            letter("00000002:1", "source", "not_an_event"),
        ];
        assert_eq!(folder.listed(), expected);
        assert_eq!(folder.replay(&["--all", "--reason", "not_an_event"]).code, Some(1));
        assert_eq!(folder.listed()[3], letter("00000003:1", "source", "not_an_event"));
        assert_eq!(folder.listed().len(), 4);
    }

    #[test]
    fn what_stages_drop_counts_as_filtered_and_the_letter_is_gone() {
        let normal = GOOD.replace("Warning", "Normal");
        let text = record("stage\",\"stage\":\"drop", "trap", "d", &normal, "") + &three();
        let folder = Letters::with(&[("00000001.jsonl", &text)]);
        let module = folder.0.path().join("drop.wasm");
        std::fs::write(module, modules::DROP_NORMAL.component()).unwrap();
        folder
            .0
            .write("p.toml", format!("{CONFIG}[[stage]]\nname = 'drop'\nmodule = 'drop.wasm'\n"));
        let ended = folder.replay(&["--all", "--where", "stage", "--stage", "drop"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        insta::assert_snapshot!(ended.stderr, @"ledger received=0 recovered=0 replayed=1 delivered=0 filtered=1 dead_lettered=0 in_flight=0");
        assert_eq!(folder.listed().len(), 3);
    }

    #[test]
    fn sink_only_writes_the_documents_as_they_were_made_and_keeps_letters_without_one() {
        let folder = Letters::with(&[("00000001.jsonl", &three())]);
        // No stage is needed, so none is loaded.
        folder.0.write("p.toml", format!("{CONFIG}[[stage]]\nname = 'a'\nmodule = 'none.wasm'\n"));
        let ended = folder.replay(&["--all", "--sink-only"]);
        assert_eq!(ended.code, Some(1));
        insta::assert_snapshot!(ended.stderr, @r"
        error: not everything was delivered: 2 letters stay, each because it has no document, because the sink never saw it: replay it without --sink-only
        ledger received=0 recovered=0 replayed=1 delivered=1 filtered=0 dead_lettered=0 in_flight=0
        ");
        assert_eq!(folder.0.read("out"), "{\"b\":1.50,\"a\":[]}\n");
        assert_eq!(folder.listed().len(), 2);
    }

    #[test]
    fn letters_that_were_cut_and_lines_that_are_none_stay_and_are_told() {
        let cut = record("source", "too_large", "d", "{\"kind\":", "");
        let folder = Letters::with(&[("00000001.jsonl", &format!("{cut}nonsense\n"))]);
        let mut command = folder.command(&["dead-letter", "replay", "--config", "p.toml", "--all"]);
        let output =
            command.env("WEIR_LOG", "warn").args(["--log-format", "human"]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let stderr = String::from_utf8(output.stderr).unwrap();
        let lines =
            stderr.lines().map(|line| line.split_once(" WARN ").map_or(line, |(_, text)| text));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
        letter 00000001:1 stays where it is: it was too large to be kept whole: only its first 64 KiB are there, and they cannot be replayed
        letter 00000001:2 stays where it is: it cannot be read: it is not a dead letter: expected ident at line 1 column 2
        error: not everything was delivered: 1 letter stays because it was too large to be kept whole: only its first 64 KiB are there, and they cannot be replayed; 1 letter stays because it cannot be read
        ledger received=0 recovered=0 replayed=0 delivered=0 filtered=0 dead_lettered=0 in_flight=0
        ");
        assert_eq!(folder.0.read("dead/00000001.jsonl"), format!("{cut}nonsense\n"));
    }

    #[test]
    fn a_sink_that_fails_leaves_every_letter() {
        let folder = Letters::with(&[(
            "00000001.jsonl",
            &record("sink", "mapping", "d", GOOD, "").repeat(3),
        )]);
        folder.0.write("p.toml", CONFIG.replace("'file'\npath = 'out'", "'stdout'"));
        let mut command = folder.command(&["dead-letter", "replay", "--config", "p.toml", "--all"]);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!(command.stdout(full).output().unwrap().status.code(), Some(1));
        assert_eq!(folder.listed().len(), 3);
    }

    #[test]
    fn the_source_is_not_read() {
        let folder =
            Letters::with(&[("00000001.jsonl", &record("sink", "mapping", "d", GOOD, ""))]);
        folder.0.write("in", format!("{GOOD}\n"));
        assert_eq!(folder.replay(&["--all"]).code, Some(0));
        assert_eq!(folder.0.read("out").lines().count(), 1);
    }

    #[test]
    fn what_is_a_runs_own_is_not_touched_and_the_cluster_is_not_needed() {
        use weir::internals::config::{Environment, parse};
        use weir::internals::{buffer, dead_letter, pipeline, source};
        let folder =
            Letters::with(&[("00000001.jsonl", &record("sink", "mapping", "d", GOOD, ""))]);
        // Of another process: to listen there too would fail.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = format!("admin.listen = '{}'\n", listener.local_addr().unwrap());
        let text = listen + &CONFIG.replace("'file'\npath = 'in'", "'kubernetes'");
        let file = folder.0.path().join("p.toml");
        let mut settings = parse(&file, &text, &Environment::default()).unwrap().settings;
        let spool = folder.0.path().join("spool");
        settings.buffer.spool = Some(buffer::SpoolSettings { path: spool.clone(), disk: 1 << 30 });
        let selection = dead_letter::Selection::All(dead_letter::Filter::default());
        let letters =
            source::Letters { selection, sink_only: false, account: source::Account::default() };
        let finished = pipeline::replay(settings, letters, Default::default());
        finished.result.unwrap();
        assert_eq!(finished.ledger.replayed, 1);
        assert!(!spool.exists());
    }

    #[test]
    fn ids_or_all_must_be_said_and_not_both() {
        let folder = Letters::with(&[("00000001.jsonl", &three())]);
        for arguments in
            [&[][..], &["--all", "1:1"], &["--where", "sink", "1:3"], &["--where", "sink"]]
        {
            let ended = folder.replay(arguments);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        }
        assert_eq!(folder.listed().len(), 3);
    }

    /// A weir that reads stdin, and has written one dead letter.
    fn running(folder: &Letters) -> std::process::Child {
        let config = CONFIG
            .replace("'file'\npath = 'in'", "'stdin'")
            .replace("path = 'out'", "path = 'other'");
        folder.0.write("running.toml", &config);
        let mut command = folder.command(&["run", "--config", "running.toml"]);
        command.env("WEIR_LOG", "warn").stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"{\"kind\":\"Pod\"}\n").unwrap();
        until("a dead letter is written", || !folder.listed().is_empty());
        child
    }

    #[test]
    fn the_folder_of_a_running_weir_is_refused_and_its_files_can_be_moved_and_replayed() {
        let folder = Letters::with(&[]);
        let mut weir = running(&folder);
        let ended = folder.replay(&["--all"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
        insta::assert_snapshot!(ended.stderr.replace(&weir.id().to_string(), "NUMBER"), @r"
        error: the dead letters in dead belong to a running weir (process NUMBER), which may be writing more: stop it and replay them then, or move the folder's *.jsonl files to another folder (it goes on in a new file) and replay them from there with --from FOLDER
        ledger received=0 recovered=0 replayed=0 delivered=0 filtered=0 dead_lettered=0 in_flight=0
        ");
        let path = |name: &str| folder.0.path().join(name);
        std::fs::create_dir(path("aside")).unwrap();
        std::fs::rename(path("dead/00000001.jsonl"), path("aside/00000001.jsonl")).unwrap();
        let ended = folder.replay(&["--all", "--from", "aside"]);
        assert_eq!(ended.code, Some(1), "it is still malformed: {}", ended.stderr);
        assert_eq!(folder.0.read("aside/00000002.jsonl").lines().count(), 1);
        weir.stdin.as_mut().unwrap().write_all(b"{\"kind\":\"Node\"}\n").unwrap();
        until("a dead letter is written", || !folder.listed().is_empty());
        drop(weir.stdin.take());
        assert!(weir.wait().unwrap().success());
        assert_eq!(folder.listed(), [letter("00000002:1", "source", "not_an_event")]);
    }

    #[test]
    fn a_signal_stops_it_and_what_had_not_arrived_is_still_there() {
        let folder = Letters::with(&[(
            "00000001.jsonl",
            &record("sink", "mapping", "d", GOOD, "").repeat(3000),
        )]);
        // A sink that nobody reads from: the letters cannot all arrive.
        folder.0.write(
            "p.toml",
            CONFIG.replace("'file'\npath = 'out'", "'stdout'").replace("'p'", "'p'\nworkers = 1"),
        );
        let mut command = folder.command(&["dead-letter", "replay", "--config", "p.toml", "--all"]);
        let mut weir = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut documents = BufReader::with_capacity(64, weir.stdout.take().unwrap());
        let mut first = String::new();
        documents.read_line(&mut first).unwrap();
        let pid = Pid::from_raw(weir.id() as i32).unwrap();
        // From the second one on it ends at once.
        let mut ended = None;
        until("weir ends", || {
            kill_process(pid, Signal::TERM).unwrap();
            ended = weir.try_wait().unwrap();
            ended.is_some()
        });
        let output = weir.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(ended.unwrap().code(), Some(1), "{stderr}");
        assert!(stderr.starts_with("error: stopped before everything was replayed"), "{stderr}");
        let of = |name: &str| {
            let line = stderr.lines().last().unwrap();
            let count = line.split(' ').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            count.unwrap().parse::<usize>().unwrap()
        };
        assert_eq!(of("replayed"), of("delivered") + of("in_flight"), "{stderr}");
        // At an abort one that was just delivered may stay too.
        assert!(folder.listed().len() >= 3000 - of("delivered"), "{stderr}");
    }

    /// More letters a file than a pipe holds documents: none of them may be gone before they were
    /// read from it.
    #[test]
    fn a_kill_when_letters_have_gone_has_lost_none() {
        const OF_A_FILE: usize = 1000;
        let named =
            |number: usize| GOOD.replace("\"name\":\"a\"", &format!("\"name\":\"a{number}\""));
        let letter = |number: usize| record("sink", "mapping", "d", &named(number), "");
        for gone_before in 1..=2 {
            let folder = Letters::with(&[]);
            let file = |number: usize| format!("dead/{number:08}.jsonl");
            for number in 1..=3 {
                let letters = (number - 1) * OF_A_FILE..number * OF_A_FILE;
                folder.0.write(&file(number), letters.map(letter).collect::<String>());
            }
            folder.0.write("p.toml", CONFIG.replace("'file'\npath = 'out'", "'stdout'"));
            let mut command =
                folder.command(&["dead-letter", "replay", "--config", "p.toml", "--all"]);
            let mut weir = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
            let mut documents = BufReader::with_capacity(64, weir.stdout.take().unwrap()).lines();
            let is_gone = || !folder.0.path().join(file(gone_before)).exists();
            let mut safe: Vec<String> =
                documents.by_ref().take_while(|_| !is_gone()).map(|line| line.unwrap()).collect();
            weir.kill().unwrap();
            weir.wait().unwrap();

            safe.extend(documents.map_while(Result::ok));
            for number in 1..=3 {
                safe.extend(
                    folder.0.read(&file(number)).lines().map(|line| line.replace('\\', "")),
                );
            }
            let name = |line: &String| {
                Some(line.split_once("\"name\":\"a")?.1.split_once('"')?.0.to_owned())
            };
            let safe: std::collections::HashSet<String> = safe.iter().filter_map(name).collect();
            // The line at which it was seen to be gone was read, and is not in `safe`.
            assert!(safe.len() + 1 >= 3 * OF_A_FILE, "{} are lost", 3 * OF_A_FILE - safe.len());
        }
    }
}
