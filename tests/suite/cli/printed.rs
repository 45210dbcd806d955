//! What is printed to be used: the example, the schema.

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
