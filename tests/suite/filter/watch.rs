//! `weir filter build --watch` and `--json`, with the real toolchain.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};

use serde_json::Value;

use super::offline_in;
use crate::support::{DEADLINE, Folder};

/// What is ended when the test is.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Begins to watch, and gives each line.
fn watch(folder: &Folder, arguments: &[&str]) -> (Running, Receiver<Value>) {
    let mut command = folder.command(arguments);
    let mut child = offline_in("watched", &mut command)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (sender, receiver) = sync_channel(100);
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                break;
            }
        }
    });
    (Running(child), receiver)
}

#[test]
fn each_change_is_built_and_tested_and_what_passes_is_put_where_it_is_wanted() {
    let folder = Folder::new();
    assert_eq!(folder.weir(&["filter", "new", "noise"]).code, Some(0));
    let arguments = ["filter", "build", "noise", "--watch", "--into", "live/it.wasm", "--json"];
    let (_running, rounds) = watch(&folder, &arguments);
    let next = |what: &dyn Fn(&Value) -> bool| loop {
        // cargo may write its lock file, which is a change.
        let round = rounds.recv_timeout(DEADLINE).unwrap();
        if what(&round) {
            return round;
        }
    };
    let first = next(&|_| true);
    assert_eq!(first["cases"], serde_json::json!({"passed": 1, "failed": 0}), "{first}");
    assert_eq!(first["into"], "live/it.wasm", "{first}");
    let put = || std::fs::read(folder.path().join("live/it.wasm")).unwrap();
    let module = put();
    assert_eq!(first["bytes"], module.len());

    let code = folder.read("noise/src/lib.rs");
    folder.write("noise/src/lib.rs", code.replace("Verdict::Drop(self.0)", "Verdict::Keep"));
    let failing = next(&|round| round["cases"]["failed"] == 1);
    assert!(failing["into"].is_null(), "{failing}");
    assert_ne!(failing["digest"], first["digest"]);
    assert_eq!(put(), module, "what fails its cases is put nowhere");

    folder.write("noise/src/lib.rs", "no Rust");
    let broken = next(&|round| round["error"].is_string());
    assert!(broken["error"].as_str().unwrap().contains("cargo could not build"), "{broken}");

    folder.write("noise/src/lib.rs", &code);
    let again = next(&|round| round["into"].is_string());
    assert_eq!(again["digest"], first["digest"]);
    assert_eq!(put(), module);
}

#[test]
fn a_build_is_told_to_programs_and_a_failure_too() {
    let folder = Folder::new();
    assert_eq!(folder.weir(&["filter", "new", "noise"]).code, Some(0));
    let build = || {
        let arguments = ["filter", "build", "noise", "--json"];
        let ended = folder.end_of(offline_in("told", &mut folder.command(&arguments)));
        let told: Value = serde_json::from_str(&ended.stdout).unwrap();
        (ended.code, told)
    };
    let (code, built) = build();
    assert_eq!(code, Some(0));
    let path =
        built["module"].as_str().unwrap().replace("DIR", &folder.path().display().to_string());
    let module = std::fs::read(path).unwrap();
    assert_eq!(built["bytes"], module.len());
    assert_eq!(built["world"], "weir:pipeline/filter@0.1.0");
    assert!(built["digest"].as_str().unwrap().starts_with("sha256:"), "{built}");
    assert!(built["seconds"].is_number(), "{built}");

    folder.write("noise/src/lib.rs", "no Rust");
    let (code, failed) = build();
    assert_eq!(code, Some(1));
    assert!(failed["error"].as_str().unwrap().contains("cargo could not build"), "{failed}");
}

#[test]
fn one_folder_is_watched_and_into_is_for_that() {
    let folder = Folder::new();
    let build = |more: &[&str]| folder.weir(&[&["filter", "build"], more].concat());
    let two = build(&["a", "b", "--watch"]);
    assert_eq!(two.code, Some(2));
    assert_eq!(two.last(), "error: --watch watches one folder, and 2 are given: run one for each");
    assert_eq!(build(&["a", "--into", "b.wasm"]).code, Some(2));
}
