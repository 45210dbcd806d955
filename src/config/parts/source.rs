//! `[source]`

use std::collections::BTreeSet;

use crate::config::input::Input;
use crate::config::keys::SourceKind;
use crate::config::section::Section;
use crate::source::{KubernetesSettings, Settings};

/// Proxies take URLs of 8 KiB, and encoding makes the selector longer.
const SELECTOR_BYTES_MAX: usize = 4 << 10;

pub(super) fn build(input: &mut Input<'_>, section: &Section) -> Option<Settings> {
    Some(match section.word("kind")? {
        SourceKind::Kubernetes => Settings::Kubernetes(kubernetes(input, section)?),
        SourceKind::File => {
            Settings::File { path: section.path("path")?, follow: section.flag("follow")? }
        }
        SourceKind::Stdin => Settings::Stdin,
    })
}

fn kubernetes(input: &mut Input<'_>, section: &Section) -> Option<KubernetesSettings> {
    let namespaces = namespaces(input, section, "namespaces")?;
    let exclude_namespaces = self::namespaces(input, section, "exclude_namespaces")?;
    if !namespaces.is_empty() && !exclude_namespaces.is_empty() {
        let text = "`exclude_namespaces` may not stand beside `namespaces`, which leaves out all \
                    others";
        input.error(section.at("exclude_namespaces"), text);
    }
    let field_selector = section.text("field_selector");
    let start = section.word("start")?;
    let settings = KubernetesSettings { namespaces, exclude_namespaces, field_selector, start };
    let bytes = settings.selector().map_or(0, |selector| selector.len());
    if bytes > SELECTOR_BYTES_MAX {
        let key = ["exclude_namespaces", "field_selector"]
            .into_iter()
            .find(|key| section.is_given(key))
            .unwrap_or_default();
        let text = format!(
            "`exclude_namespaces` and `field_selector` make a selector of {bytes} bytes, and it \
             goes into a URL, which may have {SELECTOR_BYTES_MAX} of it: drop some of it in a \
             [[stage]] with `drop = true`"
        );
        input.error(section.at(key), text);
    }
    Some(settings)
}

fn namespaces(input: &mut Input<'_>, section: &Section, key: &str) -> Option<Vec<String>> {
    let namespaces = section.texts(key)?;
    let distinct: BTreeSet<&String> = namespaces.iter().collect();
    if distinct.len() < namespaces.len() {
        input.error(section.at(key), format!("`{key}` names a namespace twice"));
    }
    Some(namespaces)
}
