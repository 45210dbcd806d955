//! Two signals: the first one drains, the second one ends the process at once.
//!
//! The order of a drain is that of the flow: the source stops reading, workers finish what they
//! have, the buffer is emptied into the sink, and then the ledger is read for the last time.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long a drain may take before what is left is given up (it is still in the cluster, and will
/// be listed again). Below the 30 s that Kubernetes grants a pod by default.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(25);

/// What parts watch to know when to stop; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Stop taking in new events, finish what you have.
    pub drain: CancellationToken,
    /// Stop now.
    pub abort: CancellationToken,
}

impl Shutdown {
    /// Listens for SIGINT, SIGTERM and SIGHUP (a terminal that is closed) from now on. Calls
    /// `before_abort` before anything is told to stop at once.
    ///
    /// # Errors
    ///
    /// When the process may not install signal handlers.
    pub fn on_signals(before_abort: impl Fn() + Send + 'static) -> std::io::Result<Shutdown> {
        let shutdown = Shutdown::default();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let on_signal = shutdown.clone();
        tokio::spawn(async move {
            for count in 1u32.. {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    _ = hangup.recv() => {}
                }
                if count == 1 {
                    tracing::info!(
                        timeout = ?DRAIN_TIMEOUT,
                        "stopping: finishing what is in flight; a second signal ends at once"
                    );
                    on_signal.drain.cancel();
                } else {
                    before_abort();
                    on_signal.abort.cancel();
                }
            }
        });
        Ok(shutdown)
    }
}
