//! `[lookup]`

use std::collections::BTreeSet;

use crate::config::input::Input;
use crate::config::keys::SourceKind;
use crate::config::section::Section;
use crate::lookup::{Resource, Settings};

/// `Some(None)`: nothing is to be looked up.
pub(super) fn build(input: &mut Input<'_>, root: &Section) -> Option<Option<Settings>> {
    let Some(section) = root.section("lookup") else {
        return (!root.is_in_file("lookup")).then_some(None);
    };
    let kind = root.section("source").and_then(|source| source.word("kind"));
    if kind.is_some_and(|kind: SourceKind| kind != SourceKind::Kubernetes) {
        let text = "[lookup] is for a kubernetes source: of any other it is not known which \
                    cluster's objects its events are about";
        input.error(section.at, text);
    }
    for key in ["resources", "annotations"] {
        let texts = section.texts(key).unwrap_or_default();
        let distinct: BTreeSet<&String> = texts.iter().collect();
        if distinct.len() < texts.len() {
            input.error(section.at(key), format!("`{key}` names one twice"));
        }
    }
    let (labels, owners) = (section.flag("labels")?, section.flag("owners")?);
    let annotations = section.texts("annotations")?;
    if !labels && !owners && annotations.is_empty() {
        let text = "nothing is to be had: with `labels = false` and `owners = false`, \
                    `annotations` must name some; or leave [lookup] out";
        input.error(section.at("labels"), text);
    }
    // Their rule has parsed them before.
    let resources = section.texts("resources")?;
    let resources = resources.iter().filter_map(|text| Resource::parse(text).ok()).collect();
    Some(Some(Settings {
        resources,
        labels,
        annotations,
        owners,
        dedot: section.flag("dedot")?,
        timeout: section.duration("timeout")?,
        max_per_second: u32::try_from(section.count("max_per_second")?).ok()?,
    }))
}
