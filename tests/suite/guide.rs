//! `filters/README.md`, followed to the letter: its commands run in an empty folder, one after the
//! other, with nothing of weir's but the binary. That needs what `filter` needs.

use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::{Folder, repository};

#[test]
fn the_commands_of_the_guide_run_from_top_to_bottom_in_an_empty_folder() {
    let guide = std::fs::read_to_string(repository().join("filters/README.md")).unwrap();
    let blocks: Vec<&str> =
        guide.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let commands = blocks.concat();
    assert!(blocks.len() >= 4 && commands.contains("weir filter new first"), "{commands}");

    let (bin, empty) = (Folder::new(), Folder::new());
    symlink(env!("CARGO_BIN_EXE_weir"), bin.path().join("weir")).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut shell = std::process::Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", &commands]).current_dir(empty.path());
    shell.env("PATH", format!("{}:{path}", bin.path().display()));
    shell.env("XDG_CACHE_HOME", empty.path().join("cache")).env_remove("WEIR_LOG");
    shell.env("CARGO_NET_OFFLINE", "true");
    shell.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide"));
    let ended = empty.end_of(shell.stdin(std::process::Stdio::null()));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for said in [
        "test result: ok. 1 passed",
        "ok       first (2 events)\n1 passed, 0 failed\n",
        "\"reason\":\"BackOff\"",
        "{\"verdict\":\"dropped\",\"reason\":\"normal\"",
        "can drop events; cannot change anything",
        "world        weir:pipeline/filter@0.1.0",
    ] {
        assert!(ended.stdout.contains(said), "{said}: {ended:?}");
    }
}
