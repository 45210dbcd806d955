//! Wrong use: what is said, and exit code 2.

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
        let output =
            folder.command(&["check", "p.toml"]).env("WEIR_TEST_SECRET", value).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = check("\n");
    assert_eq!(code, Some(2));
    assert!(said.contains("WEIR_TEST_SECRET, which should hold the secret, is empty"), "{said}");
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
