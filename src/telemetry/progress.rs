//! Progress of reading a big file, for people who watch it on a terminal.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

const TEMPLATE: &str = "{bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left";

/// A bar that counts bytes; cheap to clone. It goes away when the last clone is dropped.
#[derive(Clone, Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn new(bars: &MultiProgress, bytes: u64) -> Progress {
        // A test proves the template; a bar of another look would do as well.
        let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
        Progress { bar: bars.add(ProgressBar::new(bytes).with_style(style)) }
    }

    /// Says how many bytes have been read in all.
    pub fn set(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::ProgressDrawTarget;

    #[test]
    fn a_bar_follows_what_was_read_until_it_is_finished() {
        assert!(ProgressStyle::with_template(TEMPLATE).is_ok());
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let progress = Progress::new(&bars, 4 << 20);
        progress.set(1 << 20);
        assert_eq!((progress.bar.position(), progress.bar.length()), (1 << 20, Some(4 << 20)));
        progress.finish();
        assert!(progress.bar.is_finished());
    }
}
