//! `weir position`.

use super::*;

const WITH_SPOOL: &str = "name = 'p'\nsource = { kind = 'file', path = 'in' }\nbuffer.path = 'spool'\nsink = { kind = 'file', path = 'out' }\n";
fn record(folder: &Folder) -> String {
    let source = folder.path().canonicalize().unwrap().join("in").display().to_string();
    format!(
        r#"{{"version":1,"pipeline":"p","source":"file {source}","target":{{"kind":"file","index":"elsewhere"}},"positions":{{"source":"1:2:3"}}}}"#
    )
}

fn saved() -> Folder {
    let folder = Folder::with(&[("p.toml", WITH_SPOOL), ("in", "")]);
    assert_eq!(folder.weir(&["run", "--config", "p.toml"]).code, Some(0), "it makes the spool");
    std::fs::write(folder.path().join("spool/position.json"), record(&folder)).unwrap();
    folder
}

fn position(folder: &Folder, command: &str) -> Ended {
    folder.weir(&["position", command, "--config", "p.toml"])
}

#[test]
fn it_is_shown_and_nothing_is_changed() {
    let folder = saved();
    let ended = position(&folder, "show");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(ended.stdout, @r"
        source    file DIR/in
        target    pipeline p, file, index elsewhere
        position  source  1:2:3
        ");
    assert_eq!(
        std::fs::read_to_string(folder.path().join("spool/position.json")).unwrap(),
        record(&folder)
    );
}

#[test]
fn a_run_with_another_target_refuses_to_start_until_one_decides() {
    let folder = saved();
    let ended = folder.weir(&["run", "--config", "p.toml", "--log-format", "json"]);
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    insta::assert_snapshot!(ended.stderr.lines().find(|line| line.starts_with("error")).unwrap(), @"error: the position in spool was saved for another target (pipeline p, file, index elsewhere; now pipeline p, file, index DIR/out): the events before it are in that one, and would be missing in this one. Decide with `weir position keep --config FILE` (continue after it) or `weir position reset --config FILE` (read again everything that the source still has); `weir position show --config FILE` shows it");
    assert_eq!(position(&folder, "keep").code, Some(0));
    insta::assert_snapshot!(position(&folder, "show").stdout, @r"
        source    file DIR/in
        target    pipeline p, file, index DIR/out
        position  source  1:2:3
        ");
    assert_eq!(
        position(&folder, "reset").stdout,
        "forgotten: the next run begins as source.start says\n"
    );
    assert_eq!(position(&folder, "reset").stdout, "there was none\n");
}

#[test]
fn only_what_can_be_read_and_gone_on_from_is_kept_and_anything_can_be_forgotten() {
    let folder = saved();
    let path = folder.path().join("spool/position.json");
    let newer = record(&folder).replace("\"version\":1", "\"version\":9");
    let elsewhere = record(&folder).replace("/in\"", "/other\"");
    for (text, said) in [(newer, "cannot be used"), (elsewhere, "is of another source")] {
        std::fs::write(&path, &text).unwrap();
        let ended = position(&folder, "keep");
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{text}");
        assert!(
            ended.stderr.contains(said) && ended.stderr.contains("weir position reset"),
            "{}",
            ended.stderr
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "it is still there");
    }
    std::fs::write(&path, "garbage").unwrap();
    assert_eq!(position(&folder, "reset").code, Some(0));
    assert!(!path.exists());
}

#[test]
fn what_waits_on_disk_is_told_and_stays_whatever_is_decided() {
    let events = concat!(env!("CARGO_MANIFEST_DIR"), "/config/demo-events.jsonl");
    let text = format!(
        "name = 'p'\nsource = {{ kind = 'file', path = {events:?}, follow = true }}\nbuffer.path = 'spool'\n\
             [sink]\nkind = 'opensearch'\nhosts = ['http://127.0.0.1:9']\nindex = 'i'\n"
    );
    let folder = Folder::with(&[("p.toml", &text)]);
    let mut run =
        folder.command(&["run", "--config", "p.toml"]).stderr(Stdio::null()).spawn().unwrap();
    // It is saved when everything before it is on disk.
    let saved = folder.path().join("spool/position.json");
    until("a position is saved", || saved.exists());
    run.kill().unwrap();
    run.wait().unwrap();
    let waiting = |ended: Ended| {
        let line = ended.stdout.lines().find(|line| line.starts_with("waiting")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{}{}", ended.stdout, ended.stderr))
    };
    let told = waiting(position(&folder, "show"));
    assert!(told.ends_with(" documents in spool, which the next run sends first"), "{told}");
    assert_eq!(waiting(position(&folder, "keep")), told);
    assert_eq!(waiting(position(&folder, "reset")), told);
    assert_eq!(waiting(position(&folder, "reset")), told, "there was no position any more");
}

#[test]
fn a_folder_without_a_spool_stays_as_it_is() {
    let folder = Folder::with(&[("p.toml", WITH_SPOOL)]);
    std::fs::create_dir(folder.path().join("spool")).unwrap();
    assert_eq!(position(&folder, "show").code, Some(1));
    assert_eq!(std::fs::read_dir(folder.path().join("spool")).unwrap().count(), 0);
}

#[test]
fn without_one_or_without_a_folder_it_says_so() {
    let folder = Folder::with(&[("p.toml", WITH_SPOOL), ("s.toml", SMALL)]);
    let ended = position(&folder, "keep");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(!folder.path().join("spool").exists(), "nothing is made");
    let ended = position(&folder, "show");
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    insta::assert_snapshot!(ended.stderr, @"error: no position is saved in spool: no run has got that far yet");
    let ended = folder.weir(&["position", "show", "--config", "s.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(ended.stderr, @"error: s.toml has neither buffer.path nor a Lease, and so no position is saved");
}
