//! Which letters were asked for. Pure.

use std::collections::BTreeSet;

use super::kept::LetterId;
use super::record::{Part, Record};

/// What a letter must be; what is `None` may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Which kind of part refused it.
    pub part: Option<Part>,
    /// The stage that failed on it.
    pub stage: Option<String>,
    /// The `reason` label.
    pub reason: Option<String>,
}

impl Filter {
    /// Whether the letter is such a one.
    pub(crate) fn matches(&self, record: &Record) -> bool {
        self.part.is_none_or(|part| part == record.part)
            && (self.stage.is_none() || self.stage == record.stage)
            && self.reason.as_ref().is_none_or(|reason| *reason == record.reason)
    }
}

/// Which letters of a store are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These.
    Ids(BTreeSet<LetterId>),
    /// All that match.
    All(Filter),
}

impl Selection {
    /// Whether what stands there is asked for, if it [matches](Selection::matches).
    pub(crate) fn has_line(&self, id: LetterId) -> bool {
        match self {
            Selection::Ids(ids) => ids.contains(&id),
            Selection::All(_) => true,
        }
    }

    /// Whether a letter of a line that is asked for is one.
    pub(crate) fn matches(&self, record: &Record) -> bool {
        match self {
            Selection::Ids(_) => true,
            Selection::All(filter) => filter.matches(record),
        }
    }

    /// Whether a line that cannot be read is meant too: nobody knows what it would match.
    pub(crate) fn has_unreadable(&self) -> bool {
        match self {
            Selection::Ids(_) => true,
            Selection::All(filter) => *filter == Filter::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record() -> impl Strategy<Value = Record> {
        let part = prop_oneof![
            Just((Part::Source, None)),
            Just((Part::Sink, None)),
            "[ab]".prop_map(|stage| (Part::Stage, Some(stage))),
        ];
        (part, "[xy]").prop_map(|((part, stage), reason)| Record {
            time: String::new(),
            part,
            stage,
            reason,
            detail: String::new(),
            source: Vec::new(),
            document: None,
        })
    }

    proptest! {
        #[test]
        fn a_filter_takes_what_all_its_conditions_take(
            record in record(),
            part in proptest::option::of(prop_oneof![Just(Part::Source), Just(Part::Stage), Just(Part::Sink)]),
            stage in proptest::option::of("[ab]"),
            reason in proptest::option::of("[xy]"),
        ) {
            let only = |filter: Filter| Selection::All(filter).matches(&record);
            let expected = only(Filter { part, ..Filter::default() })
                && only(Filter { stage: stage.clone(), ..Filter::default() })
                && only(Filter { reason: reason.clone(), ..Filter::default() });
            prop_assert_eq!(only(Filter { part, stage: stage.clone(), reason: reason.clone() }), expected);
            prop_assert_eq!(only(Filter { part, ..Filter::default() }), part.is_none() || part == Some(record.part));
            prop_assert_eq!(
                only(Filter { stage: stage.clone(), ..Filter::default() }),
                stage.is_none() || stage == record.stage
            );
        }
    }

    #[test]
    fn ids_take_their_lines_and_whatever_stands_there() {
        let id = |line| LetterId::Line { file: 2, line };
        let selection = Selection::Ids([id(3), id(5)].into());
        assert!(selection.has_line(id(3)) && !selection.has_line(id(4)));
        assert!(selection.has_unreadable());
        let some = Filter { reason: Some("mapping".into()), ..Filter::default() };
        assert!(!Selection::All(some).has_unreadable());
    }
}
