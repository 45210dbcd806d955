//! Opens the dead letters where the settings have them, and a replay of them, if there is to be
//! one.

use super::RunError;
use crate::blocking::blocking;
use crate::config::Settings;
use crate::dead_letter::{self, DeadLetters, Owner, Place, Replay};
use crate::health::Health;
use crate::ledger::Ledger;
use crate::shutdown::Shutdown;
use crate::sink::{self, SinkError};
use crate::source::Letters;

/// Where the settings have the dead letters; on this runtime.
///
/// # Errors
///
/// [`sink::place_of_letters`].
pub fn place_of_letters(
    settings: &Settings,
    shutdown: &Shutdown,
) -> Result<Option<Place>, SinkError> {
    let owner = Owner { pipeline: settings.name.clone(), cluster: settings.cluster.clone() };
    sink::place_of_letters(&settings.dead_letter, &settings.sink, owner, shutdown)
}

pub(super) async fn open(
    settings: &Settings,
    letters: Option<Letters>,
    ledger: &Ledger,
    health: &Health,
    shutdown: &Shutdown,
) -> Result<(DeadLetters, Option<(Letters, Replay)>), RunError> {
    let place = place_of_letters(settings, shutdown)?;
    let mut dead_letters = DeadLetters::open(place.as_ref(), ledger, health, shutdown)?;
    warn_of_ephemeral(place.as_ref());
    let Some(letters) = letters else { return Ok((dead_letters, None)) };
    let begin = move || {
        let replay = dead_letters.begin_replay();
        (dead_letters, replay)
    };
    let (dead_letters, replay) = blocking(begin).await;
    Ok((dead_letters, Some((letters, replay?))))
}

/// A letter's event is settled when it is kept: it must not go with the pod.
fn warn_of_ephemeral(place: Option<&Place>) {
    let Some(Place::Folder(path)) = place else { return };
    if let Some(ephemeral) = dead_letter::ephemeral(path) {
        tracing::warn!(
            path = %path.display(),
            "dead_letter.path is on {}, and the dead letters with it: mount a persistent volume \
             there, or set dead_letter.kind = \"index\"",
            ephemeral.what()
        );
    }
}
