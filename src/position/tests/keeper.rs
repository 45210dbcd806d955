//! Whose a saved position is, and when it is saved.

use std::sync::{Arc, Mutex};

use crate::folders::Folder;
use crate::position::file::{self, FileError, Saved, Store};
use crate::position::{
    Identity, Keeper, Position, Positions, Record, SettledPositions, Target, Tracker,
};

fn identity(index: &str) -> Identity {
    let target =
        Target { kind: "opensearch".into(), index: Some(index.into()), ..Target::default() };
    Identity { pipeline: "p".into(), source: "kubernetes".into(), cluster: None, target }
}

fn data(folder: &tempfile::TempDir) -> Folder {
    Folder::open(folder.path()).unwrap()
}

/// A folder in which a run of cluster `k1` into OpenSearch `o1` has come to 41.
fn saved() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let keeper =
        Keeper::open(Some(&data(&folder)), true, identity("i"), Tracker::default()).unwrap();
    keeper.source_is(Some("k1".into()));
    keeper.target_is(Some("o1".into())).unwrap();
    keeper.tracker().issue("*", 0, Some("41".into()));
    keeper.save(false).unwrap();
    folder
}

fn mark(keeper: &Keeper) -> Option<Position> {
    keeper.tracker().marks().remove("*")
}

#[test]
fn the_next_run_goes_on_where_the_last_one_was() {
    let folder = saved();
    let keeper =
        Keeper::open(Some(&data(&folder)), true, identity("i"), Tracker::default()).unwrap();
    keeper.source_is(Some("k1".into()));
    keeper.target_is(Some("o1".into())).unwrap();
    assert_eq!(mark(&keeper), Some("41".into()));
}

#[test]
fn a_run_that_learns_no_identity_keeps_the_one_that_is_known() {
    let folder = saved();
    let keeper =
        Keeper::open(Some(&data(&folder)), true, identity("i"), Tracker::default()).unwrap();
    keeper.source_is(None);
    keeper.tracker().issue("*", 0, Some("42".into()));
    keeper.save(true).unwrap();
    let keeper =
        Keeper::open(Some(&data(&folder)), true, identity("i"), Tracker::default()).unwrap();
    keeper.source_is(Some("k2".into()));
    assert!(keeper.is_lost(), "k1 was forgotten");
}

#[test]
fn positions_of_another_cluster_are_forgotten_and_everything_is_read() {
    let folder = saved();
    let keeper =
        Keeper::open(Some(&data(&folder)), true, identity("i"), Tracker::default()).unwrap();
    keeper.source_is(Some("k2".into()));
    assert_eq!(mark(&keeper), None);
    assert!(keeper.is_lost());
}

fn on_disk(folder: &tempfile::TempDir) -> Position {
    match file::load(&data(folder)).unwrap() {
        Saved::Record(mut record) => record.positions.remove("*").unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_loss_is_saved_at_once() {
    let folder = saved();
    let keeper =
        Keeper::open(Some(&data(&folder)), true, identity("i"), Tracker::default()).unwrap();
    keeper.tracker().rewind_all();
    assert_eq!(on_disk(&folder), Position::Nowhere);
}

#[test]
fn a_loss_before_the_marks_were_known_makes_them_worthless() {
    let folder = saved();
    let tracker = Tracker::default();
    tracker.rewind_all();
    let keeper = Keeper::open(Some(&data(&folder)), true, identity("i"), tracker).unwrap();
    assert_eq!((mark(&keeper), on_disk(&folder)), (Some(Position::Nowhere), Position::Nowhere));
}

/// Keeps nothing but whether the last save waited for the disk.
#[derive(Debug, Default)]
struct Waits(Mutex<Option<bool>>);

impl Store for Waits {
    fn save(&self, _: &Record, durably: bool) -> Result<(), FileError> {
        *self.0.lock().unwrap() = Some(durably);
        Ok(())
    }
}

#[test]
fn only_a_rewind_is_waited_for() {
    let folder = saved();
    let (store, saved) = (Arc::new(Waits::default()), file::load(&data(&folder)).unwrap());
    let of = Some(store.clone() as Arc<dyn Store>);
    let keeper = Keeper::over(of, None, saved, true, identity("i"), Tracker::default()).unwrap();
    let waits = || {
        keeper.save(false).unwrap();
        store.0.lock().unwrap().take()
    };
    keeper.tracker().issue("*", 0, Some("42".into()));
    assert_eq!(waits(), Some(false));
    keeper.tracker().rewind("*");
    assert_eq!(waits(), Some(true), "an older one would skip what a restored cluster has");
    assert_eq!(waits(), None);
    keeper.tracker().issue("*", 0, Some("7".into()));
    assert_eq!(waits(), Some(false));
    keeper.tracker().rewind("*");
    keeper.tracker().issue("*", 0, Some("8".into()));
    assert_eq!(waits(), Some(true), "a power failure would bring back the mark of before");
}

#[test]
fn another_target_ends_the_run_with_the_choices_named() {
    let folder = saved();
    let hidden = |text: String| text.replace(&folder.path().display().to_string(), "FOLDER");
    let error =
        Keeper::open(Some(&data(&folder)), true, identity("j"), Tracker::default()).unwrap_err();
    insta::assert_snapshot!(hidden(error.to_string()), @"the position in FOLDER was saved for another target (pipeline p, opensearch, index i, cluster o1; now pipeline p, opensearch, index j): the events before it are in that one, and would be missing in this one. Decide with `weir position keep --config FILE` (continue after it) or `weir position reset --config FILE` (read again everything that the source still has); `weir position show --config FILE` shows it");
    let keeper =
        Keeper::open(Some(&data(&folder)), true, identity("i"), Tracker::default()).unwrap();
    let error = keeper.target_is(Some("o2".into())).unwrap_err();
    insta::assert_snapshot!(hidden(error.to_string()), @"the position in FOLDER was saved for another target (pipeline p, opensearch, index i, cluster o1; now pipeline p, opensearch, index i, cluster o2): the events before it are in that one, and would be missing in this one. Decide with `weir position keep --config FILE` (continue after it) or `weir position reset --config FILE` (read again everything that the source still has); `weir position show --config FILE` shows it");
}

#[test]
fn without_the_spool_that_it_counts_on_a_position_is_of_no_use() {
    let folder = saved();
    let keeper =
        Keeper::open(Some(&data(&folder)), false, identity("i"), Tracker::default()).unwrap();
    assert!(keeper.is_lost());
    assert_eq!(mark(&keeper), None);
}

#[test]
fn what_the_lease_holds_goes_before_what_this_machine_knows() {
    let folder = saved();
    let keeper =
        Keeper::open(Some(&data(&folder)), true, identity("i"), Tracker::default()).unwrap();
    let open = keeper.tracker().issue("*", 1, Some("50".into())).unwrap();
    assert_eq!(keeper.adopt(None).unwrap(), None, "the Lease is new");
    open.settled(1);
    assert_eq!(mark(&keeper), Some("41".into()));
    let further =
        keeper.record(SettledPositions(Positions::from([("*".into(), "90".into())]))).unwrap();
    assert_eq!(keeper.adopt(Some(&further)).unwrap().unwrap()["*"], "90".into());
    assert_eq!(mark(&keeper), Some("90".into()));
    assert_eq!(keeper.adopt(Some("{")).unwrap(), Some(Positions::new()));
    assert!(keeper.is_lost());
    let other = Record::new(identity("j"), Positions::new()).encode();
    let error = keeper.adopt(Some(&other)).unwrap_err().to_string();
    assert!(error.starts_with("the position in the Lease was saved for another target"), "{error}");
    assert_eq!(keeper.record(SettledPositions(Positions::new())), None);
}

#[test]
fn a_corrupt_record_means_everything_is_read() {
    let folder = saved();
    std::fs::write(folder.path().join("position.json"), "{").unwrap();
    let keeper =
        Keeper::open(Some(&data(&folder)), true, identity("i"), Tracker::default()).unwrap();
    assert!(keeper.is_lost());
    assert_eq!(mark(&keeper), None);
}
