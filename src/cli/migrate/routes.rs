//! From the exporter's tree of routes to stages that drop.
//!
//! Invariant: no stage drops what the exporter would have sent to the receiver. What cannot be said
//! without a module is left out, and noted.

use serde_json::Value;

use super::notes::Notes;
use super::pattern::{PatternError, patterns};

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
        match convert(rule, "events that it would drop go on", notes) {
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
        if rule.rule.get("receiver").and_then(Value::as_str) == Some(receiver) {
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
        match convert(rule, "events that it would leave out go on", notes) {
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

fn convert(rule: &Rule<'_>, instead: &str, notes: &mut Notes) -> Converted {
    let Rule { path, rule } = rule;
    let text = |key: &str| match rule.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    };
    let text = |key: &str| text(key).filter(|text| !text.is_empty());
    let (mut keys, mut is_expressible) = (Keys::new(), true);
    for (theirs, ours) in TEXTS.into_iter().chain([("apiVersion", ""), ("host", "")]) {
        let Some(expression) = text(theirs) else { continue };
        let place = format!("{path}.{theirs}");
        match patterns(&expression) {
            Err(PatternError::Invalid) => {
                let text = format!(
                    "{expression:?} is no regular expression, so this rule never matched anything; \
                     it is left out"
                );
                notes.ignored(&place, text);
                return Converted::Never;
            }
            Err(PatternError::Inexpressible(what)) => {
                let text =
                    format!("weir's patterns do not have {what} ({expression:?}); {instead}");
                notes.not_mapped(&place, text);
                is_expressible = false;
            }
            Ok(_) if ours.is_empty() => {
                notes.not_mapped(&place, format!("`match` has no such key; {instead}"));
                is_expressible = false;
            }
            // It matches everything.
            Ok(patterns) if patterns.iter().any(|pattern| pattern == "*") => {}
            Ok(patterns) => keys.push((ours, patterns)),
        }
    }
    for key in ["labels", "annotations"] {
        if rule.get(key).and_then(Value::as_object).is_some_and(|pairs| !pairs.is_empty()) {
            let text = format!("a module can do that, by what [lookup] finds; {instead}");
            notes.not_mapped(&format!("{path}.{key}"), text);
            is_expressible = false;
        }
    }
    if rule.get("minCount").and_then(Value::as_i64).is_some_and(|count| count > 1) {
        let text = format!("a module can do that; {instead}");
        notes.not_mapped(&format!("{path}.minCount"), text);
        is_expressible = false;
    }
    match (is_expressible, keys.is_empty()) {
        (false, _) => Converted::Inexpressible,
        (true, true) => Converted::Always,
        (true, false) => Converted::Keys(keys),
    }
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
