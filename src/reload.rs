//! SIGHUP: what was opened or read from a file is opened or read again.
//!
//! Whoever has such a file asks [`Reloads::is_due`] before it uses it next: nothing is interrupted,
//! and what is not used is not read.

use tokio::sync::watch;

/// Says that files are to be read again; cheap to clone.
#[derive(Clone, Debug)]
pub struct Reload(watch::Sender<()>);

impl Default for Reload {
    fn default() -> Reload {
        Reload(watch::Sender::new(()))
    }
}

impl Reload {
    /// Asks everybody who watches.
    pub(crate) fn ask(&self) {
        self.0.send_replace(());
    }

    /// What is asked for from now on.
    pub(crate) fn watch(&self) -> Reloads {
        Reloads(self.0.subscribe())
    }
}

/// What one of those who have files is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Reloads(watch::Receiver<()>);

impl Reloads {
    /// Whether it was asked for since this was last called.
    pub(crate) fn is_due(&mut self) -> bool {
        // An error means that nobody can ask any more.
        let is_due = self.0.has_changed().unwrap_or(false);
        self.0.mark_unchanged();
        is_due
    }

    /// Waits until it is asked for.
    pub(crate) async fn wait(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await // Nobody can ask any more.
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_who_watches_is_asked_once_for_whatever_was_asked_since() {
        let reload = Reload::default();
        let (mut one, mut other) = (reload.watch(), reload.watch());
        assert!(!one.is_due());
        reload.ask();
        reload.clone().ask();
        assert!(one.is_due() && !one.is_due() && other.is_due());
        reload.ask();
        assert!(one.is_due() && !reload.watch().is_due());
    }
}
