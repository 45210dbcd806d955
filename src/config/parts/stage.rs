//! `[[stage]]`

use std::collections::BTreeMap;

use crate::config::input::Input;
use crate::config::section::Section;
use crate::stages::{Match, StageSettings};

/// Diagnoses a name that two stages have.
pub(super) fn unique_names(input: &mut Input<'_>, stages: &[Section]) {
    let mut seen = BTreeMap::new();
    for (at, name) in
        stages.iter().filter_map(|stage| Some((stage.at("name"), stage.text("name")?)))
    {
        let line = input.location(at).line;
        match seen.get(&name) {
            Some(first) => {
                input.error(
                    at,
                    format!("the stage name \"{name}\" is taken by the stage in line {first}"),
                );
            }
            None => {
                seen.insert(name, line);
            }
        }
    }
}

pub(super) fn build(section: &Section) -> Option<StageSettings> {
    let matches = section.section("match")?;
    Some(StageSettings {
        name: section.text("name")?,
        module: section.path("module")?,
        matches: Match {
            event_type: matches.texts("type"),
            reason: matches.texts("reason"),
            namespace: matches.texts("namespace"),
            kind: matches.texts("kind"),
            name: matches.texts("name"),
            component: matches.texts("component"),
        },
        timeout: section.duration("timeout")?,
        memory: section.size("memory")?,
        on_error: section.word("on_error")?,
        wasi: section.word("wasi")?,
        config: section.free("config")?,
    })
}
