//! The command line, through the real binary: what it prints, where, and its exit code.

use std::process::Stdio;

use crate::support::{Ended, Folder, modules, repository, until};

fn help_of(command: &[&str]) -> String {
    let ended = Folder::new().weir(&[command, &["--help"]].concat());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    ended.stdout
}

mod help {
    use super::*;

    #[test]
    fn of_weir() {
        insta::assert_snapshot!(help_of(&[]), @r"
        Watches a Kubernetes cluster's events, runs each one through WebAssembly modules, and ships what is
        left to OpenSearch in batches

        Usage: weir <COMMAND>

        Commands:
          run          Run a pipeline until its source ends or a signal stops it
          check        Tell everything that is wrong with a configuration, or what it would run
          test         Run a pipeline's stages over recorded events, and compare what becomes of each with
                       what is expected
          doctor       Ask the servers whether a pipeline can run, and say what to do
          dead-letter  Look at dead letters, and replay them
          filter       Make filters: WebAssembly modules for stages
          opensearch   Set up OpenSearch, or see how it differs
          position     Show or change how far a pipeline has read its source
          migrate      Turn another tool's configuration into weir's
          example      Print a configuration that shows every key with what it means
          schema       Print the JSON Schema of the configuration, for editors
          completions  Print a shell's completions
          help         Print this message or the help of the given subcommand(s)

        Options:
          -h, --help     Print help
          -V, --version  Print version

        Exit codes:
          0  success
          1  a run that failed
          2  wrong usage or configuration, a module that cannot be loaded included

        Environment:
          WEIR_LOG  which log lines to show, such as `warn` or `info,weir::sink=debug` (default: info)
        ");
    }

    #[test]
    fn of_run() {
        insta::assert_snapshot!(help_of(&["run"]), @r"
        Run a pipeline until its source ends or a signal stops it

        SIGTERM or SIGINT stops reading and finishes what is in flight within 25 seconds; a second one ends
        at once. SIGHUP has the sink's file opened again, credentials read again, and changed stages taken
        up. A run ends with one line on stderr that accounts for every event: `ledger received=N recovered=N
        replayed=N delivered=N filtered=N dead_lettered=N in_flight=N`. stdout carries nothing but the
        documents of a stdout sink.

        Usage: weir run [OPTIONS] --config <FILE>

        Options:
              --config <FILE>
                  The configuration; `weir example` prints one, `weir check` tells what is wrong with one

              --log-format <FORMAT>
                  How log lines look: `human`, `json` (one object a line), or `auto`: human on a terminal,
                  json elsewhere
                  
                  [default: auto]

          -h, --help
                  Print help (see a summary with '-h')
        ");
    }

    #[test]
    fn of_check() {
        insta::assert_snapshot!(help_of(&["check"]), @r"
        Tell everything that is wrong with a configuration, or what it would run

        Each diagnostic goes to stderr and begins with a line FILE:LINE:COL: error: TEXT. The check loads
        the modules, reads the secrets and certificates that are named, and looks for the files of the
        source and the sink; it contacts no server, and writes nothing but the compile cache.

        Usage: weir check [OPTIONS] <FILE>

        Arguments:
          <FILE>
                  The configuration, as `weir run` would take it

        Options:
              --log-format <FORMAT>
                  How log lines look: `human`, `json` (one object a line), or `auto`: human on a terminal,
                  json elsewhere
                  
                  [default: auto]

          -h, --help
                  Print help (see a summary with '-h')
        ");
    }

    #[test]
    fn of_doctor() {
        insta::assert_snapshot!(help_of(&["doctor"]), @r"
        Ask the servers whether a pipeline can run, and say what to do

        A line for each finding: `ok|warn|fail NAME: TEXT`. It asks the API server (version, clock, each
        right, the Lease) and OpenSearch (version, login, rights, clock, and the policy, template and data
        stream as they are), looks at the disk, asks registries for the modules that are there, and loads
        the modules. It takes no lock and writes nothing, so it may be run before the first run, and beside
        one. With a `fail` the exit code is 1; a configuration that cannot be run is told as `weir check`
        tells it, with 2.

        Usage: weir doctor [OPTIONS] --config <FILE>

        Options:
              --config <FILE>
                  The pipeline's configuration

              --json
                  A JSON object a line: `level`, `name`, `text`, and `grant` where a right is missing

          -h, --help
                  Print help (see a summary with '-h')
        ");
    }

    #[test]
    fn of_opensearch() {
        insta::assert_snapshot!(help_of(&["opensearch"]), @r"
        Set up OpenSearch, or see how it differs

        Usage: weir opensearch <COMMAND>

        Commands:
          setup  Install the policy, index template and data stream that are missing
          help   Print this message or the help of the given subcommand(s)

        Options:
          -h, --help  Print help
        ");
    }

    #[test]
    fn of_opensearch_setup() {
        insta::assert_snapshot!(help_of(&["opensearch", "setup"]), @r"
        Install the policy, index template and data stream that are missing

        In this order: the ISM policy for rollover and retention, the index template, and, for an index
        without a date, the data stream. Then it is verified that what is written to is managed, and at
        which revision of the policy. What an earlier setup left is brought up to date; what somebody edited
        since is shown, and stays.

        Usage: weir opensearch setup [OPTIONS] --config <FILE>

        Options:
              --config <FILE>
                  The pipeline's configuration

              --dry-run
                  Write nothing: show what is missing or differs, and exit with 1 if anything does

              --force
                  Overwrite what somebody edited

              --overlay <FILE>
                  A JSON file with `settings` and `mappings`, as the `template` of an index template has
                  them: they are merged into weir's own (null takes something away) and kept until another
                  overlay is named; {} is none

              --retention <AGE>
                  How long documents are kept, in days or hours, such as 30d; absent: what an earlier setup
                  was told, or 30d

          -h, --help
                  Print help (see a summary with '-h')
        ");
    }

    #[test]
    fn of_dead_letter() {
        insta::assert_snapshot!(help_of(&["dead-letter"]), @r#"
        Look at dead letters, and replay them

        A dead letter is an event that could not be processed: malformed, refused by the sink, or by a stage
        with on_error = "dead-letter". It is kept where dead_letter in the configuration says, with its
        source's own bytes and the reason.

        Usage: weir dead-letter <COMMAND>

        Commands:
          list    List dead letters, one a line
          show    Show everything about some dead letters
          replay  Send dead letters through the pipeline again
          help    Print this message or the help of the given subcommand(s)

        Options:
          -h, --help
                  Print help (see a summary with '-h')
        "#);
    }

    #[test]
    fn of_dead_letter_list() {
        insta::assert_snapshot!(help_of(&["dead-letter", "list"]), @r"
        List dead letters, one a line

        A line has the letter's id, when it was written, where the event was refused (source, stage:NAME or
        sink), the reason, which event it is (or how many bytes, where that cannot be read), and the reason
        in words. A last line on stderr counts them. Needs no lock: weir may be running.

        Usage: weir dead-letter list [OPTIONS]

        Options:
              --config <FILE>
                  The configuration whose dead letters are meant

              --from <FOLDER>
                  Look into this folder instead

              --where <PART>
                  Only those that this kind of part refused
                  
                  [possible values: source, stage, sink]

              --stage <NAME>
                  Only those that this stage failed on

              --reason <REASON>
                  Only those with this reason, such as `mapping` or `syntax`

              --json
                  Print one JSON object a letter

          -h, --help
                  Print help (see a summary with '-h')
        ");
    }

    #[test]
    fn of_dead_letter_show() {
        insta::assert_snapshot!(help_of(&["dead-letter", "show"]), @r"
        Show everything about some dead letters

        JSON is spread over lines, with every number and the order of keys as they were. Needs no lock: weir
        may be running.

        Usage: weir dead-letter show [OPTIONS] <ID>...

        Arguments:
          <ID>...
                  Which letters, as `weir dead-letter list` names them: 00000001:17

        Options:
              --config <FILE>
                  The configuration whose dead letters are meant

              --from <FOLDER>
                  Look into this folder instead

              --json
                  Print the records as they are in their files (or would be, from an index), one a line,
                  with control characters as JSON's escapes

          -h, --help
                  Print help (see a summary with '-h')
        ");
    }

    #[test]
    fn of_dead_letter_replay() {
        insta::assert_snapshot!(help_of(&["dead-letter", "replay"]), @r"
        Send dead letters through the pipeline again

        Each letter's own bytes go through the stages to the sink, as if a file held them. A letter leaves
        the folder or the index when its event has an outcome; one that fails again is there once, with the
        new reason and time. After a crash some may be replayed twice, which OpenSearch stores once, because
        ids are made of the event. Needs a folder for itself (but not an index), and neither the Kubernetes
        API nor the saved position nor buffer.path. Ends with the ledger line of `weir run`; exit code 1
        when some letters failed again, or could not be replayed and stayed.

        Usage: weir dead-letter replay [OPTIONS] --config <FILE> [ID]...

        Arguments:
          [ID]...
                  These letters, as `weir dead-letter list` names them: 00000001:17

        Options:
              --config <FILE>
                  The configuration of the pipeline

              --from <FOLDER>
                  Replay the letters of this folder, instead of those of [dead_letter]; those that fail
                  again stay in it

              --all
                  All letters, or all that the options below name

              --where <PART>
                  Only those that this kind of part refused
                  
                  [possible values: source, stage, sink]

              --stage <NAME>
                  Only those that this stage failed on

              --reason <REASON>
                  Only those with this reason, such as `mapping` or `syntax`

              --sink-only
                  Send the documents to the sink as they were made then, past the stages; letters without
                  one stay

              --log-format <FORMAT>
                  How log lines look: `human`, `json` (one object a line), or `auto`: human on a terminal,
                  json elsewhere
                  
                  [default: auto]

          -h, --help
                  Print help (see a summary with '-h')
        ");
    }

    #[test]
    fn of_example() {
        insta::assert_snapshot!(help_of(&["example"]), @r"
        Print a configuration that shows every key with what it means

        Usage: weir example

        Options:
          -h, --help  Print help
        ");
    }

    #[test]
    fn of_schema() {
        insta::assert_snapshot!(help_of(&["schema"]), @r"
        Print the JSON Schema of the configuration, for editors

        Usage: weir schema

        Options:
          -h, --help  Print help
        ");
    }

    #[test]
    fn of_completions() {
        insta::assert_snapshot!(help_of(&["completions"]), @r"
        Print a shell's completions

        Usage: weir completions <SHELL>

        Arguments:
          <SHELL>  Which shell [possible values: bash, elvish, fish, powershell, zsh]

        Options:
          -h, --help  Print help
        ");
    }

    #[test]
    fn of_filter() {
        insta::assert_snapshot!(help_of(&["filter"]), @r"
        Make filters: WebAssembly modules for stages

        Usage: weir filter <COMMAND>

        Commands:
          new      Makes ./NAME: a filter that builds, with a test, sample events and a case
          update   Renews what a filter has of weir in .weir: the SDK, or the contract
          build    Builds filters into WebAssembly components
          doctor   Says whether filters can be built here, and what to do where they cannot
          inspect  Says what a module is and may do, and prints a `[[stage]]` to paste
          diff     Shows the last few events on which a stage's shadow does otherwise than its module
          test     Builds a filter, and compares what becomes of recorded events with what is expected
          push     Pushes a module to a registry, and prints a `[[stage]]` that names it
          pull     Pulls a module out of a registry, into weir's cache and a file
          save     Saves modules of registries in one file, to be carried where no registry is
          load     Loads modules that were saved into weir's cache, or pushes them to another registry
          compile  Compiles modules ahead of the weir that will run them, into its compile cache
          bench    Measures what a module costs an event
          try      Shows what a module would do with events of a cluster, a file or stdin, and touches
                   nothing
          help     Print this message or the help of the given subcommand(s)

        Options:
          -h, --help  Print help
        ");
    }

    #[test]
    fn of_filter_build() {
        insta::assert_snapshot!(help_of(&["filter", "build"]), @r#"
        Builds filters into WebAssembly components.

        Of a crate: runs cargo for the target wasm32-unknown-unknown, and makes a component of its module.
        Where there is no Cargo.toml, `sh build.sh FILE` makes it, which is how filters in other languages
        are built. Checks it, and says what it will be able to do. With --watch it does so on each change,
        and runs the cases; with --into what passes them is put where a running weir takes it up.

        Usage: weir filter build [OPTIONS] [DIR]...

        Arguments:
          [DIR]...
                  The folders of the filters: a crate each, or another language's with a build.sh
                  
                  [default: .]

        Options:
              --out <FILE>
                  Where to write the module, when there is one; default: dist/NAME.wasm beside the
                  Cargo.toml of DIR's workspace, or in DIR

              --watch
                  Build again on each change in DIR, and run its cases, until Ctrl-C

              --into <FILE>
                  Put each module whose cases pass there, too: a running weir with `reload = "watch"` takes
                  it up

              --json
                  Print one JSON object for each module

              --log-format <FORMAT>
                  How log lines look: `human`, `json` (one object a line), or `auto`: human on a terminal,
                  json elsewhere
                  
                  [default: auto]

          -h, --help
                  Print help (see a summary with '-h')
        "#);
    }
}

mod usage {
    use super::*;

    #[test]
    fn the_version_is_the_crates() {
        let ended = Folder::new().weir(&["-V"]);
        let stdout = format!("weir {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(ended, Ended { code: Some(0), stdout, stderr: String::new() });
    }

    #[test]
    fn wrong_usage_exits_2_and_prints_nothing_to_stdout() {
        let arguments: [&[&str]; 6] = [
            &[],
            &["nonsense"],
            &["check"],
            &["check", "a", "b"],
            &["check", "--nonsense", "a"],
            &["filter", "build", "nowhere"],
        ];
        for arguments in arguments {
            let ended = Folder::new().weir(arguments);
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}");
            assert!(!ended.stderr.is_empty());
        }
        insta::assert_snapshot!(Folder::new().weir(&["chekc", "x"]).stderr, @r"
        error: unrecognized subcommand 'chekc'

          tip: some similar subcommands exist: 'schema', 'check'

        Usage: weir <COMMAND>

        For more information, try '--help'.
        ");
    }

    #[test]
    fn a_variable_that_holds_a_line_break_alone_holds_no_secret() {
        let folder = Folder::with(&[(
            "p.toml",
            "name = 'p'\nsource = { kind = 'stdin' }\n[sink]\nkind = 'opensearch'\nhosts = ['http://127.0.0.1:9']\nindex = 'i'\nusername = 'u'\npassword = { env = 'WEIR_TEST_SECRET' }\n",
        )]);
        let check = |value: &str| {
            let output = folder
                .command(&["check", "p.toml"])
                .env("WEIR_TEST_SECRET", value)
                .output()
                .unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let (code, said) = check("\n");
        assert_eq!(code, Some(2));
        assert!(
            said.contains("WEIR_TEST_SECRET, which should hold the secret, is empty"),
            "{said}"
        );
        assert_eq!(check("secret\n").0, Some(0));
    }

    #[test]
    fn a_log_filter_that_is_none_exits_2() {
        let folder = Folder::with(&[("p.toml", SMALL)]);
        let output =
            folder.command(&["check", "p.toml"]).env("WEIR_LOG", "weir=loud").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        insta::assert_snapshot!(String::from_utf8(output.stderr).unwrap(), @r#"error: the environment variable WEIR_LOG is not a valid filter: error parsing level filter: expected one of "off", "error", "warn", "info", "debug", "trace", or a number 0-5; it should be a level such as `warn`, or levels of parts such as `info,weir::sink=debug`"#);
    }
}

mod printed {
    use super::*;

    #[test]
    fn the_example_and_the_schema_are_those_in_the_repository() {
        let config = repository().join("config");
        for (command, file) in [("example", "pipeline.toml"), ("schema", "schema.json")] {
            let ended = Folder::new().weir(&[command]);
            assert_eq!(ended.code, Some(0));
            assert!(ended.stdout == std::fs::read_to_string(config.join(file)).unwrap(), "{file}");
        }
    }

    #[test]
    fn completions_are_printed_for_each_shell() {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let ended = Folder::new().weir(&["completions", shell]);
            assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{shell}");
            assert!(ended.stdout.contains("completions"), "{shell}");
            assert!(!ended.stdout.contains("__compile-module"), "{shell}");
        }
    }

    #[test]
    fn a_reader_that_has_enough_is_no_failure() {
        let folder = Folder::new();
        let mut child = folder.command(&["schema"]).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        assert!(child.wait().unwrap().success());
    }
}

const SMALL: &str = "name = 'small'\nsource.kind = 'stdin'\nsink.kind = 'stdout'\nworkers = 1\n";

mod check {
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
        std::fs::write(folder.path().join("core.wasm"), wat::parse_str("(module)").unwrap())
            .unwrap();
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
        assert_eq!(
            folder.names(),
            ["cache", "drop.wasm", "fine.toml", "refuses.wasm", "wrong.toml"]
        );

        let ended = folder.weir(&["check", "wrong.toml"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
        insta::assert_snapshot!(ended.stderr, @"wrong.toml:12:1: error: stage `refuses`: refuses.wasm: it refused [stage.config]: `keep`: what is that?");
    }
}

mod run {
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
        std::fs::write(folder.path().join("drop.wasm"), modules::Guest::default().component())
            .unwrap();
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
        assert_eq!(
            (&first["message"], &first["asked_for"]),
            (&"starting".into(), &asked_for.into())
        );
    }
}

mod position {
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
            let line =
                ended.stdout.lines().find(|line| line.starts_with("waiting")).map(str::to_owned);
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
}
