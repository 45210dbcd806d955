mod model;
mod scenarios;

use super::*;

#[test]
fn a_name_is_kept_in_its_folder_and_differs_from_any_other() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = |folder: &tempfile::TempDir| Folder::open(folder.path()).unwrap();
    let name = identity_in(&data(&one));
    assert_eq!(identity_in(&data(&one)), name);
    assert_ne!(identity_in(&data(&other)), name);
    // A folder that is gone keeps nothing, and gives a name all the same.
    let gone = data(&one);
    drop(one);
    assert!(!identity_in(&gone).is_empty());
}
