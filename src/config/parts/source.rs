//! `[source]`

use std::collections::BTreeSet;

use crate::config::input::Input;
use crate::config::keys::SourceKind;
use crate::config::section::Section;
use crate::source::{KubernetesSettings, Settings};

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
    let namespaces = section.texts("namespaces")?;
    let distinct: BTreeSet<&String> = namespaces.iter().collect();
    if distinct.len() < namespaces.len() {
        input.error(section.at("namespaces"), "`namespaces` names a namespace twice");
    }
    Some(KubernetesSettings { namespaces, start: section.word("start")? })
}
