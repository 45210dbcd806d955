//! What one process of weir counted and logged during its life.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::oracle::Gap;

/// The counts of one life, when it was last asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Life {
    /// The replica, and which of its lives this is, from 1.
    pub(crate) name: String,
    pub(crate) log: PathBuf,
    /// 0: it never answered.
    pub(crate) readings: u64,
    pub(crate) received: u64,
    pub(crate) recovered: u64,
    pub(crate) created: u64,
    pub(crate) duplicates: u64,
    pub(crate) in_flight: u64,
    /// It holds the Lease.
    pub(crate) leads: bool,
}

impl Life {
    pub(crate) fn text(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    pub(crate) fn admin_address(&self) -> Option<String> {
        let text = self.text();
        let at = text.find("\"address\":\"127.0.0.1:")? + "\"address\":\"".len();
        let end = text[at..].find('"')?;
        Some(text[at..at + end].to_owned())
    }

    pub(crate) fn gaps(&self) -> Vec<Gap> {
        let lines = self.text();
        let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let listed = lines.filter(|line| line["message"] == "listed" && line["state"] == "listing");
        listed.map(|line| gap(&self.name, &line)).collect()
    }

    /// How often it began to lead, and how often it stopped because it could not renew the Lease.
    pub(crate) fn terms(&self) -> (u64, u64) {
        let text = self.text();
        let lines: Vec<Value> =
            text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let count = |begins: &str| {
            let of_kind = |line: &&Value| {
                line["message"].as_str().is_some_and(|text| text.starts_with(begins))
            };
            // A line says how many like it were suppressed before it.
            let number = |line: &Value| 1 + line["suppressed"].as_u64().unwrap_or_default();
            lines.iter().filter(of_kind).map(number).sum()
        };
        (count("leading"), count("not leading any more: the Lease could not be renewed"))
    }

    /// Takes in a reading of `/metrics`; an error says what is wrong with it.
    pub(crate) fn read(&mut self, text: &str) -> Result<(), String> {
        let mut families: BTreeMap<&str, u64> = BTreeMap::new();
        let mut samples: BTreeMap<&str, u64> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let value = value.parse::<f64>().unwrap_or_default() as u64;
            *families.entry(name.split('{').next().unwrap_or_default()).or_default() += value;
            samples.insert(name, value);
        }
        let sum = |names: &[&str]| names.iter().filter_map(|name| families.get(name)).sum::<u64>();
        let entered = sum(&[
            "weir_events_received_total",
            "weir_events_recovered_total",
            "weir_events_replayed_total",
        ]);
        let left = sum(&[
            "weir_events_delivered_total",
            "weir_events_filtered_total",
            "weir_events_dead_lettered_total",
            "weir_events_in_flight",
        ]);
        self.readings += 1;
        self.received = sum(&["weir_events_received_total"]);
        self.recovered = sum(&["weir_events_recovered_total"]);
        self.in_flight = sum(&["weir_events_in_flight"]);
        self.leads = sum(&["weir_lease_leader"]) == 1;
        let delivered = |how: &str| {
            samples
                .get(format!("weir_events_delivered_total{{result=\"{how}\"}}").as_str())
                .copied()
        };
        self.created = delivered("created").unwrap_or_default();
        self.duplicates = delivered("duplicate").unwrap_or_default();
        if entered != left {
            return Err(format!(
                "{}: the ledger does not balance: {entered} entered, {left} left",
                self.name
            ));
        }
        match sum(&["weir_events_dead_lettered_total"]) {
            0 => Ok(()),
            count => Err(format!("{}: {count} dead letters", self.name)),
        }
    }
}

/// The log line of a completed list. None may be suppressed, or gaps would be missed.
fn gap(life: &str, line: &Value) -> Gap {
    let version = |name: &str| line[name].as_str().and_then(|text| text.parse().ok());
    assert_eq!(line["suppressed"], Value::Null, "{life} left out how it listed: {line}");
    Gap {
        life: life.to_owned(),
        namespace: line["scope"]
            .as_str()
            .and_then(|scope| scope.strip_prefix("namespace "))
            .map(str::to_owned),
        since: version("since").unwrap_or(0),
        version: version("version").unwrap_or_else(|| panic!("a list without a version: {line}")),
    }
}

/// `ledger received=1 recovered=0 … in_flight=0`
pub(crate) fn ends_balanced(line: &str) -> bool {
    let value = |name: &str| {
        let found =
            line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        found.and_then(|text| text.parse::<u64>().ok())
    };
    let sum = |names: &[&str]| names.iter().map(|name| value(name)).sum::<Option<u64>>();
    value("in_flight") == Some(0)
        && sum(&["received", "recovered", "replayed"])
            == sum(&["delivered", "filtered", "dead_lettered"])
}
