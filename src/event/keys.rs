//! The keys that the Kubernetes API defines for events, told apart by length first; and which were
//! seen.
//!
//! Constraint: a key that stands twice must be found without a hash table: known keys are bits of
//! one word, unknown ones, of which real events have none or a few, are compared with each other.

use super::json::decode_bytes;
use super::span::Span;

/// Members of the root whose names are known: their duplicates cost one bit to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Root {
    Kind,
    ApiVersion,
    Metadata,
    InvolvedObject,
    Reason,
    Message,
    Source,
    FirstTimestamp,
    LastTimestamp,
    Count,
    Type,
    EventTime,
    ReportingComponent,
    ReportingInstance,
    Action,
    Series,
    Related,
    Regarding,
}

impl Root {
    #[inline(always)]
    pub(super) fn of_key(key: &[u8]) -> Option<Root> {
        Some(match key.len() {
            4 if key == b"kind" => Root::Kind,
            4 if key == b"type" => Root::Type,
            5 if key == b"count" => Root::Count,
            6 if key == b"reason" => Root::Reason,
            6 if key == b"source" => Root::Source,
            6 if key == b"action" => Root::Action,
            6 if key == b"series" => Root::Series,
            7 if key == b"message" => Root::Message,
            7 if key == b"related" => Root::Related,
            8 if key == b"metadata" => Root::Metadata,
            9 if key == b"eventTime" => Root::EventTime,
            9 if key == b"regarding" => Root::Regarding,
            10 if key == b"apiVersion" => Root::ApiVersion,
            13 if key == b"lastTimestamp" => Root::LastTimestamp,
            14 if key == b"involvedObject" => Root::InvolvedObject,
            14 if key == b"firstTimestamp" => Root::FirstTimestamp,
            17 if key == b"reportingInstance" => Root::ReportingInstance,
            18 if key == b"reportingComponent" => Root::ReportingComponent,
            _ => return None,
        })
    }
}

/// Members of `metadata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metadata {
    Name,
    Namespace,
    Uid,
    ResourceVersion,
    CreationTimestamp,
    ManagedFields,
    Labels,
    Annotations,
    GenerateName,
}

impl Metadata {
    #[inline(always)]
    pub(super) fn of_key(key: &[u8]) -> Option<Metadata> {
        Some(match key.len() {
            3 if key == b"uid" => Metadata::Uid,
            4 if key == b"name" => Metadata::Name,
            6 if key == b"labels" => Metadata::Labels,
            9 if key == b"namespace" => Metadata::Namespace,
            11 if key == b"annotations" => Metadata::Annotations,
            12 if key == b"generateName" => Metadata::GenerateName,
            13 if key == b"managedFields" => Metadata::ManagedFields,
            15 if key == b"resourceVersion" => Metadata::ResourceVersion,
            17 if key == b"creationTimestamp" => Metadata::CreationTimestamp,
            _ => return None,
        })
    }
}

/// Members of `involvedObject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Involved {
    Kind,
    Namespace,
    Name,
    Uid,
    ApiVersion,
    ResourceVersion,
    FieldPath,
}

impl Involved {
    #[inline(always)]
    pub(super) fn of_key(key: &[u8]) -> Option<Involved> {
        Some(match key.len() {
            3 if key == b"uid" => Involved::Uid,
            4 if key == b"kind" => Involved::Kind,
            4 if key == b"name" => Involved::Name,
            9 if key == b"namespace" => Involved::Namespace,
            9 if key == b"fieldPath" => Involved::FieldPath,
            10 if key == b"apiVersion" => Involved::ApiVersion,
            15 if key == b"resourceVersion" => Involved::ResourceVersion,
            _ => return None,
        })
    }
}

/// Unknown keys up to this many are kept without an allocation and compared each with each.
const FEW: usize = 8;

/// Which keys of one object were seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    known: u32,
    few: [Span; FEW],
    few_len: usize,
    many: Vec<Span>,
}

impl Seen {
    /// Adds a key, by the number of its enum or as unknown. Answers whether it may be new; for
    /// unknown keys [`Seen::duplicate`] tells in the end.
    #[inline(always)]
    pub(super) fn insert(&mut self, known: Option<u32>, key: Span) -> bool {
        match known {
            Some(number) => {
                let bit = 1 << number;
                let is_new = self.known & bit == 0;
                self.known |= bit;
                is_new
            }
            None => {
                self.insert_unknown(key);
                true
            }
        }
    }

    #[cold]
    fn insert_unknown(&mut self, key: Span) {
        match self.few.get_mut(self.few_len) {
            Some(free) => {
                *free = key;
                self.few_len += 1;
            }
            None => self.many.push(key),
        }
    }

    /// An unknown key that was added twice, if there is one: where it stands again.
    #[inline(always)]
    pub(super) fn duplicate(self, bytes: &[u8]) -> Option<Span> {
        if self.few_len < 2 { None } else { self.duplicate_of_several(bytes) }
    }

    #[cold]
    fn duplicate_of_several(self, bytes: &[u8]) -> Option<Span> {
        let few = &self.few[..self.few_len];
        if self.many.is_empty() {
            let text = |key: Span| decode_bytes(bytes, key);
            let is_double =
                |(at, key): &(usize, &Span)| few[..*at].iter().any(|one| text(*one) == text(**key));
            return few.iter().enumerate().find(is_double).map(|(_, key)| *key);
        }
        // Sorted, so that an object of a hundred thousand keys does not take the square of it.
        let mut keys: Vec<_> =
            few.iter().chain(&self.many).map(|key| (decode_bytes(bytes, *key), *key)).collect();
        keys.sort_by(|(a, at_a), (b, at_b)| {
            a.cmp(b).then(at_a.range().start.cmp(&at_b.range().start))
        });
        keys.windows(2)
            .filter(|pair| pair[0].0 == pair[1].0)
            .map(|pair| pair[1].1)
            .min_by_key(|key| key.range().start)
    }
}
