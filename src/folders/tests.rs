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
fn a_link_on_the_way_that_everybody_may_replace_is_refused_wherever_it_leads() {
    let (temporary, _) = folder();
    let dir = |name: &str| temporary.path().join(name);
    for name in ["ours", "ours/data", "shared", "shared/real"] {
        fs::create_dir(dir(name)).unwrap();
    }
    symlink(dir("ours"), dir("shared/link")).unwrap();
    // A link of ours to a link that others may replace.
    symlink("shared/link", dir("way")).unwrap();
    let ways = ["shared/link/data", "shared/link/new", "way/data", "shared/real/../../ours/data"];
    mode(&dir("shared"), 0o777);
    for path in ways {
        let said = said(&temporary, Folder::make(&dir(path)));
        assert!(
            said.starts_with("everybody may write to DIR/shared (mode 0777), above "),
            "{said}"
        );
    }
    assert!(Folder::open(&dir("shared/link/data")).is_err());
    assert!(!dir("ours/new").exists(), "nothing is made where that leads");
    for allowed in [0o1777, 0o755] {
        mode(&dir("shared"), allowed);
        for path in ways {
            Folder::make(&dir(path)).unwrap();
        }
    }
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        mode(&dir("shared"), 0o1777);
        std::os::unix::fs::lchown(dir("shared/link"), Some(7), None).unwrap();
        let said = said(&temporary, Folder::make(&dir("way/data")));
        assert!(said.contains("/shared/link belongs to user 7, and weir runs as user 0"), "{said}");
    }
}

#[test]
fn links_that_lead_to_each_other_are_an_error() {
    let (temporary, _) = folder();
    let (one, other) = (temporary.path().join("one"), temporary.path().join("other"));
    symlink(&one, &other).unwrap();
    symlink(&other, &one).unwrap();
    Folder::make(&one.join("data")).unwrap_err();
}

#[test]
fn a_folder_whose_lock_was_removed_is_locked_all_the_same() {
    let (_temporary, folder) = folder();
    let lock = folder.lock().unwrap();
    assert!(matches!(folder.lock(), Err(LockError::Held(_))));
    folder.remove("lock").unwrap();
    assert!(matches!(folder.lock(), Err(LockError::Held(_))), "two processes have one folder");
    drop(lock);
    folder.lock().unwrap();
}

#[test]
fn a_lock_file_that_is_removed_between_opening_and_locking_is_nobodys() {
    let (_temporary, folder) = folder();
    let inside = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..2000 {
                    // Others have it, or removed it ten times in a row.
                    let Ok(file) = folder.lock_file() else { continue };
                    let before = inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    assert_eq!(before, 0, "two have the lock");
                    inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    folder.remove("lock").unwrap();
                    drop(file);
                }
            });
        }
    });
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
