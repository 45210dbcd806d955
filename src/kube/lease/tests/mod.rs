mod model;
mod scenarios;

use super::*;

#[test]
fn a_name_is_kept_in_its_folder_and_differs_from_any_other() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let name = identity_in(one.path());
    assert_eq!(identity_in(one.path()), name);
    assert_ne!(identity_in(other.path()), name);
    // A folder that is not there keeps nothing, and gives a name all the same.
    assert!(!identity_in(&one.path().join("none")).is_empty());
}
