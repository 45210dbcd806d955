//! Signals. Of SIGTERM and SIGINT the first drains and the second ends at once; SIGHUP has files
//! read again, as log rotation and renewed certificates want it.
//!
//! The order of a drain is that of the flow: the source stops reading, workers finish what they
//! have, the buffer is emptied into the sink, and then the ledger is read for the last time.

use std::io::IsTerminal;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::reload::Reload;

/// How long a drain may take before what is left is given up (it is still in the cluster, and will
/// be listed again). Below the 30 s that Kubernetes grants a pod by default.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// What parts watch to know when to stop, and when to read their files again; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Stop taking in new events, finish what you have.
    pub drain: CancellationToken,
    /// Stop now.
    pub abort: CancellationToken,
    /// Read files again.
    pub reload: Reload,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Stop,
    Reload,
}

impl Shutdown {
    /// Listens for signals from now on. Calls `before_abort` before anything is told to stop at
    /// once.
    ///
    /// # Errors
    ///
    /// When the process may not install signal handlers.
    pub fn on_signals(before_abort: impl Fn() + Send + 'static) -> std::io::Result<Shutdown> {
        let shutdown = Shutdown::default();
        let mut signals = Signals::listen()?;
        let on_signal = shutdown.clone();
        tokio::spawn(async move {
            let mut has_stopped = false;
            loop {
                let asked = signals.next().await;
                on_signal.asked(asked, has_stopped, &before_abort);
                has_stopped |= asked == Asked::Stop;
            }
        });
        Ok(shutdown)
    }

    /// `has_stopped`: it is not the first time that a stop is asked for. (A drain may have begun
    /// without, because a part failed.)
    fn asked(&self, asked: Asked, has_stopped: bool, before_abort: impl Fn()) {
        match asked {
            Asked::Stop if !has_stopped => {
                tracing::info!(
                    timeout = ?DRAIN_TIMEOUT,
                    "stopping: finishing what is in flight; a second signal ends at once"
                );
                self.drain.cancel();
            }
            Asked::Stop => {
                before_abort();
                self.abort.cancel();
            }
            Asked::Reload if !self.drain.is_cancelled() => {
                tracing::info!(
                    "SIGHUP: the sink's file, secrets, certificates, stages and modules are read \
                     again"
                );
                self.reload.ask();
            }
            // What is about to end reads nothing again.
            Asked::Reload => {}
        }
    }
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// What a hangup asks for: where a terminal was closed, there is nobody left to run for.
    on_hangup: Asked,
}

impl Signals {
    fn listen() -> std::io::Result<Signals> {
        let has_terminal = std::io::stdin().is_terminal() || std::io::stderr().is_terminal();
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            on_hangup: if has_terminal { Asked::Stop } else { Asked::Reload },
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => self.on_hangup,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_hangup_neither_drains_nor_counts_as_a_second_signal() {
        let (shutdown, told) = (Shutdown::default(), Cell::new(false));
        let asked = |what, has_stopped| shutdown.asked(what, has_stopped, || told.set(true));
        let mut reloads = shutdown.reload.watch();
        asked(Asked::Reload, false);
        assert!(reloads.is_due() && !shutdown.drain.is_cancelled());
        asked(Asked::Stop, false);
        assert!(shutdown.drain.is_cancelled());
        asked(Asked::Reload, true);
        assert!(!reloads.is_due() && !shutdown.abort.is_cancelled() && !told.get());
        asked(Asked::Stop, true);
        assert!(shutdown.abort.is_cancelled() && told.get());
    }
}
