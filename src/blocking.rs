//! Work that blocks a thread, on threads that are there for it.

/// A panic of work that blocked; its message was printed when it happened.
#[derive(Debug)]
pub(crate) struct Panicked;

/// Like [`blocking`], with a panic as an error.
pub(crate) async fn contained<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Panicked> {
    let caught = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    blocking(caught).await.map_err(|_| Panicked)
}

/// Runs `work` where it may block. A panic in it goes on in the caller.
///
/// `work` cannot be cancelled: when the caller is dropped, it still runs to its end. At the end of
/// the runtime, work that has not begun never does, and its caller waits for ever: it is about to
/// be dropped.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}
