//! Any sequence of what may happen to a spool's marks, against a list of what was put.

use proptest::prelude::*;

use super::steps::Run;
use super::*;
use crate::buffer::log::simulated::Faults;

#[derive(Clone, Debug)]
enum Step {
    /// A document that the source has read, of this many bytes.
    Put(usize),
    /// The spool works, this many milliseconds later.
    Work(u64),
    Take,
    /// One of those that were taken.
    Settle(prop::sample::Index),
    /// The cluster was restored.
    Rewind,
    /// A term begins: others have settled everything meanwhile.
    Begin,
    FailSyncs(u32),
    /// Somebody asks for the settled marks.
    Look,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1usize..900).prop_map(Step::Put),
        6 => (1u64..3000).prop_map(Step::Work),
        5 => Just(Step::Take),
        8 => any::<prop::sample::Index>().prop_map(Step::Settle),
        1 => Just(Step::Rewind),
        1 => Just(Step::Begin),
        1 => (1u32..3).prop_map(Step::FailSyncs),
        8 => Just(Step::Look),
    ];
    proptest::collection::vec(step, 1..120)
}

/// What must be so.
#[derive(Debug, Default)]
struct Model {
    /// The last position that was given to a document, or to a term.
    last: u64,
    /// No mark is from before this: then it went nowhere, or a term began.
    first: u64,
    /// Positions above `first` whose documents are not settled.
    unsettled: std::collections::BTreeSet<u64>,
    /// What was answered last.
    settled: Option<u64>,
}

struct Marks {
    run: Run,
    model: Model,
    taken: Vec<(u64, Item)>,
    after: Duration,
}

impl Marks {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Put(size) => self.put(*size),
            Step::Work(after) => {
                self.after += Duration::from_millis(*after);
                self.run.work(self.after);
            }
            Step::Take => {
                let one = BatchLimits { bytes: 1 << 20, count: 1 };
                if let (Found::Batch(items), _) = self.run.spool.intake().look(one) {
                    let position = |item: &Item| item.document().index_time as u64;
                    self.taken.extend(items.into_iter().map(|item| (position(&item), item)));
                }
            }
            Step::Settle(_) if self.taken.is_empty() => {}
            Step::Settle(index) => self.settle(index.index(self.taken.len())),
            Step::Rewind => {
                self.run.process.tracker.rewind("all");
                self.begin(None);
            }
            Step::Begin => {
                self.model.last += 1;
                let mark = self.model.last;
                let marks = Positions::from([("all".to_owned(), mark.to_string().into())]);
                self.run.process.tracker.begin(marks.clone());
                self.run.spool.begin(marks);
                self.begin(Some(mark));
            }
            Step::FailSyncs(syncs) => {
                self.run.disk.set_faults(Faults { syncs: *syncs, ..self.run.disk.faults() })
            }
            Step::Look => self.check(),
        }
    }

    fn put(&mut self, size: usize) {
        self.model.last += 1;
        let position = self.model.last;
        let reaches = Some(position.to_string().into());
        let ticket = self.run.process.tracker.issue("all", 1, reaches).unwrap();
        let held = self.run.process.ledger.receive(1).with_ticket(ticket);
        let mut documents = documents(&[size]);
        documents.docs[0].index_time = position as i64;
        self.model.unsettled.insert(position);
        let now = self.run.begin + self.after;
        if let Some((documents, held)) = self.run.spool.put(documents, held, now).unwrap() {
            self.run.disk.set_faults(Faults::default());
            assert!(self.run.spool.put(documents, held, now).unwrap().is_none(), "there is room");
        }
    }

    fn settle(&mut self, at: usize) {
        let (position, item) = self.taken.remove(at);
        spool::settle(vec![item]);
        self.model.unsettled.remove(&position);
    }

    fn begin(&mut self, settled: Option<u64>) {
        self.model.first = self.model.last;
        self.model.unsettled.clear();
        self.model.settled = settled;
    }

    fn check(&mut self) {
        let settled = self.run.spool.settled_marks();
        let settled: Option<u64> = settled.get("all").and_then(|mark| mark.as_str().parse().ok());
        let model = &mut self.model;
        assert!(settled >= model.settled, "it goes back: {settled:?} {model:?}");
        if let Some(settled) = settled {
            assert!(settled >= model.first, "it is from before: {settled} {model:?}");
            let first = model.unsettled.first();
            assert!(first.is_none_or(|first| *first > settled), "it passes: {settled} {model:?}");
        }
        model.settled = settled;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn settled_marks_pass_nothing_that_is_not_settled_and_go_back_only_to_rewind(steps in steps()) {
        let (run, model) = (Run::start(2_000), Model::default());
        let mut marks = Marks { run, model, taken: Vec::new(), after: Duration::ZERO };
        steps.iter().for_each(|step| marks.step(step));
        // When all is settled, so is all that was read.
        marks.run.disk.set_faults(Faults::default());
        while marks.run.process.ledger.snapshot().in_flight > 0 {
            marks.step(&Step::Work(100));
            marks.step(&Step::Take);
            while !marks.taken.is_empty() {
                marks.settle(0);
                marks.check();
            }
        }
        let read = marks.run.process.tracker.marks();
        prop_assert_eq!(marks.run.spool.settled_marks().0, read);
    }
}
