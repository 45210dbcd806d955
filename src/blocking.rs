//! Work that blocks a thread, on threads that are there for it.

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
