//! Credentials, kept until shortly before they expire.
//!
//! What is decided is pure ([`Held`]: time is a parameter); asking for them takes turns.
//!
//! Constraint: whatever goes wrong, a source is asked every [`ASK_AGAIN`] at most: an instance's
//! endpoint, or STS, takes few requests.

use std::future::Future;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

/// Credentials are replaced so long before they expire: sources have new ones by then, and an
/// outage of theirs is over before it is felt.
const EARLY: Duration = Duration::from_secs(5 * 60);
/// Or when so little of their time is left: some live for minutes.
const EARLY_SHARE: u32 = 4;
/// Between two times that a source is asked.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Why a request cannot be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request cannot be signed for AWS: {detail}")]
pub(crate) struct CredentialsError {
    /// Whether somebody must do something about it.
    pub(crate) is_lasting: bool,
    pub(crate) detail: String,
}

impl CredentialsError {
    /// The credentials, or the request, cannot be used for a signature.
    pub(super) fn unusable(detail: String) -> CredentialsError {
        CredentialsError { is_lasting: true, detail }
    }
}

impl CredentialsError {
    fn expired() -> CredentialsError {
        let detail = "the AWS credentials that were handed out have expired: if they are new, \
                      this machine's clock is wrong";
        CredentialsError { is_lasting: false, detail: detail.to_owned() }
    }
}

/// These, if they are any good.
fn unexpired(key: Key, now: SystemTime) -> Result<Key, CredentialsError> {
    match key.expiry() {
        Some(expires) if expires <= now => Err(CredentialsError::expired()),
        _ => Ok(key),
    }
}

type Key = aws_credential_types::Credentials;

/// Where credentials come from.
pub(super) trait Source {
    /// Asks for them.
    fn ask(&self) -> impl Future<Output = Result<Key, CredentialsError>> + Send;
}

/// Credentials of one source.
#[derive(Debug)]
pub(super) struct Credentials<S> {
    source: S,
    held: Mutex<Held>,
    /// Whose turn it is to ask.
    turn: tokio::sync::Mutex<()>,
}

/// What is known.
#[derive(Debug, Default)]
struct Held {
    key: Option<Key>,
    /// Since when.
    received: Option<SystemTime>,
    /// Counts those that were received.
    number: u64,
    asked: Option<SystemTime>,
    /// What became of that, if it came to nothing.
    failed: Option<CredentialsError>,
}

/// What is to be done before a request.
#[derive(Debug, PartialEq)]
enum Need {
    /// Nothing: these are good.
    Nothing(Key, u64),
    /// Others are to be asked for; until there are any, these are good.
    Others(Key, u64),
    /// There are none.
    All,
    /// There are none, and it is too early to ask again.
    Wait(CredentialsError),
}

impl Held {
    fn need(&self, now: SystemTime) -> Need {
        let may_ask = self.may_ask(now);
        if let Some(key) = &self.key {
            let expires = key.expiry();
            if expires.is_none_or(|expires| now < expires) {
                let is_due = expires.is_some_and(|expires| self.early(expires) <= now);
                return match is_due && may_ask {
                    true => Need::Others(key.clone(), self.number),
                    false => Need::Nothing(key.clone(), self.number),
                };
            }
        }
        match &self.failed {
            _ if may_ask => Need::All,
            Some(error) => Need::Wait(error.clone()),
            None => Need::Wait(CredentialsError::expired()),
        }
    }

    /// Not soon after the last time; a clock that was set back since does not count.
    fn may_ask(&self, now: SystemTime) -> bool {
        self.asked.is_none_or(|asked| now < asked || asked + ASK_AGAIN <= now)
    }

    /// When these are to be replaced.
    fn early(&self, expires: SystemTime) -> SystemTime {
        let lifetime = self.received.and_then(|received| expires.duration_since(received).ok());
        let early = lifetime.map_or(EARLY, |lifetime| EARLY.min(lifetime / EARLY_SHARE));
        expires - early
    }

    fn received(&mut self, key: Key, now: SystemTime) -> u64 {
        self.number += 1;
        (self.key, self.received, self.failed) = (Some(key), Some(now), None);
        self.number
    }

    /// Those with this number were refused. Answers whether a request may pass with others.
    fn refused(&mut self, number: u64, now: SystemTime) -> bool {
        if number != self.number {
            return true;
        }
        let may_ask = self.may_ask(now);
        if may_ask {
            self.key = None;
        }
        may_ask
    }
}

impl<S: Source> Credentials<S> {
    pub(super) fn new(source: S) -> Credentials<S> {
        Credentials { source, held: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }

    /// Credentials that are good now, and their number.
    pub(super) async fn current(
        &self,
        clock: impl Fn() -> SystemTime,
    ) -> Result<(Key, u64), CredentialsError> {
        let need = self.held.lock().need(clock());
        let _turn = match need {
            Need::Nothing(key, number) => return Ok((key, number)),
            Need::Wait(error) => return Err(error),
            Need::Others(key, number) => match self.turn.try_lock() {
                Ok(turn) => turn,
                // Somebody asks already.
                Err(_) => return Ok((key, number)),
            },
            Need::All => self.turn.lock().await,
        };
        // Somebody may have asked while this one waited for its turn.
        let meanwhile = match self.held.lock().need(clock()) {
            Need::Nothing(key, number) => return Ok((key, number)),
            Need::Wait(error) => return Err(error),
            Need::Others(key, number) => Some((key, number)),
            Need::All => None,
        };
        self.held.lock().asked = Some(clock());
        let answer = self.source.ask().await.and_then(|key| unexpired(key, clock()));
        let mut held = self.held.lock();
        match (answer, meanwhile) {
            (Ok(key), _) => {
                let number = held.received(key.clone(), clock());
                Ok((key, number))
            }
            (Err(error), Some(meanwhile)) => {
                tracing::warn!("{error}; going on with the credentials from before");
                Ok(meanwhile)
            }
            (Err(error), None) => {
                held.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Those with this number were refused. Answers whether a request may pass with others.
    pub(super) fn refused(&self, number: u64, now: SystemTime) -> bool {
        self.held.lock().refused(number, now)
    }

    /// Asks for others before the next request.
    pub(super) fn forget(&self) {
        let mut held = self.held.lock();
        (held.key, held.asked) = (None, None);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        START + Duration::from_secs(seconds)
    }

    fn key(name: &str, expires: Option<u64>) -> Key {
        Key::new(name, "secret", None, expires.map(at), "test")
    }

    fn outage() -> CredentialsError {
        CredentialsError { is_lasting: false, detail: "no answer".into() }
    }

    /// Answers what it is told to, in order.
    struct Told(Mutex<VecDeque<Result<Key, CredentialsError>>>);

    impl Source for Told {
        async fn ask(&self) -> Result<Key, CredentialsError> {
            self.0.lock().pop_front().expect("asked once too often")
        }
    }

    fn told<const N: usize>(answers: [Result<Key, CredentialsError>; N]) -> Credentials<Told> {
        Credentials::new(Told(Mutex::new(answers.into())))
    }

    async fn name(credentials: &Credentials<Told>, seconds: u64) -> Result<String, String> {
        let found = credentials.current(|| at(seconds)).await;
        found.map(|(key, _)| key.access_key_id().to_owned()).map_err(|error| error.detail)
    }

    #[tokio::test]
    async fn credentials_are_used_until_five_minutes_before_they_expire() {
        let credentials = told([Ok(key("one", Some(3600))), Ok(key("two", Some(7200)))]);
        for seconds in [0, 1, 3299] {
            assert_eq!(name(&credentials, seconds).await.unwrap(), "one");
        }
        assert_eq!(name(&credentials, 3300).await.unwrap(), "two");
    }

    #[tokio::test]
    async fn those_that_live_for_minutes_are_replaced_in_their_last_quarter() {
        let credentials = told([Ok(key("one", Some(60))), Ok(key("two", None))]);
        assert_eq!(name(&credentials, 0).await.unwrap(), "one");
        assert_eq!(name(&credentials, 44).await.unwrap(), "one");
        assert_eq!(name(&credentials, 45).await.unwrap(), "two");
        assert_eq!(name(&credentials, 1 << 30).await.unwrap(), "two", "these never expire");
    }

    #[tokio::test]
    async fn while_there_are_no_new_ones_the_old_ones_are_used_until_they_expire() {
        let answers = [Ok(key("one", Some(3600))), Err(outage()), Err(outage()), Err(outage())];
        let credentials = told(answers);
        assert_eq!(name(&credentials, 0).await.unwrap(), "one");
        // Asked at 3300 and 3305, and at no time between.
        for seconds in [3300, 3301, 3304, 3305, 3309] {
            assert_eq!(name(&credentials, seconds).await.unwrap(), "one");
        }
        assert_eq!(name(&credentials, 3600).await, Err("no answer".into()));
        assert_eq!(name(&credentials, 3604).await, Err("no answer".into()), "not asked again yet");
    }

    #[tokio::test]
    async fn what_is_refused_is_replaced_once_and_not_asked_for_without_end() {
        let credentials = told([Ok(key("one", None)), Ok(key("two", None)), Ok(key("two", None))]);
        assert_eq!(name(&credentials, 0).await.unwrap(), "one");
        assert!(!credentials.refused(1, at(4)), "they were asked for only just now");
        assert!(credentials.refused(1, at(5)));
        assert_eq!(name(&credentials, 5).await.unwrap(), "two");
        assert!(credentials.refused(1, at(6)), "others are there already");
        assert!(!credentials.refused(2, at(9)));
        assert_eq!(name(&credentials, 9).await.unwrap(), "two");
        credentials.forget();
        assert_eq!(name(&credentials, 9).await.unwrap(), "two");
    }

    #[tokio::test]
    async fn a_source_whose_keys_expire_at_once_is_not_asked_for_each_request() {
        let answers = [Ok(key("one", Some(3))), Ok(key("two", Some(5))), Ok(key("three", None))];
        let credentials = told(answers);
        assert_eq!(name(&credentials, 0).await.unwrap(), "one");
        for seconds in [3, 4, 5, 9] {
            let error = name(&credentials, seconds).await.unwrap_err();
            assert!(error.contains("have expired"), "{error}");
        }
        assert_eq!(name(&credentials, 10).await.unwrap(), "three");
    }

    #[tokio::test]
    async fn no_secret_shows() {
        let credentials = told([Ok(Key::new("AKID", "hunter2", Some("t0ken".into()), None, "t"))]);
        name(&credentials, 0).await.unwrap();
        let shown = format!("{:?}", credentials.held);
        assert!(!shown.contains("hunter2") && !shown.contains("t0ken"), "{shown}");
    }
}
