//! What an earlier weir wrote is read, and written the same.

use crate::folders::Folder;
use crate::position::file::{self, Saved};
use crate::position::{Positions, Record};

/// As commit 7ca7b34 wrote them.
const POSITION: &str = include_str!("fixtures/position.json");
const OF_A_FILE: &str = include_str!("fixtures/position-file-source.json");
const LEASE: &str = include_str!("fixtures/lease.json");

fn positions(all: &[(&str, &str)]) -> Positions {
    all.iter().map(|(scope, position)| ((*scope).into(), (*position).into())).collect()
}

#[test]
fn a_position_file_of_an_earlier_weir_is_read_and_written_the_same() {
    let cases = [
        (POSITION, positions(&[("team-a", "41"), ("team-b", "")])),
        (OF_A_FILE, positions(&[("source", "66306:131:2048")])),
    ];
    for (text, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let data = Folder::open(folder.path()).unwrap();
        let path = folder.path().join("position.json");
        std::fs::write(&path, text).unwrap();
        let Saved::Record(record) = file::load(&data).unwrap() else {
            panic!("{text} is no record")
        };
        assert_eq!(record.positions, expected);
        file::save(&data, &record, true).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn a_lease_of_an_earlier_weir_is_read_and_its_mark_written_the_same() {
    let lease: serde_json::Value = serde_json::from_str(LEASE).unwrap();
    let mark = lease["metadata"]["annotations"]["weir/settled"].as_str().unwrap();
    let record = Record::decode(mark).unwrap();
    assert_eq!(record.positions, positions(&[("team-a", "41"), ("team-b", "")]));
    assert_eq!(record.encode(), mark);
}
