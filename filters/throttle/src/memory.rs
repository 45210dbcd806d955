//! What is remembered: for each object and reason, when an event of it last went on.
//!
//! Its size is fixed. Where a place is wanted and none is free, the one is given up whose event
//! went on longest ago, of the few places where the key may stand: that object's next event goes
//! on.

/// Of a configuration: 16 MiB hold so many, with the longest names that Kubernetes has.
pub(crate) const OBJECTS_MAX: u32 = 16_384;
/// Places where a key may stand.
const WAYS: usize = 8;

pub(crate) struct Memory(Vec<Seen>);

/// One object's reason; an unused place has an empty key.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    key: String,
    /// The time of the event that last went on, in microseconds.
    pub(crate) went_on: i64,
    /// Events that were held back and that no event has told of.
    pub(crate) held_back: u32,
    /// The earliest time of these.
    pub(crate) since: i64,
}

/// The place for a key that is not remembered.
pub(crate) struct Free<'a> {
    place: &'a mut Seen,
    key: String,
}

impl Memory {
    pub(crate) fn new(objects_max: u32) -> Self {
        Self(vec![Seen::default(); (objects_max as usize).next_multiple_of(WAYS)])
    }

    pub(crate) fn find(&mut self, key: String) -> Result<&mut Seen, Free<'_>> {
        let sets = self.0.len() / WAYS;
        let set = hash(&key) as usize % sets;
        let places = self.0.iter_mut().skip(set * WAYS).take(WAYS);
        let mut oldest: Option<&mut Seen> = None;
        for place in places {
            if place.key == key {
                return Ok(place);
            }
            // An unused place is older than any.
            let is_older = oldest.as_ref().is_none_or(|oldest| place.age() < oldest.age());
            if is_older {
                oldest = Some(place);
            }
        }
        // A set has places, so there is an oldest one.
        match oldest {
            Some(place) => Err(Free { place, key }),
            None => unreachable!("a set without places"),
        }
    }
}

impl Seen {
    fn age(&self) -> (bool, i64) {
        (!self.key.is_empty(), self.went_on)
    }

    pub(crate) fn hold_back(&mut self, now: i64) {
        self.since = if self.held_back == 0 { now } else { self.since.min(now) };
        self.held_back = self.held_back.saturating_add(1);
    }
}

impl Free<'_> {
    /// Remembers that an event goes on now; answers how many held back were given up for that.
    pub(crate) fn take(self, now: i64) -> u64 {
        let given_up = self.place.held_back;
        *self.place = Seen { key: self.key, went_on: now, held_back: 0, since: 0 };
        given_up.into()
    }
}

/// FNV-1a: <https://www.rfc-editor.org/rfc/rfc9923>. Keys are compared as well, so who makes two
/// collide wins nothing but that one is forgotten.
fn hash(key: &str) -> u32 {
    key.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
