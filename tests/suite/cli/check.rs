//! `weir check`.

use super::*;

#[test]
fn a_valid_configuration_is_summed_up_on_stdout_and_nothing_is_written() {
    let folder = Folder::with(&[("p.toml", SMALL)]);
    let ended = folder.weir(&["check", "p.toml"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(ended.stdout, @r"
        pipeline     small, workers 1
        source       stdin
        buffer       16MiB in memory
        sink         stdout
        dead_letter  none: the first event that needs it stops the run
        admin        does not listen
        ");
    assert_eq!(folder.names(), ["p.toml"]);
}

#[test]
fn every_problem_is_told_at_once_on_stderr() {
    let folder = Folder::with(&[(
        "p.toml",
        "nmae = 'x'\nworkers = 0\nsource.kind = 'nats'\nsink.kind = 'stdout'\n",
    )]);
    let ended = folder.weir(&["check", "p.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(ended.stderr, @r#"
        p.toml:1:1: error: missing required key `name` at the top level: Identifies the pipeline: its Lease, its saved position.
        p.toml:1:1: error: unknown key `nmae` at the top level; did you mean `name`?
        p.toml:2:11: error: `workers` must be from 1 to 256, not 0
        p.toml:3:15: error: unknown kind "nats": it may be "kubernetes", "file" or "stdin"
        "#);
}

#[test]
fn a_file_that_is_not_there_exits_2() {
    let ended = Folder::new().weir(&["check", "none.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(ended.stderr, @"none.toml:1:1: error: cannot read the configuration: No such file or directory (os error 2); `weir example` prints one to begin with");
}

#[test]
fn what_is_wrong_with_modules_is_told_together_with_what_is_wrong_with_the_rest() {
    let config = "name = 'p'\nworkerz = 2\nsource = { kind = 'stdin' }\nsink = { kind = 'stdout' }\n[[stage]]\nname = 'a'\nmodule = 'a.wasm'\nmatch = { typ = ['Normal'] }\n";
    let ended = Folder::with(&[("p.toml", config)]).weir(&["check", "p.toml"]);
    assert_eq!(ended.code, Some(2));
    insta::assert_snapshot!(ended.stderr, @r"
        p.toml:2:1: error: unknown key `workerz` at the top level; did you mean `workers`?
        p.toml:7:10: error: stage `a`: a.wasm: cannot read it: No such file or directory (os error 2): `weir filter build DIR` makes it of a filter's source
        p.toml:8:11: error: unknown key `typ` in [stage.match]; did you mean `type`?
        ");
}

#[test]
fn a_stage_gets_one_line_for_each_problem_at_its_own_place() {
    let stage = |name: &str, rest: &str| format!("[[stage]]\nname = '{name}'\n{rest}\n");
    let config = SMALL.to_owned()
        + &stage("a", "module = 'none.wasm'")
        + &stage("a", "module = 'none.wasm'")
        + &stage("b", "module = 'oci://example.org/b:1'")
        + &stage("C", "module = 'none.wasm'\ntimeout = '1 s'\nmemory = '16MB'\non_error = 'x'")
        + &stage("d", "module = 'none.wasm'\nconfig = { x = nan }");
    let folder = Folder::with(&[("p.toml", &config)]);
    let ended = folder.weir(&["check", "p.toml"]);
    assert_eq!(ended.code, Some(2));
    insta::assert_snapshot!(ended.stderr, @r#"
        p.toml:7:10: error: stage `a`: none.wasm: cannot read it: No such file or directory (os error 2): `weir filter build DIR` makes it of a filter's source
        p.toml:9:8: error: the stage name "a" is taken by the stage in line 6
        p.toml:10:10: error: stage `a`: none.wasm: cannot read it: No such file or directory (os error 2): `weir filter build DIR` makes it of a filter's source
        p.toml:13:10: error: `module` names oci://example.org/b:1 by a tag alone, and whoever can move the tag decides what runs: add the digest that `weir filter inspect oci://example.org/b:1` prints, or set `allow_tags = true` in [registry]
        p.toml:15:8: error: `name` must be 1 to 63 of a-z, 0-9 and `-`
        p.toml:16:10: error: stage `number 4`: none.wasm: cannot read it: No such file or directory (os error 2): `weir filter build DIR` makes it of a filter's source
        p.toml:17:11: error: `timeout` must be a duration such as "50ms", "15s", "5m" or "1h"
        p.toml:18:10: error: `memory` must be a size such as "512KiB", "16MiB", "2GiB" or a number of bytes
        p.toml:19:12: error: unknown on_error "x": it may be "keep", "drop" or "dead-letter"
        p.toml:23:16: error: a number must be finite: JSON has no nan and no inf
        "#);
    assert_eq!(ended, folder.weir(&["run", "--config", "p.toml"]));
}

#[test]
fn a_secret_or_a_ca_that_cannot_be_used_is_told_where_it_is_named() {
    let config = |password: &str, ca: &str| {
        format!(
            "name = 'p'\nsource.kind = 'stdin'\n[sink]\nkind = 'opensearch'\nhosts = ['https://127.0.0.1:1']\nusername = 'u'\npassword = {{ {password} }}\nca = '{ca}'\n"
        )
    };
    let folder = Folder::with(&[("empty", "\n"), ("good", "secret\n")]);
    let told = |password: &str, ca: &str| {
        std::fs::write(folder.path().join("p.toml"), config(password, ca)).unwrap();
        let ended = folder.weir(&["check", "p.toml"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        assert_eq!(ended, folder.weir(&["run", "--config", "p.toml"]));
        ended.stderr
    };
    insta::assert_snapshot!(told("file = 'none'", "none.pem"), @r"
        p.toml:7:12: error: cannot read the secret file none: No such file or directory (os error 2): it must be there, and weir's user must have the right to read it
        p.toml:8:6: error: cannot use the CA file none.pem: No such file or directory (os error 2): it must be a PEM file with the certificates of the authorities to trust
        ");
    insta::assert_snapshot!(told("file = 'empty'", "good"), @r"
        p.toml:7:12: error: the secret file empty is empty: it must hold the secret, on its only line
        p.toml:8:6: error: cannot use the CA file good: there is no certificate in it: it must be a PEM file with the certificates of the authorities to trust
        ");
    insta::assert_snapshot!(told("env = 'WEIR_NO_SUCH_VARIABLE'", "."), @r"
        p.toml:7:12: error: the environment variable WEIR_NO_SUCH_VARIABLE, which should hold the secret, is not set
        p.toml:8:6: error: cannot use the CA file .: it is a folder: it must be a PEM file with the certificates of the authorities to trust
        ");
}

#[test]
fn a_users_name_in_a_file_is_looked_at_before_a_run_and_shown_as_where_it_stands() {
    let folder = Folder::with(&[("name", "weir\n"), ("odd", "we:ir\n"), ("empty", "\n")]);
    let check = |username: &str| {
        let config = format!(
            "name = 'p'\nsource.kind = 'stdin'\n[sink]\nkind = 'opensearch'\nhosts = ['https://127.0.0.1:1']\nusername = {{ file = '{username}' }}\npassword = 'p'\n"
        );
        std::fs::write(folder.path().join("p.toml"), config).unwrap();
        folder.weir(&["check", "p.toml"])
    };
    let ended = check("name");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("user of name, password ***"), "{}", ended.stdout);
    insta::assert_snapshot!(check("odd").stderr, @"p.toml:6:12: error: what was read is no name: it must hold a name without `:` and control characters, on its only line");
    insta::assert_snapshot!(check("empty").stderr, @"p.toml:6:12: error: the secret file empty is empty: it must hold the secret, on its only line");
    assert_eq!(check("none").code, Some(2));
}

#[test]
fn a_sink_that_is_the_source_by_a_link_is_told_by_check_too() {
    let config = "name = 'p'\nsource = { kind = 'file', path = 'in' }\nsink = { kind = 'file', path = 'out' }\n";
    let folder = Folder::with(&[("p.toml", config), ("in", "")]);
    std::os::unix::fs::symlink("in", folder.path().join("out")).unwrap();
    let ended = folder.weir(&["check", "p.toml"]);
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.starts_with("p.toml:3:32: error: the sink would write"),
        "{}",
        ended.stderr
    );
}

#[test]
fn files_of_the_source_and_the_sink_that_cannot_be_used_are_told_where_they_are_named() {
    let config = |from: &str, to: &str| {
        format!(
            "name = 'p'\n[source]\nkind = 'file'\n{from}\n[sink]\nkind = 'file'\npath = '{to}'\n"
        )
    };
    let folder = Folder::with(&[("in", "")]);
    let told = |from: &str, to: &str| {
        std::fs::write(folder.path().join("p.toml"), config(from, to)).unwrap();
        let ended = folder.weir(&["check", "p.toml"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        assert_eq!(ended, folder.weir(&["run", "--config", "p.toml"]));
        assert_eq!(folder.names(), ["in", "p.toml"], "nothing is made");
        ended.stderr
    };
    insta::assert_snapshot!(told("path = 'none'", "none/out"), @r"
        p.toml:4:8: error: cannot read the source's file none: No such file or directory (os error 2): it must be a file that is there when weir starts, also where it is followed, and weir's user must have the right to read it
        p.toml:7:8: error: cannot write the sink's file none/out: No such file or directory (os error 2): weir makes the file, but not its folder, and weir's user must have the right to write to both
        ");
    insta::assert_snapshot!(told("path = 'none'\nfollow = true", "in/out"), @r"
        p.toml:4:8: error: cannot read the source's file none: No such file or directory (os error 2): it must be a file that is there when weir starts, also where it is followed, and weir's user must have the right to read it
        p.toml:8:8: error: cannot write the sink's file in/out: Not a directory (os error 20): weir makes the file, but not its folder, and weir's user must have the right to write to both
        ");
    insta::assert_snapshot!(told("path = '.'", ".."), @r"
        p.toml:4:8: error: cannot read the source's file .: it is a folder: it must be a file that is there when weir starts, also where it is followed, and weir's user must have the right to read it
        p.toml:7:8: error: cannot write the sink's file ..: it is a folder: weir makes the file, but not its folder, and weir's user must have the right to write to both
        ");
}

#[test]
fn a_sinks_file_need_not_be_there_and_a_source_may_be_no_regular_file() {
    let config = "name = 'p'\nsource = { kind = 'file', path = '/dev/null' }\nsink = { kind = 'file', path = 'out' }\n";
    let folder = Folder::with(&[("p.toml", config)]);
    let check = || folder.weir(&["check", "p.toml"]);
    assert_eq!((check().code, folder.names()), (Some(0), vec!["p.toml".to_owned()]));
    // As a run would make it.
    std::os::unix::fs::symlink("later", folder.path().join("out")).unwrap();
    assert_eq!(check().code, Some(0));
    assert_eq!(folder.weir(&["run", "--config", "p.toml"]).code, Some(0));
    assert_eq!(folder.names(), ["later", "out", "p.toml"]);
}

#[test]
fn modules_that_cannot_be_loaded_are_told_at_once_where_they_are_named() {
    let stage =
        |name: &str, module: &str| format!("[[stage]]\nname = '{name}'\nmodule = '{module}'\n");
    let config = SMALL.to_owned()
        + &stage("missing", "missing.wasm")
        + &stage("text", "text.wasm")
        + &stage("core", "core.wasm");
    let folder = Folder::with(&[("p.toml", &config), ("text.wasm", "hello")]);
    std::fs::write(folder.path().join("core.wasm"), wat::parse_str("(module)").unwrap()).unwrap();
    let ended = folder.weir(&["check", "p.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(ended.stderr, @r"
        p.toml:7:10: error: stage `missing`: missing.wasm: cannot read it: No such file or directory (os error 2): `weir filter build DIR` makes it of a filter's source
        p.toml:10:10: error: stage `text`: text.wasm: it is not WebAssembly
        p.toml:13:10: error: stage `core`: core.wasm: it is a core module, and weir needs a component: run `weir filter build` on its source
        ");
}

#[test]
fn modules_are_loaded_and_configured_and_only_the_compile_cache_is_written() {
    let refuses = modules::Guest {
            items: r#"(data (i32.const 1024) "`keep`: what is that?")"#,
            configure: "(i32.store8 (i32.const 16) (i32.const 1))
                (i32.store (i32.const 20) (i32.const 1024)) (i32.store (i32.const 24) (i32.const 21))",
            ..modules::Guest::default()
        };
    let stage = |name: &str| format!("[[stage]]\nname = '{name}'\nmodule = '{name}.wasm'\n");
    let fine = SMALL.to_owned()
        + &stage("drop")
        + "match = { type = ['Normal'], kind = ['Pod', 'Node'] }\n";
    let wrong = fine.clone() + &stage("refuses") + "[stage.config]\nkeep = 1\n";
    let folder = Folder::with(&[("fine.toml", &fine), ("wrong.toml", &wrong)]);
    std::fs::write(folder.path().join("drop.wasm"), modules::DROP_NORMAL.component()).unwrap();
    std::fs::write(folder.path().join("refuses.wasm"), refuses.component()).unwrap();

    let ended = folder.weir(&["check", "fine.toml"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    insta::assert_snapshot!(ended.stdout, @r"
        pipeline     small, workers 1
        source       stdin
        stage        drop: drop.wasm, can drop events, type Normal, kind Pod|Node, 50ms of CPU time a call, 16MiB of memory, on error keep
        buffer       16MiB in memory
        sink         stdout
        dead_letter  none: the first event that needs it stops the run
        admin        does not listen
        ");
    assert_eq!(folder.names(), ["cache", "drop.wasm", "fine.toml", "refuses.wasm", "wrong.toml"]);

    let ended = folder.weir(&["check", "wrong.toml"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    insta::assert_snapshot!(ended.stderr, @"wrong.toml:12:1: error: stage `refuses`: refuses.wasm: it refused [stage.config]: `keep`: what is that?");
}
