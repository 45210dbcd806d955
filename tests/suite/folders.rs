//! Whose folders a run takes, as pods have them: volumes of every owner and mode, under a user
//! that has no name.
//!
//! Each test has mounts of its own, in a namespace that ends with it. That needs root: elsewhere
//! the tests say so and pass; in CI, where nobody reads it, they fail.

use std::io::Write;
use std::process::Command;

use crate::support::{Ended, Folder, modules};

/// A user that is in no `/etc/passwd`, as OpenShift chooses them.
const USER: u32 = 1_000_640_000;
const GROUP: u32 = 2_000_640;

const EVENTS: &str = concat!(
    r#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"a.1","namespace":"shop","uid":"u-1","#,
    r#""resourceVersion":"11"},"involvedObject":{"kind":"Pod","namespace":"shop","name":"a"},"#,
    r#""reason":"Started","type":"Normal"}"#,
    "\nno event\n"
);

/// Runs a script in a mount namespace of its own, in a folder that everybody may read. `weir GROUPS
/// CONFIG` in it is a run as [`USER`], in group 0 and these. `None`: this machine does not let it.
fn in_own_mounts(name: &str, config: &str, script: &str) -> Option<Ended> {
    let may = Command::new("unshare").args(["--mount", "setpriv", "--reuid=1", "true"]).output();
    if !may.is_ok_and(|may| may.status.success()) {
        let said = format!("SKIPPED: {name} needs root, for mounts and users of its own\n");
        assert!(std::env::var_os("CI").is_none(), "{said}");
        // Not by eprintln!, of which nothing shows when a test passes.
        let _ = std::io::stderr().write_all(said.as_bytes());
        return None;
    }
    let folder = Folder::with(&[("in.jsonl", EVENTS), ("pipeline.toml", config)]);
    folder.write("drop.wasm", modules::DROP_NORMAL.component());
    // The binary may lie where only its builder may look.
    let setup = format!(
        "set -e; cd {folder}; chmod 755 .; touch weir; mount --bind {weir} weir
         weir() {{
           setpriv --reuid={USER} --regid=0 $1 -- ./weir run --config ${{2:-pipeline.toml}}
         }}\n",
        folder = folder.path().display(),
        weir = env!("CARGO_BIN_EXE_weir"),
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "bash", "-c", &(setup + script)]).env_remove("WEIR_LOG");
    Some(folder.end_of(&mut command))
}

/// A pipeline whose folders are these.
fn pipeline(spool: &str, letters: &str) -> String {
    format!(
        "name = \"folders\"\nsource = {{ kind = \"file\", path = \"in.jsonl\" }}\n\
         sink = {{ kind = \"stdout\" }}\nbuffer = {{ path = \"{spool}\" }}\n\
         dead_letter = {{ path = \"{letters}\" }}\n"
    )
}

#[test]
fn the_root_of_a_volume_is_taken_whatever_its_owner_and_mode_and_taken_again() {
    for (mode, owner, groups) in [
        ("0777", "0:0", "--clear-groups".to_owned()),
        ("2777", &format!("0:{GROUP}"), format!("--groups={GROUP}")),
        ("1777", "0:0", "--clear-groups".to_owned()),
        ("3777", &format!("0:{GROUP}"), format!("--groups={GROUP}")),
        ("2775", &format!("0:{GROUP}"), format!("--groups={GROUP}")),
        ("0775", "7:0", "--clear-groups".to_owned()),
    ] {
        for spool in ["data", "data/spool"] {
            let script = format!(
                "mkdir data letters
                 for volume in data letters; do
                   mount -t tmpfs -o size=20m volume $volume
                   chown {owner} $volume; chmod {mode} $volume
                 done
                 weir {groups} 2>first >out || {{ cat first >&2; exit 1; }}
                 # What the kubelet does to what is there, at each start of a pod.
                 chown -R :{GROUP} data; chmod -R g+rwX data
                 weir {groups} || exit 1
                 wc -l <letters/00000001.jsonl >&2"
            );
            let name = "the_root_of_a_volume_is_taken";
            let Some(ended) = in_own_mounts(name, &pipeline(spool, "letters"), &script) else {
                return;
            };
            assert_eq!(ended.code, Some(0), "{mode} {owner} {spool}: {}", ended.stderr);
            assert_eq!(ended.last(), "2", "each run has one: {}", ended.stderr);
        }
    }
}

/// How a run as [`USER`] ends that is to be refused.
fn refused(name: &str, script: &str) -> Option<String> {
    let script = format!(
        "{script}\nweir --clear-groups 2>&1 >/dev/null | tail -n 2 >&2; exit ${{PIPESTATUS[0]}}"
    );
    let ended = in_own_mounts(name, &pipeline("data", "letters"), &script)?;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    Some(ended.stderr.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn a_folder_that_everybody_may_write_to_is_refused_by_name() {
    let Some(said) = refused(
        "a_folder_that_everybody_may_write_to",
        &format!("mkdir data letters; chown {USER} data letters; chmod 777 data"),
    ) else {
        return;
    };
    insta::assert_snapshot!(said, @"error: cannot use the buffer: everybody may write to data (mode 0777): whoever can change what weir keeps there can make it lose events, or send others: `chmod o-w data`, or name another folder, or mount a volume there");
}

#[test]
fn a_folder_of_another_user_is_refused_by_name() {
    let name = "a_folder_of_another_user";
    let script = format!("mkdir data letters; chown {USER} letters; chown 7 data; chmod 775 data");
    // Group 0 is one of its groups, so that only the owner of another folder is in the way.
    let Some(said) = refused(name, &format!("{script}; chgrp 7 data")) else { return };
    insta::assert_snapshot!(said, @"error: cannot use the buffer: data belongs to user 7, and weir runs as user 1000640000: whoever can change what weir keeps there can make it lose events, or send others: `chown 1000640000 data`, or name another folder, or mount a volume there");
}

#[test]
fn a_folder_above_that_everybody_may_write_to_is_refused_by_name() {
    let name = "a_folder_above_that_everybody_may_write_to";
    let script = format!("mkdir data letters; chown {USER} data letters; chmod 777 .");
    let Some(said) = refused(name, &script) else { return };
    insta::assert_snapshot!(said, @"error: cannot keep the dead letters: everybody may write to DIR (mode 0777), above letters: whoever can change what weir keeps there can make it lose events, or send others: `chmod o-w DIR`, or name another folder, or mount a volume there");
}

/// How a run with a module ends whose root is read-only, with two volumes, and what else `mounts`
/// makes below /mnt.
fn in_a_read_only_root(name: &str, cache: &str, mounts: &str) -> Option<Ended> {
    let script = format!(
        "mkdir data letters
         for volume in data letters; do
           mount -t tmpfs -o size=20m,mode=0777 volume $volume
         done
         mount --bind / /mnt; mount -o remount,bind,ro /mnt
         for volume in data letters; do mount --bind $volume /mnt$PWD/$volume; done
         mount --bind weir /mnt$PWD/weir; mount --bind /dev /mnt/dev
         {mounts}
         exec chroot /mnt bash -c \"cd $PWD; setpriv --reuid=1000640000 --regid=0 \
           --clear-groups -- ./weir run --config pipeline.toml\""
    );
    let stage =
        format!("cache = \"{cache}\"\n[[stage]]\nname = \"drop\"\nmodule = \"drop.wasm\"\n");
    let ended = in_own_mounts(name, &(pipeline("data", "letters") + &stage), &script)?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.last().starts_with("ledger received=2 "), "{}", ended.stderr);
    Some(ended)
}

#[test]
fn with_a_read_only_root_only_the_volumes_are_written_to() {
    let mounts = "mount -t proc proc /mnt/proc";
    let name = "with_a_read_only_root";
    let Some(ended) = in_a_read_only_root(name, "/nowhere/cache", mounts) else { return };
    assert!(ended.stderr.contains("the compile cache is not used: "), "{}", ended.stderr);
}

#[test]
fn without_proc_modules_are_compiled_by_the_run_itself_and_run_from_memory() {
    let Some(ended) = in_a_read_only_root("without_proc", "data/cache", "") else { return };
    assert!(ended.stderr.contains("weir cannot find its own binary"), "{}", ended.stderr);
    assert!(ended.stderr.contains("it runs from memory"), "{}", ended.stderr);
}
