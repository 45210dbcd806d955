//! Opens the dead letters that the settings name, and a replay of them if there is to be one.

use super::RunError;
use crate::blocking::blocking;
use crate::config::Settings;
use crate::dead_letter::{self, DeadLetters, LetterStore, LetterStoreError, Owner, Replay};
use crate::process::Process;
use crate::shutdown::Shutdown;
use crate::source::Letters;

/// Where the settings keep the dead letters; on this runtime.
///
/// # Errors
///
/// [`LetterStore::configured`].
pub(crate) fn letter_store(
    settings: &Settings,
    shutdown: &Shutdown,
) -> Result<Option<LetterStore>, LetterStoreError> {
    let owner = Owner { pipeline: settings.name.clone(), cluster: settings.cluster.clone() };
    LetterStore::configured(&settings.dead_letter, settings.sink.connection(), owner, shutdown)
}

pub(super) async fn open(
    settings: &Settings,
    letters: Option<Letters>,
    process: &Process,
) -> Result<(DeadLetters, Option<(Letters, Replay)>), RunError> {
    let Process { ledger, health, shutdown, .. } = process;
    let store = letter_store(settings, shutdown)?;
    let mut dead_letters = DeadLetters::open(store.as_ref(), ledger, health, shutdown)?;
    warn_of_ephemeral(store.as_ref());
    let Some(letters) = letters else { return Ok((dead_letters, None)) };
    let begin = move || {
        let replay = dead_letters.begin_replay();
        (dead_letters, replay)
    };
    let (dead_letters, replay) = blocking(begin).await;
    Ok((dead_letters, Some((letters, replay?))))
}

/// A letter's event is settled when it is kept: it must not go with the pod.
fn warn_of_ephemeral(store: Option<&LetterStore>) {
    let Some(LetterStore::Folder(path)) = store else { return };
    if let Some(ephemeral) = dead_letter::ephemeral(path) {
        tracing::warn!(
            path = %path.display(),
            "dead_letter.path is on {}, and the dead letters with it: mount a persistent volume \
             there, or set dead_letter.kind = \"index\"",
            ephemeral.what()
        );
    }
}
