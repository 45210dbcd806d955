//! What is read between two inputs: lists' items and watches' frames, and how they move the cursor.

use std::time::Instant;

use super::Machine;
use crate::source::kubernetes::state::State;
use crate::source::kubernetes::step::Note;
use crate::source::kubernetes::version::Version;

impl Machine {
    /// A list's metadata has been read.
    pub(in crate::source::kubernetes) fn list_metadata(&mut self, version: &str, next_token: &str) {
        self.listing.metadata(Version::parse(version), next_token);
        if self.listing.was_restored() {
            self.restores += 1;
            self.listing.forget_given();
        }
        if let (Some(version), Some(cursor)) = (self.listing.version(), &self.cursor)
            && version.is_below(cursor)
        {
            self.notes.push(Note::Restored { cursor: cursor.clone(), version: version.clone() });
            self.cursor = None;
            self.restores += 1;
            self.listing.forget_given();
        }
    }

    /// An item of a list has been read. True: it is accepted; false: it was accepted before.
    pub(in crate::source::kubernetes) fn listed(
        &mut self,
        namespace: &str,
        name: &str,
        version: &str,
    ) -> bool {
        if self.state != State::Listing {
            return false;
        }
        let version = Version::parse(version).as_ref().and_then(Version::number);
        let given = self.listing.was_given(namespace, name, version);
        self.judge(given, version)
    }

    /// An item of a list has been read that is no valid event: like [`Machine::listed`], but what
    /// it is called may not be known, and so it goes by its bytes.
    pub(in crate::source::kubernetes) fn listed_malformed(
        &mut self,
        version: &str,
        bytes: &[u8],
    ) -> bool {
        if self.state != State::Listing {
            return false;
        }
        let given = self.listing.was_given_nameless(bytes);
        self.judge(given, Version::parse(version).as_ref().and_then(Version::number))
    }

    fn judge(&mut self, given: bool, version: Option<u64>) -> bool {
        let seen = match (version, self.cursor.as_ref().and_then(Version::number)) {
            (Some(version), Some(cursor)) => version <= cursor,
            _ => false,
        };
        // Should a server say its version only behind the items, it may turn out to be a restored
        // one.
        self.listing.skipped_unversioned |= seen && self.listing.version().is_none();
        let accept = !given && !seen;
        *(if accept { &mut self.listing.accepted } else { &mut self.listing.skipped }) += 1;
        accept
    }

    /// A frame of a watch has been read, event or not; `version` is its object's, where it has one.
    pub(in crate::source::kubernetes) fn watched(&mut self, now: Instant, version: &str) {
        if let State::Watching { frames, .. } = &mut self.state {
            *frames += 1;
            self.alive = now;
            self.failures = 0;
            self.failed_watches = 0;
            // Frames come in the order of their versions; several may share one.
            if let Some(version) = Version::parse(version)
                && self.cursor.as_ref().is_none_or(|cursor| version.may_follow(cursor))
            {
                self.cursor = Some(version);
            }
        }
    }
}
