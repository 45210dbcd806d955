//! `setup = "run"`: a setup at the start of a run, whose log says what was done.

use super::{Item, Order, State, What, set_up};
use crate::sink::opensearch::asker::{AskError, Asker};
use crate::sink::settings::OpenSearchSettings;
use crate::text;

/// In a line of the log.
const DIFFERENCES_TOLD_MAX: usize = 10;

/// What is refused is a warning: a run needs none of it. The last time, so is what is not answered.
/// Says whether the template was seen to.
pub(in crate::sink::opensearch) async fn at_start(
    asker: &Asker<'_>,
    settings: &OpenSearchSettings,
    is_last: bool,
) -> Result<bool, AskError> {
    let order = Order { goes_on: is_last, ..Order::default() };
    let (items, ended) = set_up(asker, settings, &order).await;
    // The next time all but what was done is said again.
    let is_told = |item: &&Item| ended.is_ok() || item.state.is_done();
    items.iter().filter(is_told).for_each(tell);
    ended.map(|()| items.iter().any(|item| item.what == What::Template))
}

fn tell(Item { what, name, state }: &Item) {
    let what = what.word();
    match state {
        State::Fine(how) => tracing::debug!(what, name, "set up already: {how}"),
        State::Others(how) => tracing::info!(what, name, "not set up: {how}"),
        State::Created(how) => tracing::info!(what, name, "installed, because missing: {how}"),
        State::Changed(differences) => {
            let differences = text::first(differences, DIFFERENCES_TOLD_MAX);
            tracing::info!(what, name, differences, "brought up to date");
        }
        State::Done(how) => tracing::info!(what, name, "{how}"),
        State::Edited(differences) | State::Differs(differences) => {
            let differences = text::first(differences, DIFFERENCES_TOLD_MAX);
            tracing::warn!(
                what,
                name,
                differences,
                "somebody edited it, and so it stays: `weir opensearch setup --dry-run` shows what \
                 would change, and --force changes it"
            );
        }
        State::Missing(why) | State::Pending(why) | State::Failed(why) => {
            tracing::warn!(what, name, "not set up: {why}; going on without it");
        }
    }
}
