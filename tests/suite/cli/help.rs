//! What `--help` prints.

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
