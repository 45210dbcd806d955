//! What can go wrong between weir and the API server about a Lease, as a closed set.

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No answer in time.
    Timeout,
    /// No connection, or it broke.
    Connection,
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
    /// The answer is no Lease.
    Protocol,
}

/// One failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What kind.
    pub(crate) kind: Kind,
    /// What the server, or the connection, says.
    pub(crate) message: String,
}

impl Failure {
    /// An answer that is neither success nor something that the machine knows.
    pub(crate) fn of_status(status: u16, message: &str) -> Failure {
        let kind = match status {
            401 => Kind::Unauthorized,
            403 => Kind::Forbidden,
            429 => Kind::Throttled,
            500..=599 => Kind::ServerError,
            _ => Kind::Refused,
        };
        Failure { kind, message: format!("status {status}: {message}") }
    }

    /// No answer in time.
    pub(crate) fn timeout() -> Failure {
        Failure { kind: Kind::Timeout, message: "no answer in time".to_owned() }
    }

    /// No answer, or half of one.
    pub(crate) fn connection(message: String) -> Failure {
        Failure { kind: Kind::Connection, message }
    }

    /// An answer that is no Lease.
    pub(crate) fn protocol(message: &str) -> Failure {
        Failure { kind: Kind::Protocol, message: message.to_owned() }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
