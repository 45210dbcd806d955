//! `match`: which events a stage sees, decided without a call.
//!
//! Constraint: nothing is allocated, but for a text with escapes.

use super::pattern::Pattern;
use crate::event::{EventView, Field};

/// `match`: all keys must hold, and of no exception all keys may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// The keys beside `not`.
    pub keys: Keys,
    /// `not`
    pub not: Vec<Keys>,
}

/// Keys that must all hold, each with its alternatives. Without any they hold for every event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(Vec<(MatchKey, Vec<Pattern>)>);

/// A key of `match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchKey {
    /// `type`
    Type,
    /// `reason`
    Reason,
    /// `message`
    Message,
    /// `namespace`: `/metadata/namespace`
    Namespace,
    /// `kind`: `/involvedObject/kind`
    Kind,
    /// `name`: `/involvedObject/name`
    Name,
    /// `component`: `/source/component`, else `/reportingComponent`
    Component,
}

impl MatchKey {
    pub(crate) const ALL: [MatchKey; 7] = [
        MatchKey::Type,
        MatchKey::Reason,
        MatchKey::Message,
        MatchKey::Namespace,
        MatchKey::Kind,
        MatchKey::Name,
        MatchKey::Component,
    ];

    /// As it is written in the configuration.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            MatchKey::Type => "type",
            MatchKey::Reason => "reason",
            MatchKey::Message => "message",
            MatchKey::Namespace => "namespace",
            MatchKey::Kind => "kind",
            MatchKey::Name => "name",
            MatchKey::Component => "component",
        }
    }

    fn field(self) -> Field {
        match self {
            MatchKey::Type => Field::Type,
            MatchKey::Reason => Field::Reason,
            MatchKey::Message => Field::Message,
            MatchKey::Namespace => Field::Namespace,
            MatchKey::Kind => Field::RegardingKind,
            MatchKey::Name => Field::RegardingName,
            MatchKey::Component => Field::Component,
        }
    }
}

impl FromIterator<(MatchKey, Vec<String>)> for Keys {
    fn from_iter<I: IntoIterator<Item = (MatchKey, Vec<String>)>>(keys: I) -> Keys {
        let ready = |texts: Vec<String>| texts.into_iter().map(Pattern::new).collect();
        Keys(keys.into_iter().map(|(key, texts)| (key, ready(texts))).collect())
    }
}

impl Keys {
    /// Each key with its patterns, as they were written.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (MatchKey, impl Iterator<Item = &str>)> {
        self.0.iter().map(|(key, patterns)| (*key, patterns.iter().map(Pattern::as_str)))
    }

    fn hold(&self, event: EventView<'_>) -> bool {
        self.0.iter().all(|(key, patterns)| {
            event.text_is(key.field(), |text| patterns.iter().any(|one| one.matches(text)))
        })
    }
}

impl Match {
    /// Whether the event, as edited so far, is one that the stage sees.
    pub fn accepts(&self, event: EventView<'_>) -> bool {
        self.keys.hold(event) && !self.not.iter().any(|keys| keys.hold(event))
    }

    /// Whether nothing is written there: the stage sees every event.
    pub(super) fn accepts_all(&self) -> bool {
        self.keys.0.is_empty() && self.not.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Edits, Original, Parsed, parse};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    /// What `accepts` says about an event that nobody edited.
    fn accepts(matches: &Match, event: &str) -> bool {
        let (mut bytes, mut members) = (event.as_bytes().to_vec(), Vec::new());
        let Parsed::Event { head, .. } = parse(&mut bytes, &mut members) else {
            panic!("not an event: {event}");
        };
        let of = Original { bytes: &bytes, head: &head, members: &members };
        matches.accepts(EventView { of, edits: &Edits::default() })
    }

    fn keys(keys: &[(MatchKey, &[&str])]) -> Keys {
        keys.iter()
            .map(|(key, texts)| (*key, texts.iter().map(|t| t.to_string()).collect()))
            .collect()
    }

    #[test]
    fn a_text_is_matched_as_it_is_meant_and_an_absent_one_is_empty() {
        let event =
            r#"{"involvedObject":{},"reason":"F\u0061iled","message":"\"a\"\nb","source":{}}"#;
        let is = |key, pattern| {
            accepts(&Match { keys: keys(&[(key, &["other", pattern])]), not: Vec::new() }, event)
        };
        assert!(is(MatchKey::Reason, "Failed") && is(MatchKey::Reason, "F?iled"));
        assert!(!is(MatchKey::Reason, r"F\u0061iled") && !is(MatchKey::Reason, "failed"));
        assert!(is(MatchKey::Message, "\"a\"*b") && !is(MatchKey::Message, "b"));
        for absent in [MatchKey::Namespace, MatchKey::Component, MatchKey::Type] {
            assert!(is(absent, "") && is(absent, "*") && !is(absent, "?*"));
        }
    }

    #[test]
    fn the_namespace_is_the_events_own() {
        let of_a_node = r#"{"metadata":{"namespace":"default"},"involvedObject":{"kind":"Node","namespace":"other"}}"#;
        let is = |namespace| {
            accepts(
                &Match { keys: keys(&[(MatchKey::Namespace, &[namespace])]), not: Vec::new() },
                of_a_node,
            )
        };
        assert!(is("default") && !is("other") && !is(""));
    }

    /// Where each key is in the event, as the documentation says it.
    fn member(event: &Value, key: MatchKey) -> &str {
        let at = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or("");
        match key {
            MatchKey::Type => at("/type"),
            MatchKey::Reason => at("/reason"),
            MatchKey::Message => at("/message"),
            MatchKey::Namespace => at("/metadata/namespace"),
            MatchKey::Kind => at("/involvedObject/kind"),
            MatchKey::Name => at("/involvedObject/name"),
            MatchKey::Component => match at("/source/component") {
                "" => at("/reportingComponent"),
                component => component,
            },
        }
    }

    type Lists = Vec<(MatchKey, Vec<String>)>;

    fn model(event: &Value, keys: &Lists) -> bool {
        keys.iter().all(|(key, texts)| {
            let text = member(event, *key).as_bytes();
            texts.iter().any(|pattern| Pattern::new(pattern.clone()).matches(text))
        })
    }

    /// So few texts that many match.
    fn texts() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["", "a", "ab", "b\n\"b", "\u{e9}"]).prop_map(str::to_owned)
    }

    fn lists(keys: std::ops::Range<usize>) -> impl Strategy<Value = Lists> {
        let patterns = prop_oneof![texts(), "[ab?*\u{e9}]{1,3}"];
        let key =
            (prop::sample::select(MatchKey::ALL.to_vec()), prop::collection::vec(patterns, 1..3));
        prop::collection::vec(key, keys)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_matches_is_what_all_keys_hold_for_and_no_exception_does(
            values in prop::array::uniform8(prop::option::of(texts())),
            only in lists(0..3),
            not in prop::collection::vec(lists(1..3), 0..3),
        ) {
            let [event_type, reason, message, namespace, kind, name, component, reporting] = values;
            let event = json!({
                "type": event_type, "reason": reason, "message": message,
                "metadata": { "namespace": namespace },
                "involvedObject": { "kind": kind, "name": name },
                "source": { "component": component }, "reportingComponent": reporting,
            });
            let matches = Match {
                keys: only.iter().cloned().collect(),
                not: not.iter().map(|keys| keys.iter().cloned().collect()).collect(),
            };
            let expected = model(&event, &only) && !not.iter().any(|keys| model(&event, keys));
            prop_assert_eq!(accepts(&matches, &event.to_string()), expected, "{}", event);
        }
    }
}
