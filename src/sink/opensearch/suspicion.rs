//! Tells a document that spoils whole requests from something on the way that refuses requests
//! whatever is in them. Pure: time is a parameter.
//!
//! A 400 for a request says nothing of its documents: a gateway may refuse every compressed body,
//! or everything for a while. So a document is to blame only when it is refused alone, and again,
//! and a request without it, in the same [`Form`], passes between the two: [`ROUNDS`] times in a
//! row. Such a request is its witness. A 413 is about size: for it one request to the same host
//! that is no larger, and passes after the first refusal, is enough.
//!
//! Invariant: a document whose last refusal is not followed by a witness is suspect, and no more.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::handoff::Item;
use crate::opensearch::{GZIP_BYTES_MIN, Refusal};

/// How often a document must be refused again after a witness has passed: half a minute. Something
/// that refuses requests at random, one in two of them, refuses one document and passes its
/// witnesses so often once in a million times.
const ROUNDS: u32 = 10;
/// The same where something innocent was refused within [`ACQUITTED_FOR`].
const ROUNDS_AFTER_ACQUITTAL: u32 = 20;
/// How long what was refused wrongly speaks for others.
const ACQUITTED_FOR: Duration = Duration::from_secs(300);
/// Requests that are remembered to have passed.
const PASSES_MAX: usize = 64;
/// How old what is kept to be sent again may become before it is replaced: copying each request's
/// would be for nothing.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// How old what is sent again may be: its index is there still, and it answers 409.
const RESENT_WITHIN: Duration = Duration::from_secs(600);
/// Larger documents are not kept to be sent again.
const KEPT_BYTES_MAX: usize = 64 << 10;

/// What a request looks like to whatever stands before OpenSearch, beside what is in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Form {
    pub(super) host: String,
    pub(super) is_compressed: bool,
}

/// What is held against one document.
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    /// When the first request with it was refused as a whole.
    since: Instant,
    alone: Option<Alone>,
}

/// What came of sending it alone.
#[derive(Clone, Debug)]
struct Alone {
    refusal: Refusal,
    form: Option<Form>,
    bytes: usize,
    /// When the last refusal was known.
    known: Instant,
    /// How many refusals in a row followed a witness.
    rounds: u32,
    /// What was stored lately has been sent again since the last refusal.
    is_asked: bool,
}

impl Suspicion {
    /// A request with it was refused.
    pub(super) fn new(now: Instant) -> Suspicion {
        Suspicion { since: now, alone: None }
    }

    /// Whether it was refused alone.
    pub(super) fn is_alone(&self) -> bool {
        self.alone.is_some()
    }

    /// It was refused alone, in this form. Answers whether it is to blame.
    pub(super) fn refused_alone(
        &mut self,
        refusal: Refusal,
        (form, bytes): (Option<Form>, usize),
        passes: &Passes,
        now: Instant,
    ) -> bool {
        let rounds = match &self.alone {
            Some(last) if last.refusal == refusal && last.form == form => {
                let is_acquitted = passes.acquitted.is_some_and(|at| at >= last.known);
                let is_witnessed = passes.has(last.known, |pass| last.is_witness(pass));
                if is_acquitted { 0 } else { last.rounds + u32::from(is_witnessed) }
            }
            _ => 0,
        };
        let alone = Alone { refusal, form, bytes, known: now, rounds, is_asked: false };
        let is_proven = rounds >= passes.rounds(now)
            || passes.has(self.since, |pass| alone.is_smaller_witness(pass));
        self.alone = Some(alone);
        is_proven
    }

    /// Whether nothing at all has passed since the first request with it was refused: then it is
    /// not even suspect.
    pub(super) fn is_everybodys(&self, passes: &Passes) -> bool {
        !passes.has(self.since, |_| true)
    }

    /// What to send again for a witness before it is tried again: once a refusal, and only if
    /// nothing else was its witness.
    pub(super) fn witness(&mut self, passes: &Passes, now: Instant) -> Option<Vec<Item>> {
        let alone = self.alone.as_mut()?;
        if alone.is_asked || passes.has(alone.known, |pass| alone.is_witness(pass)) {
            return None;
        }
        alone.is_asked = true;
        passes.stored_lately(alone, now)
    }
}

/// A request that was not refused as a whole.
#[derive(Clone, Debug)]
struct Pass {
    form: Option<Form>,
    bytes: usize,
    sent: Instant,
}

/// Documents that were stored lately.
#[derive(Debug)]
struct Kept {
    items: Vec<Item>,
    /// The request that they make.
    as_passed: Pass,
}

/// What has passed lately.
#[derive(Debug, Default)]
pub(super) struct Passes {
    recent: VecDeque<Pass>,
    /// When something was refused last that is known to be innocent: requests are refused whatever
    /// is in them, and what counted against documents does not count any more.
    acquitted: Option<Instant>,
    /// To be sent again, where that is harmless: for each form, documents that make a request of
    /// it.
    kept: BTreeMap<Option<Form>, Kept>,
    may_resend: bool,
}

impl Passes {
    /// Whether what was stored may be sent again: not where writes move, since it would be stored
    /// twice.
    pub(super) fn may_resend(&mut self, may_resend: bool) {
        self.may_resend = may_resend;
    }

    /// A request of `bytes` that was `sent` then has passed.
    pub(super) fn passed(&mut self, form: Option<&Form>, bytes: usize, sent: Instant) {
        if self.recent.len() >= PASSES_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(Pass { form: form.cloned(), bytes, sent });
    }

    /// These documents of a request in this form are stored.
    pub(super) fn stored(&mut self, form: Option<&Form>, items: &[Item], now: Instant) {
        self.keep(form.cloned(), items, now);
        let Some(Form { host, is_compressed: true }) = form else { return };
        // A suspect may be too small to be compressed, where all other requests are.
        let small = items.iter().find(|item| item.body().len() < GZIP_BYTES_MIN / 2);
        if let Some(small) = small {
            let form = Form { host: host.clone(), is_compressed: false };
            self.keep(Some(form), std::slice::from_ref(small), now);
        }
    }

    fn keep(&mut self, form: Option<Form>, items: &[Item], now: Instant) {
        let is_recent = |kept: &Kept| now.saturating_duration_since(kept.as_passed.sent) < KEPT_FOR;
        if !self.may_resend || self.kept.get(&form).is_some_and(is_recent) {
            return;
        }
        // A request is compressed when it is large enough.
        let is_compressed = form.as_ref().is_some_and(|form| form.is_compressed);
        let bytes_min = if is_compressed { GZIP_BYTES_MIN } else { 1 };
        let (mut copies, mut bytes) = (Vec::new(), 0);
        for item in items.iter().filter(|item| item.body().len() <= KEPT_BYTES_MAX) {
            copies.push(item.copy());
            bytes += item.body().len();
            if bytes >= bytes_min {
                let as_passed = Pass { form: form.clone(), bytes, sent: now };
                self.kept.insert(form, Kept { items: copies, as_passed });
                return;
            }
        }
    }

    /// Something was refused as a whole that is known to be innocent.
    pub(super) fn acquit(&mut self, now: Instant) {
        self.acquitted = Some(now);
    }

    /// How many rounds prove that a document is to blame.
    fn rounds(&self, now: Instant) -> u32 {
        let is_acquitted = |at: Instant| now.saturating_duration_since(at) < ACQUITTED_FOR;
        if self.acquitted.is_some_and(is_acquitted) { ROUNDS_AFTER_ACQUITTAL } else { ROUNDS }
    }

    /// Whether such a request has passed that was sent after `since`.
    fn has(&self, since: Instant, is_such: impl Fn(&Pass) -> bool) -> bool {
        self.recent.iter().any(|pass| pass.sent >= since && is_such(pass))
    }

    fn stored_lately(&self, alone: &Alone, now: Instant) -> Option<Vec<Item>> {
        let fits = self.kept.values().filter(|kept| {
            let pass = &kept.as_passed;
            let is_recent = now.saturating_duration_since(pass.sent) < RESENT_WITHIN;
            let is_fit = alone.is_witness(pass) || alone.is_smaller_witness(pass);
            self.may_resend && is_recent && is_fit
        });
        let kept = fits.min_by_key(|kept| kept.as_passed.bytes)?;
        Some(kept.items.iter().map(Item::copy).collect())
    }
}

impl Alone {
    /// Whether a request that passed looked the same to what stands on the way.
    fn is_witness(&self, pass: &Pass) -> bool {
        self.form == pass.form
    }

    /// Whether it passed where this was too large, and is no larger.
    fn is_smaller_witness(&self, pass: &Pass) -> bool {
        let host = |form: &Option<Form>| form.as_ref().map(|form| form.host.clone());
        self.refusal == Refusal::TooLarge
            && host(&self.form) == host(&pass.form)
            && pass.bytes <= self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In how many rounds a document is proven to be to blame, with a witness in each.
    fn rounds_of(passes: &mut Passes, now: Instant) -> u32 {
        let form = Some(Form { host: "h".into(), is_compressed: false });
        let mut suspicion = Suspicion::new(now);
        for round in 0..100 {
            let now = now + Duration::from_millis(1) * round;
            let refused = (form.clone(), 10);
            if suspicion.refused_alone(Refusal::Request, refused, passes, now) {
                return round;
            }
            passes.passed(form.as_ref(), 10, now);
        }
        u32::MAX
    }

    #[tokio::test(start_paused = true)]
    async fn it_takes_more_to_prove_it_where_something_innocent_was_refused_lately() {
        let (mut passes, now) = (Passes::default(), Instant::now());
        assert_eq!(rounds_of(&mut passes, now), ROUNDS);
        passes.acquit(now);
        let later = now + Duration::from_secs(1);
        assert_eq!(rounds_of(&mut passes, later), ROUNDS_AFTER_ACQUITTAL);
        assert_eq!(rounds_of(&mut passes, now + ACQUITTED_FOR), ROUNDS);
    }
}
