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
/// After a slow one the next that is tried the quick way, and timed, is so many times as far off as
/// the last time, up to the most.
const FARTHER: u32 = 8;
const FARTHEST: u32 = 1 << 21;
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
    /// Searches until the next that is timed, and how many they were at first.
    until_timed: u32,
    between: u32,
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
        Gate { interest, search, until_timed: SAMPLE, between: SAMPLE }
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
        let began = (self.until_timed == 0).then(|| {
            self.search.is_steady = false;
            Reading::now().cpu
        });
        let sets = self.interest.words.iter().map(|(words, _)| &**words);
        let mentions = event.mentions_each(sets, &mut self.search);
        if let Some(began) = began {
            self.timed(Reading::now().cpu.saturating_sub(began));
        }
        mentions
    }

    /// A search the quick way took so long.
    fn timed(&mut self, took: Duration) {
        let bytes = u32::try_from(self.search.bytes).unwrap_or(u32::MAX);
        let is_slow = took > SLOW + SLOW_BYTE.saturating_mul(bytes);
        self.search.is_steady = is_slow;
        self.between = if is_slow { (self.between * FARTHER).min(FARTHEST) } else { SAMPLE };
        self.until_timed = self.between;
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
        gate.timed(2 * SLOW);
        assert!(is_steady_after(&mut gate, "short", SAMPLE * FARTHER - 1));
        // At the first try, or at a later one if the machine is slow again.
        assert!((0..40_000).any(|_| !is_steady_after(&mut gate, "short", 1)));
        for _ in 0..100 {
            gate.timed(2 * SLOW);
        }
        assert_eq!((gate.between, gate.until_timed), (FARTHEST, FARTHEST));
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
