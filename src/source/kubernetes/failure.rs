//! What can go wrong between weir and the API server, as a closed set, and what each needs.

use std::time::Duration;

/// Why a list or watch was begun again: the label of `weir_source_restarts_total{cause}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Cause {
    /// The server ended a watch in good order.
    Closed,
    /// 410, as a status or in an `ERROR` line: the version, or the list's snapshot, is compacted.
    Gone,
    /// A watch ended at once with nothing: a server's or proxy's way to say 410.
    ClosedAtOnce,
    /// A watch delivered nothing for the quiet timeout.
    Quiet,
    /// The watch was quiet, and had missed something.
    Lied,
    /// There was no room for more events.
    Full,
    /// The server's version was below the cursor.
    Restored,
    /// What had been read was lost on disk.
    Lost,
    /// No connection, or it broke, or was silent.
    Connection,
    /// The server and weir do not agree on TLS, or whom to trust.
    Tls,
    /// The Lease had lapsed before this part of the answer was read.
    Lapsed,
    /// 401
    Unauthorized,
    /// 403
    Forbidden,
    /// 429
    Throttled,
    /// 5xx
    ServerError,
    /// Any other status.
    Refused,
    /// The answer made no sense.
    Protocol,
}

impl Cause {
    /// All of them, in the order of their labels' registration.
    pub(super) const ALL: [Cause; 17] = [
        Cause::Closed,
        Cause::Gone,
        Cause::ClosedAtOnce,
        Cause::Quiet,
        Cause::Lied,
        Cause::Full,
        Cause::Restored,
        Cause::Lost,
        Cause::Connection,
        Cause::Tls,
        Cause::Lapsed,
        Cause::Unauthorized,
        Cause::Forbidden,
        Cause::Throttled,
        Cause::ServerError,
        Cause::Refused,
        Cause::Protocol,
    ];

    /// The metric's label.
    pub(super) fn label(self) -> &'static str {
        match self {
            Cause::Closed => "closed",
            Cause::Gone => "gone",
            Cause::ClosedAtOnce => "closed_at_once",
            Cause::Quiet => "quiet",
            Cause::Lied => "lied",
            Cause::Full => "full",
            Cause::Restored => "restored",
            Cause::Lost => "lost",
            Cause::Connection => "connection",
            Cause::Tls => "tls",
            Cause::Lapsed => "lapsed",
            Cause::Unauthorized => "unauthorized",
            Cause::Forbidden => "forbidden",
            Cause::Throttled => "throttled",
            Cause::ServerError => "server_error",
            Cause::Refused => "refused",
            Cause::Protocol => "protocol",
        }
    }
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// What kind.
    pub(super) cause: Cause,
    /// The HTTP status, where there was one.
    pub(super) status: Option<u16>,
    /// The least time until the next try, as the server asks.
    pub(super) retry_after: Option<Duration>,
    /// What the server, or the connection, says.
    pub(super) message: String,
}

impl Failure {
    /// An answer that is not 200.
    pub(super) fn of_status(
        status: u16,
        retry_after: Option<Duration>,
        message: String,
    ) -> Failure {
        let cause = match status {
            401 => Cause::Unauthorized,
            403 => Cause::Forbidden,
            410 => Cause::Gone,
            429 => Cause::Throttled,
            500..=599 => Cause::ServerError,
            _ => Cause::Refused,
        };
        Failure { cause, status: Some(status), retry_after, message }
    }

    /// No answer, because of TLS.
    pub(super) fn tls(message: String) -> Failure {
        Failure { cause: Cause::Tls, status: None, retry_after: None, message }
    }

    /// No answer, or half of one.
    pub(super) fn broken(message: String) -> Failure {
        Failure { cause: Cause::Connection, status: None, retry_after: None, message }
    }

    /// An answer that is another replica's to read.
    pub(super) fn lapsed() -> Failure {
        let message = "the Lease has lapsed".to_owned();
        Failure { cause: Cause::Lapsed, status: None, retry_after: None, message }
    }

    /// An answer that is no list or watch.
    pub(super) fn protocol(message: &str) -> Failure {
        Failure {
            cause: Cause::Protocol,
            status: None,
            retry_after: None,
            message: message.to_owned(),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.status {
            Some(status) if self.message.is_empty() => write!(f, "status {status}"),
            Some(status) => write!(f, "status {status}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
