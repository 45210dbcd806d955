//! The connections of the admin port: never so many, nor for so long, that the pipeline lacks file
//! descriptors, and never so few that a probe goes unanswered.
//!
//! Whoever can reach the port can open connections to it and say nothing. So there are at most
//! [`CONNECTIONS_MAX`], and where one more comes the one goes that has been idle for longest: a
//! probe that has just come is the last to go.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use rustix::process::{Resource, getrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Open at once, where file descriptors are not scarce.
const CONNECTIONS_MAX: usize = 64;
/// The share of the process' file descriptors that the port may have.
const DESCRIPTORS_SHARE: u64 = 4;
/// From the end of an answer, or the beginning, to the end of the next request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// From one request to the next, whatever the client does with the answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a client that is reading an answer may hold up the end.
const GRACE: Duration = Duration::from_secs(1);
/// Before connections are accepted again when that has failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many may be open at once in this process.
pub(super) fn connections_max() -> usize {
    share_of(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

fn share_of(descriptors: u64) -> usize {
    let share = usize::try_from(descriptors / DESCRIPTORS_SHARE).unwrap_or(usize::MAX);
    share.clamp(1, CONNECTIONS_MAX)
}

/// Answers until `stop`, and then finishes the answers that it has begun.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    connections_max: usize,
    stop: CancellationToken,
) {
    let open = Open::default();
    let mut tasks = JoinSet::new();
    for number in 0_u64.. {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                open.make_room(connections_max);
                // Until its descriptor is free: more may come than tasks get a turn.
                while tasks.len() >= connections_max {
                    tasks.join_next().await;
                }
                let end = open.add(number);
                let connection =
                    answer(stream, router.clone(), (open.clone(), number), stop.clone());
                let open = open.clone();
                tasks.spawn(async move {
                    tokio::select! {
                        () = end.cancelled() => {}
                        // How it ended is the client's matter.
                        _ = connection => {}
                    }
                    open.remove(number);
                });
            }
            Err(error) => {
                tracing::warn!("a connection to the admin port cannot be accepted: {error}");
                open.make_room(1);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let finish = async { while tasks.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, finish).await;
}

/// One connection, to its end.
async fn answer(
    stream: TcpStream,
    router: Router,
    (open, number): (Open, u64),
    stop: CancellationToken,
) -> io::Result<()> {
    let (began, mut begins) = tokio::sync::watch::channel(());
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (router, open) = (router.clone(), open.clone());
        open.set_busy(number, true);
        let _ = began.send(());
        async move {
            let answer = router.oneshot(request.map(Body::new) as Request).await;
            open.set_busy(number, false);
            answer as Result<_, Infallible>
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = &mut connection => return ended.map_err(io::Error::other),
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
            Ok(()) = begins.changed() => {}
            () = tokio::time::sleep(REQUEST_TIMEOUT) => return Ok(()),
        }
    }
}

/// The connections that are open.
#[derive(Clone, Debug, Default)]
struct Open(Arc<Mutex<BTreeMap<u64, Connection>>>);

#[derive(Debug)]
struct Connection {
    /// A request is being answered.
    is_busy: bool,
    /// When its last request began, or itself.
    since: Instant,
    end: CancellationToken,
}

impl Open {
    /// Another one; answers what ends it.
    fn add(&self, number: u64) -> CancellationToken {
        let end = CancellationToken::new();
        let connection = Connection { is_busy: false, since: Instant::now(), end: end.clone() };
        self.0.lock().insert(number, connection);
        end
    }

    fn remove(&self, number: u64) {
        self.0.lock().remove(&number);
    }

    fn set_busy(&self, number: u64, is_busy: bool) {
        if let Some(connection) = self.0.lock().get_mut(&number) {
            connection.is_busy = is_busy;
            if is_busy {
                connection.since = Instant::now();
            }
        }
    }

    /// Ends those that have been idle for longest, until there are fewer than `max`.
    fn make_room(&self, max: usize) {
        let mut open = self.0.lock();
        while open.len() >= max {
            let oldest = open.iter().min_by_key(|(_, it)| (it.is_busy, it.since));
            let Some(number) = oldest.map(|(number, _)| *number) else { return };
            if let Some(connection) = open.remove(&number) {
                connection.end.cancel();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_one_that_was_idle_for_longest_makes_room() {
        let open = Open::default();
        let mut ends = Vec::new();
        for number in 0..3 {
            ends.push(open.add(number));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        open.set_busy(0, true);
        open.make_room(3);
        let ended = || ends.iter().map(CancellationToken::is_cancelled).collect::<Vec<_>>();
        assert_eq!(ended(), [false, true, false], "who is being answered stays");
        open.set_busy(0, false);
        open.make_room(2);
        assert_eq!(ended(), [false, true, true], "who has asked last is the last to go");
        open.set_busy(0, true);
        open.make_room(1);
        assert_eq!(ended(), [true; 3], "if all are busy, one of them goes");
    }

    #[test]
    fn the_port_has_a_share_of_the_descriptors() {
        let shares = [u64::MAX, 1024, 256, 128, 3, 0].map(share_of);
        assert_eq!(shares, [64, 64, 64, 32, 1, 1]);
    }
}
