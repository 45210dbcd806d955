//! A panic in any thread or task ends the run: what it left half done, others would rely on.
//!
//! A thread or a task that panics ends by itself, and whoever does not wait for it never hears of
//! it. So the hook that prints a panic's message also says that there was one, wherever that was:
//! in a part, in a task that a library has started, in a thread that nobody joins. The message may
//! quote an event: it is made harmless.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::Cell;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::{LazyLock, Once, OnceLock};
use std::thread;

use tokio_util::sync::CancellationToken;

use crate::text::{self, LINE_BYTES_MAX};

/// Cancelled by the first panic of this process.
static PANICKED: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);
/// Where that was.
static FIRST: OnceLock<String> = OnceLock::new();

thread_local! {
    /// Whether a panic of this thread is nobody else's.
    static IS_ISOLATED: Cell<bool> = const { Cell::new(false) };
}

/// Runs what others do not rely on: a panic of it is told, and ends it alone.
///
/// # Errors
///
/// When it has panicked.
pub(crate) fn isolated<T>(run: impl FnOnce() -> T) -> thread::Result<T> {
    IS_ISOLATED.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(run));
    IS_ISOLATED.set(false);
    result
}

/// Notices every panic of this process from now on. To be called by a process that is weir, and not
/// by tests: theirs are caught.
pub(crate) fn notice() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|panic| {
            // Without a stderr there is nobody to tell.
            let _ = writeln!(io::stderr(), "{}", shown(panic));
            let backtrace = Backtrace::capture();
            if backtrace.status() == BacktraceStatus::Captured {
                let _ = writeln!(io::stderr(), "{backtrace}");
            }
            if !IS_ISOLATED.get() {
                FIRST.get_or_init(thread_name);
                PANICKED.cancel();
            }
        }));
    });
}

/// Returns when something has panicked, with what that was, for people. Never, in a process that
/// does not [`notice`].
pub(crate) async fn first() -> String {
    PANICKED.cancelled().await;
    FIRST.get().cloned().unwrap_or_default()
}

fn shown(panic: &PanicHookInfo<'_>) -> String {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    line(&thread_name(), &location, panic.payload_as_str().unwrap_or("without a message"))
}

/// Where it was and what it says.
fn line(who: &str, location: &str, message: &str) -> String {
    text::one_line(format_args!("{who} panicked at {location}: {message}"), LINE_BYTES_MAX)
}

fn thread_name() -> String {
    match thread::current().name() {
        // Threads of the runtime: which task it was, nobody knows.
        Some("tokio-rt-worker") | None => "a task".to_owned(),
        Some(name) => format!("the thread `{name}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_panic_quotes_forges_no_line_and_is_not_endless() {
        let quoted = format!("of `\nledger received=0\u{1b}[2J\u{9b}`{}", "x".repeat(1 << 20));
        let line = line("a task", "src/x.rs:1:2", &quoted);
        assert!(line.starts_with("a task panicked at src/x.rs:1:2: of `\\nledger"), "{line}");
        assert!(!line.contains(text::is_harmful) && line.len() <= LINE_BYTES_MAX + 3);
    }
}
