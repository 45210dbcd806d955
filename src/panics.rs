//! A panic in any thread or task ends the run: what it left half done, others would rely on.
//!
//! A thread or a task that panics ends by itself, and whoever does not wait for it never hears of
//! it. So the hook that prints a panic's message also says that there was one, wherever that was:
//! in a part, in a task that a library has started, in a thread that nobody joins.

use std::panic;
use std::sync::{LazyLock, Once, OnceLock};
use std::thread;

use tokio_util::sync::CancellationToken;

/// Cancelled by the first panic of this process.
static PANICKED: LazyLock<CancellationToken> = LazyLock::new(CancellationToken::new);
/// Where that was.
static FIRST: OnceLock<String> = OnceLock::new();

/// Notices every panic of this process from now on. To be called by a process that is weir, and not
/// by tests: theirs are caught.
pub(crate) fn notice() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            print(panic);
            FIRST.get_or_init(thread_name);
            PANICKED.cancel();
        }));
    });
}

/// Returns when something has panicked, with what that was, for people. Never, in a process that
/// does not [`notice`].
pub(crate) async fn first() -> String {
    PANICKED.cancelled().await;
    FIRST.get().cloned().unwrap_or_default()
}

fn thread_name() -> String {
    match thread::current().name() {
        // Threads of the runtime: which task it was, nobody knows.
        Some("tokio-rt-worker") | None => "a task".to_owned(),
        Some(name) => format!("the thread `{name}`"),
    }
}
