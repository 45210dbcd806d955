//! What is in a folder of data is opened as it is there, and nothing else.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;

fn folder() -> (tempfile::TempDir, Folder) {
    let temporary = tempfile::tempdir().unwrap();
    let folder = Folder::open(temporary.path()).unwrap();
    (temporary, folder)
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// What an error says, with the test's folder as DIR.
fn said<T>(temporary: &tempfile::TempDir, result: Result<T, impl ToString>) -> String {
    let Err(error) = result else { panic!("it is no error") };
    error
        .to_string()
        .replace(&temporary.path().canonicalize().unwrap().display().to_string(), "DIR")
}

#[test]
fn a_folder_is_made_for_weir_alone_with_those_above_it() {
    let (temporary, _) = folder();
    let path = temporary.path().join("a/b/");
    let made = Folder::make(&path).unwrap();
    made.replace("file").unwrap();
    for (path, expected) in [("a", 0o700), ("a/b", 0o700), ("a/b/file", 0o600)] {
        let found = temporary.path().join(path).metadata().unwrap().mode() & 0o777;
        assert_eq!(found, expected, "{path}");
    }
    Folder::make(&path).unwrap();
}

#[test]
fn a_folder_that_others_may_write_to_is_refused_and_named() {
    let (temporary, _) = folder();
    let path = temporary.path().join("data");
    fs::create_dir(&path).unwrap();
    mode(&path, 0o777);
    insta::assert_snapshot!(said(&temporary, Folder::make(&path)), @"everybody may write to DIR/data (mode 0777): whoever can change what weir keeps there can make it lose events, or send others: `chmod o-w DIR/data`, or name another folder, or mount a volume there");
    mode(&path, 0o755);
    Folder::make(&path).unwrap();
    mode(temporary.path(), 0o777);
    insta::assert_snapshot!(said(&temporary, Folder::make(&path)), @"everybody may write to DIR (mode 0777), above DIR/data: whoever can change what weir keeps there can make it lose events, or send others: `chmod o-w DIR`, or name another folder, or mount a volume there");
    insta::assert_snapshot!(said(&temporary, Folder::make(&temporary.path().join("new/er"))), @"everybody may write to DIR (mode 0777), above DIR/new/er: whoever can change what weir keeps there can make it lose events, or send others: `chmod o-w DIR`, or name another folder, or mount a volume there");
    assert!(!temporary.path().join("new").exists(), "nothing is made where others may write");
    mode(temporary.path(), 0o1777);
    Folder::make(&path).unwrap();
}

#[test]
fn a_link_in_place_of_a_folder_is_refused_with_or_without_a_slash() {
    let (temporary, _) = folder();
    let (there, link) = (temporary.path().join("there"), temporary.path().join("link"));
    fs::create_dir(&there).unwrap();
    symlink(&there, &link).unwrap();
    for path in [link.clone(), link.join(""), link.join(".")] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(said(&temporary, Folder::make(&path)), @"DIR/link: it is a link: name the folder that it leads to");
        }
    }
    Folder::make(&link.join("below")).unwrap();
    assert!(there.join("below").is_dir(), "a link above is followed to where it leads");
}

#[test]
fn what_a_link_leads_to_is_neither_read_nor_written() {
    let (temporary, folder) = folder();
    let precious = temporary.path().join("precious");
    for is_hard in [false, true] {
        fs::write(&precious, "precious").unwrap();
        let name = temporary.path().join("name");
        let _ = fs::remove_file(&name);
        if is_hard { fs::hard_link(&precious, &name) } else { symlink(&precious, &name) }.unwrap();
        for opened in [
            folder.read("name"),
            folder.write("name"),
            folder.make_file("name"),
            folder.append("name"),
        ] {
            let error = opened.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
        }
        folder.replace("name").unwrap().write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&name).unwrap(), "new");
    }
}

#[test]
fn a_link_in_place_of_the_lock_is_refused() {
    let (temporary, folder) = folder();
    let precious = temporary.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    symlink(&precious, folder.lock_path()).unwrap();
    assert!(matches!(folder.lock(), Err(LockError::Io(_))));
    assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
}

#[test]
fn a_pipe_is_no_file_and_nobody_waits_for_its_other_end() {
    let (temporary, folder) = folder();
    rustix::fs::mkfifoat(CWD, temporary.path().join("pipe"), FILE_MODE).unwrap();
    fs::create_dir(temporary.path().join("folder")).unwrap();
    for name in ["pipe", "folder"] {
        assert_eq!(folder.read(name).unwrap_err().to_string(), NOT_A_FILE);
        assert!(folder.append(name).is_err());
    }
    assert_eq!(folder.entries().unwrap(), []);
}

#[test]
fn what_is_done_is_done_to_the_folder_that_was_opened_wherever_its_name_leads_by_then() {
    let (temporary, _) = folder();
    let (path, moved) = (temporary.path().join("data"), temporary.path().join("moved"));
    let folder = Folder::make(&path).unwrap();
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    folder.append("file").unwrap().write_all(b"text").unwrap();
    let mut text = String::new();
    folder.read("file").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!((text.as_str(), moved.join("file").exists()), ("text", true));
}
