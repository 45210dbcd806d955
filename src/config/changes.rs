//! What differs between two texts of one configuration.

use toml::{Table, Value};

/// The keys by which two valid texts differ, as `sink.hosts`, but for those of stages.
pub(crate) fn changed_keys(old: &str, new: &str) -> Vec<String> {
    // Both were read before, so both are tables.
    let table = |text: &str| {
        let mut table: Table = text.parse().unwrap_or_default();
        table.remove("stage");
        table
    };
    let mut keys = Vec::new();
    compare(&table(old), &table(new), "", &mut keys);
    keys
}

fn compare(old: &Table, new: &Table, prefix: &str, keys: &mut Vec<String>) {
    let none = Table::new();
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        let key = format!("{prefix}{name}");
        match (old.get(name), new.get(name)) {
            (old, new) if old == new => {}
            (Some(Value::Table(old)), Some(Value::Table(new))) => {
                compare(old, new, &format!("{key}."), keys);
            }
            (None, Some(Value::Table(new))) => compare(&none, new, &format!("{key}."), keys),
            (Some(Value::Table(old)), None) => compare(old, &none, &format!("{key}."), keys),
            _ => keys.push(key),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_by_its_keys_and_stages_are_not_compared() {
        let old = "name = 'a'\nworkers = 1\n[sink]\nhosts = ['x']\n[[stage]]\nname = 's'\n";
        let new =
            "name = 'a'\nworkers = 2 # more\n[sink]\nhosts = ['y']\n[lookup]\nlabels = true\n";
        assert_eq!(changed_keys(old, new), ["lookup.labels", "sink.hosts", "workers"]);
        assert_eq!(changed_keys(new, old), ["lookup.labels", "sink.hosts", "workers"]);
        assert!(changed_keys(old, &format!("# a remark\n{old}drop = true\n")).is_empty());
    }
}
