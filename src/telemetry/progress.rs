//! Progress of reading a big file, for people who watch it on a terminal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";
/// How often the bar is looked after: often enough to seem smooth.
const INTERVAL: Duration = Duration::from_millis(100);

/// A bar that follows a counter until it is dropped; then it goes away.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Dropped to end the thread.
    end: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Progress {
    /// Follows `read`, bytes read so far, on its way to `total`.
    pub(super) fn new(bars: &MultiProgress, total: u64, read: Arc<AtomicU64>) -> Progress {
        // A test proves the template; a bar of another look would do as well.
        let style =
            ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bars.add(ProgressBar::new(total).with_style(style));
        let (end, ended) = sync_channel(0);
        let thread = std::thread::Builder::new().name("progress".into()).spawn(move || {
            while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                bar.set_position(read.load(Ordering::Relaxed));
            }
            bar.finish_and_clear();
        });
        // Without a thread there is no bar, and nothing else is lost.
        Progress { end: Some(end), thread: thread.ok() }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A bar that panicked has shown so.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::ProgressDrawTarget;

    #[test]
    fn a_bar_goes_away_when_it_is_dropped() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let read = Arc::new(AtomicU64::new(0));
        let progress = Progress::new(&bars, 4 << 20, read.clone());
        read.store(1 << 20, Ordering::Relaxed);
        drop(progress);
        // The thread has ended: nobody else holds the counter.
        assert_eq!(Arc::strong_count(&read), 1);
    }
}
