//! `weir filter compile`: what it puts into a folder is what a weir takes that has it as its cache.

use std::os::unix::fs::MetadataExt as _;

use crate::support::modules::DROP_NORMAL;
use crate::support::{Ended, Folder};

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("drop.wasm", DROP_NORMAL.component());
    folder
}

fn compile(folder: &Folder, arguments: &[&str]) -> Ended {
    folder.weir(&[&["filter", "compile"], arguments].concat())
}

/// The files in a cache, and which they are: one that was written again is another one.
fn compiled(folder: &Folder) -> Vec<(String, u64)> {
    let inode = |name: &String| {
        let path = folder.path().join("ahead/compiled").join(name);
        path.metadata().unwrap().ino()
    };
    let names = folder.names_in("ahead/compiled");
    names.into_iter().map(|name| (name.clone(), inode(&name))).collect()
}

#[test]
fn a_weir_takes_what_was_compiled_ahead() {
    let folder = folder();
    let first = compile(&folder, &["drop.wasm", "--out", "ahead", "--json"]);
    assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""), "{first:?}");
    let first: serde_json::Value = serde_json::from_str(&first.stdout).unwrap();
    assert_eq!((&first["module"], &first["was_there"]), (&"drop.wasm".into(), &false.into()));
    let path = folder.path().join(first["path"].as_str().unwrap());
    assert_eq!(path.metadata().unwrap().len(), first["bytes"].as_u64().unwrap());
    let before = compiled(&folder);
    assert_eq!(before.len(), 2, "the module and its digest: {before:?}");

    folder.write(
        "pipeline.toml",
        "name = \"it\"\ncache = \"ahead\"\nsource = { kind = \"stdin\" }\n\
         sink = { kind = \"file\", path = \"out.jsonl\" }\n\
         [[stage]]\nname = \"drop\"\nmodule = \"drop.wasm\"\n",
    );
    let checked = folder.weir(&["check", "pipeline.toml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert_eq!(compiled(&folder), before);
    // By default it is the cache that a weir has whose configuration names none.
    let (own, again) = (compile(&folder, &["drop.wasm"]), compile(&folder, &["drop.wasm"]));
    assert!(own.stdout.starts_with("drop.wasm: DIR/cache/weir/modules/compiled/"), "{own:?}");
    assert!(again.stdout.contains(".cwasm is there already ("), "{again:?}");
}

#[test]
fn one_that_is_not_whole_is_compiled_again() {
    let folder = folder();
    assert_eq!(compile(&folder, &["drop.wasm", "--out", "ahead"]).code, Some(0));
    let names = folder.names_in("ahead/compiled");
    let name = names.iter().find(|name| name.ends_with(".cwasm")).unwrap();
    folder.write(&format!("ahead/compiled/{name}"), "half of it");
    let again = compile(&folder, &["drop.wasm", "--out", "ahead"]);
    assert!(again.code == Some(0) && !again.stdout.contains("already"), "{again:?}");
    assert!(folder.read_bytes(&format!("ahead/compiled/{name}")).len() > 1_000);
}

#[test]
fn what_cannot_be_compiled_or_kept_is_told() {
    let folder = folder();
    folder.write("core.wasm", b"\0asm\x01\0\0\0");
    folder.write("file", "");
    let refused = |arguments: &[&str]| {
        let ended = compile(&folder, arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
        ended.stderr
    };
    insta::assert_snapshot!(refused(&["core.wasm", "--out", "ahead"]), @"error: core.wasm: it is not a WebAssembly component");
    insta::assert_snapshot!(refused(&["none.wasm", "--out", "ahead"]), @"error: none.wasm: No such file or directory (os error 2)");
    insta::assert_snapshot!(refused(&["drop.wasm", "--out", "file"]), @"error: drop.wasm: file/compiled: Not a directory (os error 20)");
}
