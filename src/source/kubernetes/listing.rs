//! A paged list on its way: which page is next, and which items earlier tries have already given.
//!
//! A list can lose its snapshot (410 on `continue`), its connection, or be abandoned because there
//! is no room for its items. It then begins again and skips what it gave before. An API server
//! lists in the order of the keys, `namespace/name`, from one snapshot: so a try that came to key K
//! of snapshot V gave every object with a key up to K in its state of V, and in a later try an item
//! with a key up to K and a version up to V is one of those. One pair (K, V) for each try is
//! all there is to remember, however long the list.
//!
//! Invariant: an item is only skipped when it was given. A server that does not list in key order
//! is noticed at the first item out of order, and then nothing is skipped.
//!
//! A list must come to an end: a page that is followed by one that was read before, or by too many
//! without an item, is no progress.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::version::Version;

/// Tries that are remembered. Forgetting one is harmless: its items are given again, and have the
/// same ids.
const TRIES_MAX: usize = 8;

/// Items without a name that are remembered. Forgetting one is harmless, too.
const NAMELESS_MAX: usize = 10_000;

/// Pages in a row that may be empty although more follow: a server that filters may give some.
const EMPTY_PAGES_MAX: u32 = 20;

/// What follows a page that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageEnd {
    /// Another page, to ask for.
    More,
    /// Nothing: the list is complete.
    Last,
    /// The server does not come to an end, for this reason.
    NoProgress(&'static str),
}

/// Everything with a key up to `key` was given in its state of `version`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Given {
    key: String,
    version: u64,
}

/// A list that has not completed.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    /// The snapshot's version, once a page has said it.
    version: Option<Version>,
    /// The `continue` of the page that is asked for; `None`: the first page.
    token: Option<String>,
    /// The `continue` of the page after it, if there is one.
    next_token: Option<String>,
    /// The last key that this try has come to, and the one when its current page began.
    key: String,
    page_start_key: String,
    /// Memory for the key before.
    previous_key: String,
    /// Nothing can be concluded from keys: an item came out of their order, or was skipped and
    /// should not have been.
    unordered: bool,
    given: Vec<Given>,
    /// Items without a name, as hashes of their bytes: of this try, and that earlier ones gave.
    nameless: BTreeSet<u64>,
    given_nameless: BTreeSet<u64>,
    /// Of this try: the tokens of its pages, and the keys that they begin with, as hashes.
    tokens: BTreeSet<u64>,
    first_keys: BTreeSet<u64>,
    /// The key that the current page begins with, and how many items it has.
    first_key: Option<u64>,
    page_items: u64,
    empty_pages: u32,
    /// Something was skipped for the cursor's sake before this list's version was known.
    pub(super) skipped_unversioned: bool,
    /// Items that were accepted, all tries together.
    pub(super) accepted: u64,
    /// Items that were skipped, all tries together.
    pub(super) skipped: u64,
}

impl Listing {
    /// The `continue` to ask with.
    pub(super) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The snapshot's version.
    pub(super) fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// The list's metadata, as one page says it. Pages of one snapshot say the same version; should
    /// they not, the first holds, because to watch from too early a version loses nothing.
    pub(super) fn metadata(&mut self, version: Option<Version>, next_token: &str) {
        if self.version.is_none() {
            self.version = version;
        }
        self.next_token = Some(next_token.to_owned()).filter(|token| !token.is_empty());
    }

    /// Whether an earlier try, or this page before it was abandoned, has given this item. To be
    /// asked once an item, in the order of the items.
    pub(super) fn was_given(&mut self, namespace: &str, name: &str, version: Option<u64>) -> bool {
        std::mem::swap(&mut self.key, &mut self.previous_key);
        self.key.clear();
        // As the store has them: `team-a/x` comes before `team/x`.
        self.key.extend([namespace, "/", name]);
        self.page_items += 1;
        self.first_key.get_or_insert_with(|| hash(self.key.as_bytes()));
        if self.key <= self.previous_key && !self.unordered {
            self.unordered = true;
            self.given.clear();
        }
        let Some(version) = version else { return false };
        self.given.iter().any(|given| version <= given.version && self.key <= given.key)
    }

    /// The same of an item of which nobody knows what it is called.
    pub(super) fn was_given_nameless(&mut self, bytes: &[u8]) -> bool {
        let hash = hash(bytes);
        self.page_items += 1;
        self.first_key.get_or_insert(hash);
        if self.nameless.len() < NAMELESS_MAX {
            self.nameless.insert(hash);
        }
        self.given_nameless.contains(&hash)
    }

    /// The page has been read to its end.
    pub(super) fn page_done(&mut self) -> PageEnd {
        self.token = self.next_token.take();
        self.page_start_key.clone_from(&self.key);
        let is_empty = std::mem::take(&mut self.page_items) == 0;
        self.empty_pages = if is_empty { self.empty_pages + 1 } else { 0 };
        let is_known_page = self.first_key.take().is_some_and(|key| !self.first_keys.insert(key));
        let Some(token) = &self.token else { return PageEnd::Last };
        if !self.tokens.insert(hash(token.as_bytes())) {
            return PageEnd::NoProgress(
                "the API server gives a `continue` token again that it gave before",
            );
        }
        if is_known_page {
            return PageEnd::NoProgress(
                "the API server gives a page of the list again that it gave before",
            );
        }
        if self.empty_pages > EMPTY_PAGES_MAX {
            return PageEnd::NoProgress(
                "the API server gives page after page of the list without an item",
            );
        }
        PageEnd::More
    }

    /// The page could not be read to its end: it will be asked for again.
    pub(super) fn page_abandoned(&mut self) {
        if self.token.is_none() {
            // Asking for the first page again gives another snapshot.
            return self.snapshot_lost();
        }
        self.remember();
        self.key.clone_from(&self.page_start_key);
        self.next_token = None;
        (self.first_key, self.page_items) = (None, 0);
    }

    /// The snapshot is lost: the next page to ask for is the first, of a new one.
    pub(super) fn snapshot_lost(&mut self) {
        self.remember();
        *self = Listing {
            given: std::mem::take(&mut self.given),
            given_nameless: std::mem::take(&mut self.given_nameless),
            unordered: self.unordered,
            accepted: self.accepted,
            skipped: self.skipped,
            ..Listing::default()
        };
    }

    /// Whether this try's snapshot is older than that of an earlier one: the cluster was restored
    /// in between.
    pub(super) fn was_restored(&self) -> bool {
        let version = self.version.as_ref().and_then(Version::number);
        version.is_some_and(|version| self.given.iter().any(|given| version < given.version))
    }

    /// The cluster was restored: what earlier tries gave says nothing any more, nor does what this
    /// one skipped.
    pub(super) fn forget_given(&mut self) {
        self.given.clear();
        self.given_nameless.clear();
        self.unordered |= self.skipped_unversioned;
    }

    fn remember(&mut self) {
        if self.given_nameless.len() < NAMELESS_MAX {
            self.given_nameless.append(&mut self.nameless);
        }
        let Some(version) = self.version.as_ref().and_then(Version::number) else { return };
        if self.unordered || self.key.is_empty() {
            return;
        }
        let new = Given { key: self.key.clone(), version };
        self.given.retain(|old| old.key > new.key || old.version > new.version);
        self.given.push(new);
        if self.given.len() > TRIES_MAX {
            // The one that came least far saves least.
            self.given.sort_by(|a, b| b.key.cmp(&a.key));
            self.given.truncate(TRIES_MAX);
        }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of snapshot `version` that was given `items` and then lost its snapshot.
    fn after_losing(version: u64, items: &[(&str, u64)]) -> Listing {
        let mut listing = Listing::default();
        listing.metadata(Some(Version::Number(version)), "more");
        for (name, version) in items {
            listing.was_given("ns", name, Some(*version));
        }
        listing.snapshot_lost();
        listing
    }

    #[test]
    fn a_second_try_skips_what_the_first_one_gave_and_not_what_changed_since() {
        let mut listing = after_losing(10, &[("a", 3), ("b", 9), ("c", 4)]);
        listing.metadata(Some(Version::Number(20)), "");
        let given: Vec<bool> = [("a", 3), ("b", 15), ("bb", 12), ("c", 4), ("d", 5)]
            .iter()
            .map(|(name, version)| listing.was_given("ns", name, Some(*version)))
            .collect();
        assert_eq!(given, [true, false, false, true, false]);
    }

    #[test]
    fn a_try_that_came_less_far_does_not_make_the_earlier_one_forgotten() {
        let mut listing = after_losing(10, &[("a", 3), ("m", 4)]);
        listing.metadata(Some(Version::Number(20)), "more");
        listing.was_given("ns", "a", Some(15));
        listing.snapshot_lost();
        assert!(listing.was_given("ns", "a", Some(15)));
        assert!(listing.was_given("ns", "m", Some(4)));
        assert!(!listing.was_given("ns", "n", Some(4)));
    }

    #[test]
    fn a_page_that_is_asked_for_again_skips_what_it_gave() {
        let mut listing = Listing::default();
        listing.metadata(Some(Version::Number(10)), "page 2");
        assert!(!listing.was_given("ns", "a", Some(1)));
        assert_eq!(listing.page_done(), PageEnd::More);
        assert!(!listing.was_given("ns", "b", Some(2)));
        listing.page_abandoned();
        assert_eq!(listing.token(), Some("page 2"));
        assert!(listing.was_given("ns", "b", Some(2)));
        assert!(!listing.was_given("ns", "c", Some(3)));
    }

    #[test]
    fn a_server_that_does_not_list_in_key_order_makes_nothing_skipped() {
        let mut listing = after_losing(10, &[("a", 3), ("c", 4)]);
        assert!(listing.was_given("ns", "a", Some(3)));
        assert!(listing.was_given("ns", "c", Some(4)));
        assert!(
            !listing.was_given("ns", "b", Some(2)),
            "it comes after c: the first try may not have seen it"
        );
    }

    #[test]
    fn a_second_try_of_an_older_snapshot_is_of_a_restored_cluster() {
        let mut listing = after_losing(10, &[("a", 3)]);
        listing.metadata(Some(Version::Number(9)), "");
        assert!(listing.was_restored());
        listing.forget_given();
        assert!(!listing.was_given("ns", "a", Some(3)));
    }

    /// Reads a page with these items, that is followed by one with this token.
    fn page(listing: &mut Listing, items: &[&str], next: &str) -> PageEnd {
        listing.metadata(Some(Version::Number(10)), next);
        for name in items {
            listing.was_given("ns", name, Some(1));
        }
        listing.page_done()
    }

    #[test]
    fn a_token_that_comes_again_is_no_progress() {
        let mut listing = Listing::default();
        assert_eq!(page(&mut listing, &["a"], "1"), PageEnd::More);
        assert_eq!(page(&mut listing, &["b"], "2"), PageEnd::More);
        let PageEnd::NoProgress(why) = page(&mut listing, &["c"], "1") else {
            panic!("{listing:?}")
        };
        assert!(why.contains("`continue` token again"), "{why}");
        // Another try has tokens of its own.
        listing.snapshot_lost();
        assert_eq!(page(&mut listing, &["a"], "1"), PageEnd::More);
        // A page that was not read to its end is asked for again, and gives the same token.
        listing.metadata(None, "2");
        listing.was_given("ns", "b", Some(1));
        listing.page_abandoned();
        assert_eq!(page(&mut listing, &["b"], "2"), PageEnd::More);
        assert_eq!(page(&mut listing, &["c"], ""), PageEnd::Last);
    }

    #[test]
    fn a_page_that_comes_again_under_new_tokens_is_no_progress() {
        let mut listing = Listing::default();
        assert_eq!(page(&mut listing, &["a", "b"], "1"), PageEnd::More);
        let PageEnd::NoProgress(why) = page(&mut listing, &["a", "b"], "2") else {
            panic!("{listing:?}")
        };
        assert!(why.contains("a page of the list again"), "{why}");
    }

    #[test]
    fn empty_pages_without_end_are_no_progress_and_some_are() {
        let mut listing = Listing::default();
        for number in 0..EMPTY_PAGES_MAX {
            assert_eq!(page(&mut listing, &[], &format!("a{number}")), PageEnd::More);
        }
        assert_eq!(page(&mut listing, &["a"], "b"), PageEnd::More);
        for number in 0..EMPTY_PAGES_MAX {
            assert_eq!(page(&mut listing, &[], &format!("c{number}")), PageEnd::More);
        }
        assert!(matches!(page(&mut listing, &[], "d"), PageEnd::NoProgress(_)));
        // Objects that are no events are items, too.
        let mut listing = Listing::default();
        for number in 0..100 {
            let text = format!("a{number}");
            listing.metadata(None, &text);
            assert!(!listing.was_given_nameless(text.as_bytes()));
            assert_eq!(listing.page_done(), PageEnd::More);
        }
    }

    #[test]
    fn an_item_without_a_name_is_given_once_and_a_page_of_it_that_comes_again_is_no_progress() {
        let mut listing = Listing::default();
        listing.metadata(None, "1");
        assert!(!listing.was_given_nameless(b"{\"involvedObject\":7}"));
        assert_eq!(listing.page_done(), PageEnd::More);
        listing.metadata(None, "2");
        assert!(!listing.was_given_nameless(b"{\"involvedObject\":7}"), "it may be another one");
        assert!(matches!(listing.page_done(), PageEnd::NoProgress(_)));
        listing.snapshot_lost();
        assert!(listing.was_given_nameless(b"{\"involvedObject\":7}"), "in the next try either");
        listing.forget_given();
        assert!(!listing.was_given_nameless(b"{\"involvedObject\":7}"));
    }

    #[test]
    fn keys_are_compared_as_namespace_slash_name() {
        let mut listing = Listing::default();
        // '-' sorts before '/'.
        listing.was_given("team-a", "x", Some(1));
        listing.was_given("team", "x", Some(2));
        assert!(!listing.unordered);
    }
}
