//! Which events a module is called for, by its own word: those of a type, and those that have one
//! of some words.
//!
//! A call costs more than asking, before the module has done anything. But no timeout ends the
//! asking, so it is bounded in itself: by how many words there may be, and by its pace. Words that
//! nearly are there make the quick way to look for them slow; a module whose words do that in its
//! events has them looked for a step a byte. Not for ever, as the machine may have been what was
//! slow: after a while the quick way is tried again, and more seldom each time that it is slow.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::clock::Reading;
use super::limits::INTEREST_SETS_MAX;
use crate::event::{EventType, EventView, Search, Words};
use crate::text;

/// Words of a set that are shown.
const SHOWN_MAX: usize = 5;
/// One search in this many is timed, while they are quick.
const SAMPLE: u32 = 64;
/// After a slow search the quick way is tried again `FARTHER` times as many searches later as the
/// last time, `FARTHEST` at most.
const FARTHER: u32 = 8;
const FARTHEST: u32 = 1 << 21;
/// So many quick ones, of those that are timed, make up for a slow one. A slow moment of the
/// machine is more seldom than that; and events that are slow to search, and more seldom, cost
/// little.
const FORGIVEN: u32 = 512;
/// CPU time of a search that is not quick any more: far beyond what any text takes that has none of
/// the words, nor begins one at each of its bytes.
const SLOW: Duration = Duration::from_micros(50);
const SLOW_BYTE: Duration = Duration::from_nanos(10);

/// What an instance is called for: all that it said holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Interest {
    event_type: Option<EventType>,
    /// Sets of words of which an event has one each, and how they are shown.
    words: Vec<(Arc<Words>, String)>,
}

/// Decides which events a module is called for. It outlives instances: a module whose words are
/// slow to look for does not get them looked for quickly again by a trap.
#[derive(Debug)]
pub(super) struct Gate {
    interest: Interest,
    search: Search,
    /// Searches until the next that is timed.
    until_timed: u32,
    /// How many they were after the last slow one; fewer again where quick ones made up for it.
    pause: u32,
    /// Timed ones in a row that were quick.
    quick: u32,
}

impl Interest {
    /// In this type alone.
    pub(super) fn in_type(&mut self, event_type: EventType) -> Result<(), String> {
        match *self.event_type.get_or_insert(event_type) == event_type {
            true => Ok(()),
            false => Err("no event is of two types".to_owned()),
        }
    }

    /// In events alone that have one of these words.
    pub(super) fn in_words(&mut self, set: &Arc<Words>, words: &[String]) -> Result<(), String> {
        if self.words.iter().any(|(known, _)| Arc::ptr_eq(known, set)) {
            return Ok(());
        }
        if self.words.len() == INTEREST_SETS_MAX {
            return Err(format!("this would be interest in more than {INTEREST_SETS_MAX} sets"));
        }
        self.words.push((set.clone(), text::first(words, SHOWN_MAX)));
        Ok(())
    }
}

impl Default for Gate {
    /// Of a module that is called for every event.
    fn default() -> Gate {
        let (interest, search) = (Interest::default(), Search::default());
        Gate { interest, search, until_timed: SAMPLE, pause: SAMPLE, quick: 0 }
    }
}

impl Gate {
    pub(super) fn new(interest: &Interest) -> Gate {
        Gate { interest: interest.clone(), ..Gate::default() }
    }

    /// Another instance of the module was made, and said this.
    pub(super) fn renew(&mut self, interest: &Interest) {
        self.interest.clone_from(interest);
    }

    /// Whether there are events that the module is not called for.
    pub(super) fn is_narrow(&self) -> bool {
        self.interest.event_type.is_some() || !self.interest.words.is_empty()
    }

    /// Whether the module is called for an event.
    pub(super) fn admits(&mut self, event: EventView<'_>) -> bool {
        let is_of_type = self.interest.event_type.is_none_or(|of| event.event_type() == of);
        is_of_type && (self.interest.words.is_empty() || self.mentions(event))
    }

    fn mentions(&mut self, event: EventView<'_>) -> bool {
        self.until_timed -= 1;
        let was_steady = self.search.is_steady;
        let began = (self.until_timed == 0).then(|| {
            self.search.is_steady = false;
            Reading::now().cpu
        });
        let sets = self.interest.words.iter().map(|(words, _)| &**words);
        let mentions = event.mentions_each(sets, &mut self.search);
        if let Some(began) = began {
            self.timed(Reading::now().cpu.saturating_sub(began), was_steady);
        }
        mentions
    }

    /// Judges the search that was tried the quick way; before it they were steady, or not.
    fn timed(&mut self, took: Duration, was_steady: bool) {
        if !self.search.was_quick() {
            // It says nothing. The next one may.
            self.search.is_steady = was_steady;
            self.until_timed = 1;
            return;
        }
        let bytes = u32::try_from(self.search.bytes).unwrap_or(u32::MAX);
        self.search.is_steady = took > SLOW + SLOW_BYTE.saturating_mul(bytes);
        if self.search.is_steady {
            self.pause = (self.pause * FARTHER).min(FARTHEST);
            self.quick = 0;
            self.until_timed = self.pause;
            return;
        }
        self.quick += 1;
        if self.quick == FORGIVEN {
            self.pause = (self.pause / FARTHER).max(SAMPLE);
            self.quick = 0;
        }
        self.until_timed = SAMPLE;
    }
}

/// For people: `Normal events that mention one of pulling, pulled`.
impl fmt::Display for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.event_type {
            None => "events",
            Some(EventType::Normal) => "Normal events",
            Some(EventType::Warning) => "Warning events",
            Some(EventType::Other) => "events of other types than Normal and Warning",
        })?;
        for (number, (_, words)) in self.words.iter().enumerate() {
            let that = if number == 0 { "that mention one of" } else { "and one of" };
            write!(f, " {that} {words}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Edits;
    use crate::event::model::Fixture;

    /// The last letter of each word is in no text.
    fn interest(words: &[String]) -> Interest {
        let mut interest = Interest::default();
        interest.in_words(&Arc::new(Words::new(words).unwrap()), words).unwrap();
        interest
    }

    fn is_steady_after(gate: &mut Gate, message: &str, events: u32) -> bool {
        let event = format!(r#"{{"involvedObject":{{}},"message":"{message}"}}"#);
        let (event, edits) = (Fixture::parse(&event), Edits::default());
        for _ in 0..events {
            assert!(!gate.admits(EventView { of: event.of(), edits: &edits }));
        }
        gate.search.is_steady
    }

    #[test]
    fn words_that_nearly_are_there_are_looked_for_a_step_a_byte_before_long() {
        let nearly: Vec<String> = (0..64u8)
            .map(|number| format!("{}{}", "a".repeat(63), char::from(b'!' + number)))
            .filter(|word| !word.ends_with(['a', 'A', '"']))
            .collect();
        let nearly = interest(&nearly);
        let mut gate = Gate::new(&nearly);
        assert!(!is_steady_after(&mut gate, &"a".repeat(15_000), SAMPLE - 1));
        gate.renew(&nearly);
        assert!(is_steady_after(&mut gate, &"a".repeat(15_000), 1), "a new instance hides nothing");
        gate.renew(&nearly);
        assert!(is_steady_after(&mut gate, "short", SAMPLE * FARTHER - 1));
        assert!(
            is_steady_after(&mut gate, &"a".repeat(15_000), 1),
            "the quick way is slow as ever"
        );
        assert!(is_steady_after(&mut gate, "short", SAMPLE * FARTHER * FARTHER - 1));
        let mut usual = Gate::new(&interest(&["gpu".into(), "fallen off the bus".into()]));
        let message = "Back-off pulling image of a container ".repeat(300);
        // The machine may be slow in one moment; not in each.
        assert!((0..200).any(|_| !is_steady_after(&mut usual, &message, SAMPLE)));
    }

    #[test]
    fn a_slow_moment_of_the_machine_costs_a_few_steady_searches_and_no_more() {
        let mut gate = Gate::new(&interest(&["gpu".into()]));
        gate.timed(2 * SLOW, false);
        assert!(is_steady_after(&mut gate, "short", SAMPLE * FARTHER - 1));
        // At the first try, or at a later one if the machine is slow again.
        assert!((0..40_000).any(|_| !is_steady_after(&mut gate, "short", 1)));
    }

    #[test]
    fn events_that_are_slow_to_search_now_and_then_are_searched_quickly_ever_more_seldom() {
        let mut gate = Gate::default();
        let mut next_after = |took| {
            gate.search.is_steady = false;
            gate.timed(took, false);
            gate.until_timed
        };
        for _ in 0..100 {
            next_after(2 * SLOW);
            assert!((1..FORGIVEN).all(|_| next_after(Duration::ZERO) == SAMPLE));
        }
        assert_eq!(next_after(2 * SLOW), FARTHEST);
        assert!((0..100 * FORGIVEN).all(|_| next_after(Duration::ZERO) == SAMPLE));
        assert_eq!(next_after(2 * SLOW), SAMPLE * FARTHER);
    }

    #[test]
    fn a_text_that_is_too_long_for_the_quick_way_says_nothing_of_it() {
        let mut gate = Gate::new(&interest(&["gpu".into()]));
        let (long, short) = ("a".repeat(20_000), "short");
        gate.timed(2 * SLOW, false);
        assert!(is_steady_after(&mut gate, short, SAMPLE * FARTHER - 1));
        assert!(is_steady_after(&mut gate, &long, 3));
        assert!((0..40_000).any(|_| !is_steady_after(&mut gate, short, 1)));
    }

    #[test]
    fn there_are_few_sets() {
        let sets: Vec<_> =
            (0..=INTEREST_SETS_MAX).map(|number| [format!("word-{number}")]).collect();
        let mut interest = Interest::default();
        let taken = sets.iter().map(|set| {
            let words = Arc::new(Words::new(set).unwrap());
            interest.in_words(&words, set).and_then(|()| interest.in_words(&words, set)).is_ok()
        });
        let taken: Vec<bool> = taken.collect();
        assert_eq!(taken.iter().filter(|is_taken| **is_taken).count(), INTEREST_SETS_MAX);
        assert!(!taken[INTEREST_SETS_MAX]);
    }
}
