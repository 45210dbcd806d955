//! From the exporter's tree of routes to stages that drop.
//!
//! Invariant: no stage drops what the exporter would have sent to the receiver. What cannot be said
//! without a module is left out, and noted.

use serde_json::Value;

use super::notes::Notes;
use super::pattern::{PatternError, Text, patterns};
use super::translate::text;
use super::variables;

/// A table of `match`: weir's keys, each with patterns.
pub(super) type Keys = Vec<(&'static str, Vec<String>)>;

/// A stage without a module.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Drops what matches.
    Drop(Keys),
    /// Drops what none of these matches.
    Only(Vec<Keys>),
}

/// A way on which events reach the receiver.
#[derive(Clone, Default)]
struct Way<'v> {
    drops: Vec<Rule<'v>>,
    matches: Vec<Rule<'v>>,
}

/// A rule, and where it stands, which tells it from others.
#[derive(Clone)]
struct Rule<'v> {
    path: String,
    rule: &'v Value,
}

impl PartialEq for Rule<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

/// What a rule is to weir.
enum Converted {
    /// It has no conditions.
    Always,
    Keys(Keys),
    /// It never matched.
    Never,
    /// It cannot be said without a module.
    Inexpressible,
}

/// What a rule does with what it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// It drops that: nothing more may match.
    Drop,
    /// It lets that through: more may.
    Pass,
}

impl Use {
    /// What becomes of events where the rule cannot be said.
    fn instead(self) -> &'static str {
        match self {
            Use::Drop => "events that it would drop go on",
            Use::Pass => "events that it would leave out go on",
        }
    }
}

/// Whether a route leads to a receiver, as far as names tell.
pub(super) fn lead_to(route: &Value, receiver: &str) -> bool {
    let mut ways = Vec::new();
    collect(route, receiver, "route", &Way::default(), &mut ways);
    !ways.is_empty()
}

/// The stages that leave of all events what the routes send to `receiver`; `None`: nothing is.
pub(super) fn stages<'v>(
    route: &'v Value,
    receiver: &str,
    notes: &mut Notes,
) -> Option<Vec<Stage>> {
    let mut ways: Vec<Way<'v>> = Vec::new();
    collect(route, receiver, "route", &Way::default(), &mut ways);
    if ways.is_empty() {
        return None;
    }
    let mut stages = Vec::new();
    let dropped_by_all = |rule: &&Rule<'_>| ways.iter().all(|way| way.drops.contains(rule));
    let matched_by_all = |rule: &&Rule<'_>| ways.iter().all(|way| way.matches.contains(rule));
    for rule in ways[0].drops.iter().filter(dropped_by_all) {
        match convert(rule, Use::Drop, notes) {
            Converted::Always => stages.push(Stage::Drop(vec![("type", vec!["*".into()])])),
            Converted::Keys(keys) => stages.push(Stage::Drop(keys)),
            Converted::Never | Converted::Inexpressible => {}
        }
    }
    for rule in ways[0].matches.iter().filter(matched_by_all) {
        stages.extend(only(std::slice::from_ref(rule), notes));
    }
    let rest = |way: &Way<'v>| {
        let drops = way.drops.iter().filter(|rule| !dropped_by_all(rule)).count();
        let matches = way.matches.iter().filter(|rule| !matched_by_all(rule));
        let matches = matches.filter(|rule| !is_unconditional(rule.rule)).cloned();
        (drops, matches.collect())
    };
    let rests: Vec<(usize, Vec<Rule<'v>>)> = ways.iter().map(rest).collect();
    if rests.iter().any(|(drops, matches)| *drops == 0 && matches.is_empty()) {
        return Some(stages);
    }
    if rests.iter().all(|(drops, matches)| *drops == 0 && matches.len() == 1) {
        let alternatives: Vec<_> = rests.into_iter().flat_map(|(_, matches)| matches).collect();
        stages.extend(only(&alternatives, notes));
        return Some(stages);
    }
    let text = format!(
        "{} routes lead to \"{receiver}\", each with rules of its own, and weir's stages follow \
         each other: what they leave out goes on",
        ways.len()
    );
    notes.not_mapped("route", text);
    Some(stages)
}

/// Whether a rule has no condition: it only says where events go.
fn is_unconditional(rule: &Value) -> bool {
    rule.as_object().is_some_and(|rule| rule.keys().all(|key| key == "receiver"))
}

/// Finds the ways to the receiver.
fn collect<'v>(
    route: &'v Value,
    receiver: &str,
    path: &str,
    so_far: &Way<'v>,
    ways: &mut Vec<Way<'v>>,
) {
    let rules = |key: &str| -> Vec<Rule<'v>> {
        let rules = route.get(key).and_then(Value::as_array).into_iter().flatten();
        let rule = |(at, rule)| Rule { path: format!("{path}.{key}[{at}]"), rule };
        rules.enumerate().map(rule).collect()
    };
    let mut way = so_far.clone();
    way.drops.extend(rules("drop"));
    for rule in rules("match") {
        let named = text(rule.rule, "receiver");
        if named.is_some_and(|named| named == receiver || variables::are_in(&named)) {
            let mut there = way.clone();
            there.matches.push(rule.clone());
            ways.push(there);
        }
    }
    // An event goes on to the routes below only where all of these match.
    way.matches.extend(rules("match"));
    let below = route.get("routes").and_then(Value::as_array).into_iter().flatten();
    for (at, route) in below.enumerate() {
        collect(route, receiver, &format!("{path}.routes[{at}]"), &way, ways);
    }
}

/// The stage that drops what no rule matches, if there is something to drop.
fn only(rules: &[Rule<'_>], notes: &mut Notes) -> Option<Stage> {
    let mut alternatives = Vec::new();
    for rule in rules {
        match convert(rule, Use::Pass, notes) {
            Converted::Always | Converted::Inexpressible => return None,
            Converted::Keys(keys) => alternatives.push(keys),
            Converted::Never => {}
        }
    }
    // Of rules that never matched nothing came through, which nobody has wanted.
    (!alternatives.is_empty()).then_some(Stage::Only(alternatives))
}

/// The exporter's conditions that weir has, and its keys.
const TEXTS: [(&str, &str); 6] = [
    ("message", "message"),
    ("kind", "kind"),
    ("namespace", "namespace"),
    ("reason", "reason"),
    ("type", "type"),
    ("component", "component"),
];

fn convert(rule: &Rule<'_>, usage: Use, notes: &mut Notes) -> Converted {
    let (mut keys, mut is_expressible) = (Keys::new(), true);
    for (theirs, ours) in TEXTS.into_iter().chain([("apiVersion", ""), ("host", "")]) {
        let place = format!("{}.{theirs}", rule.path);
        match condition(rule.rule, (theirs, ours), usage) {
            // It matches everything.
            Ok(patterns) if patterns.iter().any(|pattern| pattern == "*") => {}
            Ok(patterns) => keys.push((ours, patterns)),
            Err(Unsaid::Never(why)) => {
                notes.ignored(&place, why);
                return Converted::Never;
            }
            Err(Unsaid::Not(why)) => {
                notes.not_mapped(&place, format!("{why}; {}", usage.instead()));
                is_expressible = false;
            }
        }
    }
    for (key, why) in unsaid(rule.rule) {
        notes.not_mapped(&format!("{}.{key}", rule.path), format!("{why}; {}", usage.instead()));
        is_expressible = false;
    }
    match (is_expressible, keys.is_empty()) {
        (false, _) => Converted::Inexpressible,
        (true, true) => Converted::Always,
        (true, false) => Converted::Keys(keys),
    }
}

/// Why a condition is not one of weir's.
enum Unsaid {
    /// It never held.
    Never(String),
    /// weir has none like it.
    Not(String),
}

/// The patterns for one of a rule's texts; `*` where it has none.
fn condition(
    rule: &Value,
    (theirs, ours): (&str, &str),
    usage: Use,
) -> Result<Vec<String>, Unsaid> {
    let Some(expression) = text(rule, theirs) else {
        return match rule.get(theirs) {
            Some(Value::Array(_) | Value::Object(_)) => Err(Unsaid::Not("it is no text".into())),
            _ => Ok(vec!["*".into()]),
        };
    };
    let kind = match (theirs, usage) {
        ("message", Use::Drop) => Text::Lines,
        _ => Text::OneLine,
    };
    let patterns = patterns(&expression, kind).map_err(|error| match error {
        PatternError::Invalid => Unsaid::Never(format!(
            "{expression:?} is no regular expression, so this rule never matched anything; it is \
             left out"
        )),
        PatternError::Inexpressible(what) => {
            Unsaid::Not(format!("weir's patterns do not have {what} ({expression:?})"))
        }
    })?;
    let matches_nothing = patterns.iter().any(|pattern| pattern.is_empty());
    match theirs {
        _ if patterns.iter().any(|pattern| pattern == "*") => Ok(patterns),
        _ if ours.is_empty() => Err(Unsaid::Not("`match` has no such key".into())),
        // Where source.component is empty, weir takes reportingComponent, and the exporter nothing.
        "component" if usage == Use::Drop || matches_nothing => Err(Unsaid::Not(
            "weir also looks at reportingComponent, where source.component is empty".into(),
        )),
        _ => Ok(patterns),
    }
}

/// What a rule has besides texts.
fn unsaid(rule: &Value) -> Vec<(&'static str, &'static str)> {
    let is_set = |key: &str, is_nothing: fn(&Value) -> bool| {
        rule.get(key).is_some_and(|value| !value.is_null() && !is_nothing(value))
    };
    let is_empty = |pairs: &Value| pairs.as_object().is_some_and(serde_json::Map::is_empty);
    // Events that have only `eventTime` have a count of 0.
    let is_no_count = |count: &Value| count.as_i64().is_some_and(|count| count <= 0);
    let by_lookup = "a module can do that, by what [lookup] finds";
    let all = [
        ("labels", is_set("labels", is_empty), by_lookup),
        ("annotations", is_set("annotations", is_empty), by_lookup),
        ("minCount", is_set("minCount", is_no_count), "a module can do that"),
    ];
    all.into_iter().filter(|(_, is_set, _)| *is_set).map(|(key, _, why)| (key, why)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(route: Value) -> (Option<Vec<Stage>>, Vec<String>) {
        let mut notes = Notes::default();
        let stages = stages(&route, "os", &mut notes);
        (stages, notes.lines("f"))
    }

    fn keys(keys: &[(&'static str, &str)]) -> Keys {
        keys.iter().map(|(key, pattern)| (*key, vec![(*pattern).to_owned()])).collect()
    }

    #[test]
    fn drops_on_the_way_become_stages_and_so_do_matches_that_all_must_pass() {
        let route = json!({
            "drop": [{"namespace": "^test$"}],
            "routes": [
                {"match": [{"receiver": "slack"}]},
                {
                    "drop": [{"type": "Normal", "reason": "^Pulled$"}],
                    "match": [{"kind": "^Pod$"}],
                    "routes": [{"match": [{"receiver": "os", "type": "^Warning$"}]}],
                },
            ],
        });
        let expected = vec![
            Stage::Drop(keys(&[("namespace", "test")])),
            Stage::Drop(keys(&[("reason", "Pulled"), ("type", "*Normal*")])),
            Stage::Only(vec![keys(&[("kind", "Pod")])]),
            Stage::Only(vec![keys(&[("type", "Warning")])]),
        ];
        assert_eq!(of(route), (Some(expected), Vec::new()));
    }

    #[test]
    fn several_ways_become_alternatives_where_that_says_the_same() {
        let two = json!({"routes": [
            {"match": [{"receiver": "os", "kind": "^Pod$"}, {"receiver": "os", "kind": "^Node$"}]},
            {"match": [{"receiver": "os", "type": "^Warning$"}]},
        ]});
        let alternatives = [("kind", "Pod"), ("kind", "Node"), ("type", "Warning")];
        let only = Stage::Only(alternatives.map(|pair| keys(&[pair])).into());
        assert_eq!(of(two), (Some(vec![only]), Vec::new()));
        let all = json!({"routes": [
            {"match": [{"receiver": "os"}]},
            {"match": [{"receiver": "os", "kind": "Pod"}], "drop": [{"type": "Normal"}]},
        ]});
        assert_eq!(of(all), (Some(Vec::new()), Vec::new()));
        let both = json!({"routes": [
            {"match": [{"receiver": "os", "kind": "^Node$"}]},
            {"match": [{"receiver": "os"}], "drop": [{"type": "Normal"}]},
        ]});
        let (stages, notes) = of(both);
        assert_eq!(stages, Some(Vec::new()));
        assert_eq!(notes.len(), 1, "{notes:?}");
    }

    /// Each as the only rule that drops: nothing is dropped, and that is told.
    #[test]
    fn nothing_is_dropped_by_a_rule_that_weir_would_take_for_more() {
        for (rule, kind) in [
            (json!({"namespace": "^${TEAM}$"}), "not mapped"),
            (json!({"namespace": "prod-**"}), "ignored by the exporter"),
            (json!({"message": "unable {foo}"}), "not mapped"),
            (json!({"message": "^Failed.*denied$"}), "not mapped"),
            (json!({"type": "Normal", "minCount": 1}), "not mapped"),
            (json!({"type": "Normal", "minCount": "${N}"}), "not mapped"),
            (json!({"type": "Normal", "labels": "${LABELS}"}), "not mapped"),
            (json!({"type": "Normal", "reason": ["a", "b"]}), "not mapped"),
            (json!({"component": "default-scheduler"}), "not mapped"),
        ] {
            let (stages, notes) =
                of(json!({"drop": [rule.clone()], "match": [{"receiver": "os"}]}));
            assert_eq!(stages, Some(Vec::new()), "{rule}");
            assert!(notes.len() == 1 && notes[0].contains(kind), "{rule}: {notes:?}");
        }
    }

    /// Each beside another rule that lets events through.
    #[test]
    fn everything_passes_where_weir_cannot_say_what_did() {
        for rule in [
            json!({"receiver": "os", "namespace": "^${TEAM}$"}),
            json!({"receiver": "${RECEIVER}", "kind": "^Pod$", "minCount": 1}),
            json!({"receiver": "os", "message": r"\Qa.b\E"}),
            json!({"receiver": "os", "component": "^(kubelet)?$"}),
        ] {
            let rules = json!({"match": [rule.clone(), {"receiver": "os", "kind": "^Node$"}]});
            let (stages, notes) = of(rules);
            assert_eq!(stages, Some(Vec::new()), "{rule}");
            assert_eq!(notes.len(), 1, "{rule}: {notes:?}");
        }
        let one_line = json!({"match": [{"receiver": "os", "message": "^Failed.*denied$"}]});
        let only = Stage::Only(vec![keys(&[("message", "Failed*denied")])]);
        assert_eq!(of(one_line).0, Some(vec![only]), "more may pass, never less");
    }

    #[test]
    fn what_cannot_be_said_goes_on_and_is_noted_and_what_never_matched_is_left_out() {
        let route = json!({
            "drop": [{"namespace": "*test*"}, {"type": "Normal", "minCount": 5}, {"apiVersion": "v1"}],
            "match": [{"receiver": "os", "labels": {"a": "b"}, "kind": "Pod"}],
        });
        let (stages, notes) = of(route);
        assert_eq!(stages, Some(Vec::new()));
        insta::assert_snapshot!(notes.join("\n"), @r#"
        f: ignored by the exporter: route.drop[0].namespace: "*test*" is no regular expression, so this rule never matched anything; it is left out
        f: not mapped: route.drop[1].minCount: a module can do that; events that it would drop go on
        f: not mapped: route.drop[2].apiVersion: `match` has no such key; events that it would drop go on
        f: not mapped: route.match[0].labels: a module can do that, by what [lookup] finds; events that it would leave out go on
        "#);
        assert_eq!(of(json!({"match": [{"receiver": "slack"}]})), (None, Vec::new()));
        let never = json!({"match": [{"receiver": "os", "kind": "*"}]});
        assert_eq!(of(never).0, Some(Vec::new()));
    }
}
