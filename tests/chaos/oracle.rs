//! What must be stored, and what may not. Pure.
//!
//! weir owes the document of every version that the API server was given and that its modules keep,
//! but for versions that it could not see: overwritten or deleted between two versions of which
//! weir says that it listed, after etcd had been compacted in between. Where nothing was compacted,
//! a watch could have given them: leaving them out is a loss.

use std::collections::{BTreeMap, HashMap};

use crate::reference::{Content, History, Object};
use crate::search::Stored;

/// A list of weir's, from the cursor before it to its own version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// Which life of weir says so.
    pub(crate) life: String,
    /// `None`: all.
    pub(crate) namespace: Option<String>,
    /// 0: there was none.
    pub(crate) since: u64,
    pub(crate) version: u64,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// Documents that weir owed and that are there.
    pub(crate) kept: usize,
    /// Versions that it did not owe, because it could not see them, and that are not there.
    pub(crate) excused: usize,
    /// Versions that the modules filter.
    pub(crate) filtered: usize,
    pub(crate) lost: Vec<String>,
    /// Stored more than once.
    pub(crate) doubled: Vec<String>,
    /// Stored, and nobody wrote it, or it is to be filtered.
    pub(crate) unknown: Vec<String>,
    /// Stored with another content.
    pub(crate) changed: Vec<String>,
}

impl Judgement {
    pub(crate) fn problems(&self) -> Vec<String> {
        let kinds = [
            ("lost", &self.lost),
            ("stored more than once", &self.doubled),
            ("stored, and should not be", &self.unknown),
            ("stored with another content", &self.changed),
        ];
        let shown = |ids: &[String]| ids.iter().take(10).cloned().collect::<Vec<_>>().join("\n  ");
        kinds
            .iter()
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(what, ids)| format!("{} {what}:\n  {}", ids.len(), shown(ids)))
            .collect()
    }
}

pub(crate) fn judge(
    history: &History,
    gaps: &[Gap],
    compacted: &[u64],
    stored: &[Stored],
) -> Judgement {
    let mut judgement = Judgement::default();
    let mut by_id: HashMap<&str, Vec<&Stored>> = HashMap::new();
    for document in stored {
        by_id.entry(&document.id).or_default().push(document);
    }
    let unseen: Vec<&Gap> = gaps.iter().filter(|gap| is_of_compaction(gap, compacted)).collect();
    for (uid, object) in history {
        for (version, content) in &object.versions {
            let Some(content) = content else { continue };
            let id = format!("{uid}.{version}");
            match by_id.remove(id.as_str()) {
                Some(documents) => judgement.found(&id, content, &documents),
                None if content.is_filtered => judgement.filtered += 1,
                None if could_not_be_seen(object, *version, &unseen) => judgement.excused += 1,
                None => judgement.lost.push(describe(&id, object, *version, gaps)),
            }
        }
    }
    judgement.unknown.extend(by_id.into_keys().map(str::to_owned));
    judgement
}

impl Judgement {
    fn found(&mut self, id: &str, content: &Content, documents: &[&Stored]) {
        if content.is_filtered {
            self.unknown.push(format!("{id}, which drop-normal filters"));
        }
        if documents.len() > 1 {
            let indices: Vec<&str> =
                documents.iter().map(|document| document.index.as_str()).collect();
            self.doubled.push(format!("{id} in {indices:?}"));
        }
        for document in documents {
            if document.count != content.count || document.message != content.message {
                self.changed.push(format!("{id}: {document:?} instead of {content:?}"));
            }
        }
        self.kept += 1;
    }
}

/// Whether a watch from the cursor would have been refused when weir listed.
fn is_of_compaction(gap: &Gap, compacted: &[u64]) -> bool {
    gap.since == 0 || compacted.iter().any(|at| gap.since <= *at && *at <= gap.version)
}

fn could_not_be_seen(object: &Object, version: u64, gaps: &[&Gap]) -> bool {
    let next = object.versions.range(version + 1..).next();
    let Some((next, _)) = next else { return false };
    gaps.iter().any(|gap| {
        let is_of_scope =
            gap.namespace.as_ref().is_none_or(|namespace| *namespace == object.namespace);
        is_of_scope && gap.since < version && *next <= gap.version
    })
}

/// Enough to begin to look for the reason.
fn describe(id: &str, object: &Object, version: u64, gaps: &[Gap]) -> String {
    let around: BTreeMap<u64, bool> = object
        .versions
        .range(version..)
        .take(2)
        .map(|(at, content)| (*at, content.is_some()))
        .collect();
    let lists: Vec<&Gap> =
        gaps.iter().filter(|gap| gap.since < version && version <= gap.version).collect();
    format!("{id} in {}, then {around:?}; lists over it: {lists:?}", object.namespace)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Digest;

    fn content(count: i64) -> Option<Content> {
        Some(Content { count, message: Digest::of("m"), is_filtered: false })
    }

    /// `u` was written at 10, 20 and 30, and deleted at 40.
    fn history() -> History {
        let versions = [(10, content(1)), (20, content(2)), (30, content(3)), (40, None)];
        History::from([("u".into(), Object { namespace: "ns".into(), versions: versions.into() })])
    }

    fn stored(ids: &[(&str, i64)]) -> Vec<Stored> {
        let one = |(id, count): &(&str, i64)| Stored {
            index: "i".into(),
            id: (*id).into(),
            count: *count,
            message: Digest::of("m"),
        };
        ids.iter().map(one).collect()
    }

    fn gap(since: u64, version: u64) -> Gap {
        Gap { life: "weir-0-1".into(), namespace: None, since, version }
    }

    #[test]
    fn all_versions_once_are_well() {
        let stored = stored(&[("u.10", 1), ("u.20", 2), ("u.30", 3)]);
        let judgement = judge(&history(), &[], &[], &stored);
        assert_eq!(judgement, Judgement { kept: 3, ..Judgement::default() });
    }

    #[test]
    fn a_version_that_is_not_there_is_lost() {
        let judgement = judge(&history(), &[], &[], &stored(&[("u.10", 1), ("u.30", 3)]));
        assert!(judgement.lost[0].starts_with("u.20 "), "{judgement:?}");
    }

    #[test]
    fn what_was_overwritten_and_compacted_before_a_list_is_excused_and_what_was_current_is_not() {
        let stored = stored(&[("u.30", 3)]);
        let judgement = judge(&history(), &[gap(5, 20)], &[12], &stored);
        assert_eq!(
            (judgement.excused, judgement.lost.len()),
            (1, 1),
            "20 was current when weir listed"
        );
        assert_eq!(judge(&history(), &[gap(5, 31)], &[12], &stored).excused, 2);
    }

    #[test]
    fn a_list_where_nothing_was_compacted_excuses_nothing() {
        let judgement = judge(&history(), &[gap(5, 31)], &[4, 32], &stored(&[("u.30", 3)]));
        assert_eq!((judgement.excused, judgement.lost.len()), (0, 2));
    }

    #[test]
    fn a_list_of_another_namespace_excuses_nothing() {
        let other = Gap { namespace: Some("other".into()), ..gap(5, 31) };
        assert_eq!(judge(&history(), &[other], &[12], &stored(&[("u.30", 3)])).lost.len(), 2);
    }

    #[test]
    fn a_document_in_two_indices_or_of_nobody_or_with_another_content_is_told() {
        let mut documents =
            stored(&[("u.10", 1), ("u.20", 2), ("u.30", 7), ("u.40", 4), ("v.1", 1)]);
        documents.push(Stored { index: "j".into(), ..documents[0].clone() });
        let judgement = judge(&history(), &[], &[], &documents);
        assert_eq!(judgement.doubled, ["u.10 in [\"i\", \"j\"]"]);
        assert_eq!(
            (judgement.unknown.len(), judgement.changed.len(), judgement.lost.len()),
            (2, 1, 0)
        );
    }

    #[test]
    fn what_the_modules_filter_is_neither_lost_nor_to_be_there() {
        let mut history = history();
        for content in history.get_mut("u").unwrap().versions.values_mut().flatten() {
            content.is_filtered = true;
        }
        assert_eq!(
            judge(&history, &[], &[], &[]),
            Judgement { filtered: 3, ..Judgement::default() }
        );
        assert_eq!(judge(&history, &[], &[], &stored(&[("u.10", 1)])).unknown.len(), 1);
    }
}
