//! The event that is being processed.

use std::collections::BTreeMap;

use serde_core::de::DeserializeOwned;

use crate::{Words, error::Refused, json, sys};

/// The kinds of event that Kubernetes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventType {
    /// `Normal`: information only.
    Normal,
    /// `Warning`: something did not go as it should.
    Warning,
    /// Anything else; [`Event::type_text`] has it.
    Other,
}

/// The event that is being processed, as earlier stages and this call have edited it so far.
///
/// Every getter is one call to weir, so ask once and keep the answer, and ask the cheap question
/// first: a number or [`EventType`] costs about 90 ns, a string about 130 ns and an allocation. A
/// member that is absent, null or not of the expected type reads as the empty string
/// ([`get`](Event::get) tells these apart). Names follow core/v1, however the event arrived.
///
/// An edit names a member by its JSON pointer (RFC 6901). Missing parents become objects. See the
/// guide in `filters/README.md` for what is refused.
///
/// ```
/// use weir_filter::{prelude::*, testing::Harness};
///
/// /// Says in one member what an event is about, and how often it happened.
/// struct Title;
///
/// impl Stage for Title {
///     fn configure(config: &Config) -> Result<Self> {
///         config.expect_empty()?;
///         Ok(Self)
///     }
///     fn process(&mut self, event: &mut Event) -> Result<Verdict> {
///         let (kind, name) = (event.regarding_kind(), event.regarding_name());
///         event.set("/title", format!("{} of {kind} {name}", event.reason()))?;
///         if event.count() > 100 {
///             event.append("/tags", "frequent")?;
///         }
///         if let Some(note) = event.get_as::<String>("/metadata/annotations/note") {
///             event.set("/note", note)?;
///             event.remove("/metadata/annotations/note")?;
///         }
///         Ok(Verdict::Keep)
///     }
/// }
///
/// let mut title = Harness::<Title>::new("{}").unwrap();
/// let outcome = title.process(
///     r#"{"reason":"BackOff","count":101,"involvedObject":{"kind":"Pod","name":"web"}}"#,
/// );
/// assert_eq!(outcome.get("/title").as_deref(), Some(r#""BackOff of Pod web""#));
/// assert_eq!(outcome.get("/tags").as_deref(), Some(r#"["frequent"]"#));
/// ```
#[derive(Debug)]
pub struct Event {
    /// Made only by this crate, and only for the length of a call.
    _current: (),
}

/// A value that can be put into an event: strings, booleans, integers and floats. weir's integers
/// are those of `i64`; a larger one is refused. Anything else is JSON text: [`Event::set_json`].
///
/// ```
/// # use weir_filter::prelude::*;
/// fn about(event: &mut Event) -> Result<()> {
///     event.set("/about/kind", event.regarding_kind())?;
///     event.set("/about/often", event.count() > 100)?;
///     event.set("/about/count", event.count())?;
///     event.set("/about/share", 0.25)?;
///     event.set_json("/about/kinds", r#"["Pod","Job"]"#)?;
///     Ok(())
/// }
/// ```
pub trait Value: sealed::Value {}

impl<V: sealed::Value> Value for V {}

impl Event {
    pub(crate) fn current() -> Self {
        Self { _current: () }
    }

    /// `/type` as an enum: the cheapest question to ask.
    pub fn event_type(&self) -> EventType {
        sys::event_type()
    }

    /// Whether `/type` is `Normal`.
    pub fn is_normal(&self) -> bool {
        self.event_type() == EventType::Normal
    }

    /// Whether `/type` is `Warning`.
    pub fn is_warning(&self) -> bool {
        self.event_type() == EventType::Warning
    }

    /// `/type` as text.
    pub fn type_text(&self) -> String {
        sys::type_text()
    }

    /// `/reason`: a short, machine-readable word such as `FailedScheduling`.
    pub fn reason(&self) -> String {
        sys::reason()
    }

    /// `/message`: the human-readable description.
    pub fn message(&self) -> String {
        sys::message()
    }

    /// Whether `/reason` or `/message` has one of the words, anywhere and in any case: cheaper than
    /// asking for both and searching them, so ask it first.
    pub fn mentions(&self, words: Words) -> bool {
        words.are_mentioned()
    }

    /// `/action`: what was done or failed, in newer events such as the scheduler's.
    pub fn action(&self) -> String {
        sys::action()
    }

    /// How often this event has occurred; 1 when it does not say.
    pub fn count(&self) -> u32 {
        sys::count()
    }

    /// `/metadata/namespace`: where the event itself lives.
    pub fn namespace(&self) -> String {
        sys::namespace()
    }

    /// `/metadata/name`.
    pub fn name(&self) -> String {
        sys::name()
    }

    /// `/metadata/uid`.
    pub fn uid(&self) -> String {
        sys::uid()
    }

    /// When it was first observed, in microseconds since the Unix epoch (UTC).
    pub fn first_seen(&self) -> Option<i64> {
        sys::first_seen()
    }

    /// When it was last observed, in microseconds since the Unix epoch (UTC).
    pub fn last_seen(&self) -> Option<i64> {
        sys::last_seen()
    }

    /// Who reported it, for example `kubelet`.
    pub fn component(&self) -> String {
        sys::component()
    }

    /// The node it was reported from.
    pub fn host(&self) -> String {
        sys::host()
    }

    /// The kind of what the event is about, for example `Pod`.
    pub fn regarding_kind(&self) -> String {
        sys::regarding_kind()
    }

    /// The namespace of what the event is about; empty for cluster-scoped objects.
    pub fn regarding_namespace(&self) -> String {
        sys::regarding_namespace()
    }

    /// The name of what the event is about.
    pub fn regarding_name(&self) -> String {
        sys::regarding_name()
    }

    /// The uid of what the event is about; some reporters leave it out.
    pub fn regarding_uid(&self) -> String {
        sys::regarding_uid()
    }

    /// The API version of what the event is about.
    pub fn regarding_api_version(&self) -> String {
        sys::regarding_api_version()
    }

    /// The part of the object that the event is about, for example `spec.containers{app}`.
    pub fn regarding_field_path(&self) -> String {
        sys::regarding_field_path()
    }

    /// Whether the API server has what the event is about, where `[lookup]` is configured. These
    /// getters answer nothing otherwise, and that is normal: it may be gone, or not be readable.
    pub fn object_found(&self) -> bool {
        sys::found()
    }

    /// The value of a label of what the event is about.
    pub fn object_label(&self, key: &str) -> Option<String> {
        sys::label(key)
    }

    /// All of its labels.
    pub fn object_labels(&self) -> BTreeMap<String, String> {
        json::from_str(&sys::labels()).unwrap_or_default()
    }

    /// The value of one of its annotations, of those that `[lookup]` lists.
    pub fn object_annotation(&self, key: &str) -> Option<String> {
        sys::annotation(key)
    }

    /// How many owners control it, one above the other.
    pub fn controllers(&self) -> u32 {
        sys::controllers()
    }

    /// The kind of a controller, such as `ReplicaSet`; level 0 is the object's own. Empty where
    /// there is none.
    pub fn controller_kind(&self, level: u32) -> String {
        sys::controller_kind(level)
    }

    /// The name of a controller; empty where there is none.
    pub fn controller_name(&self, level: u32) -> String {
        sys::controller_name(level)
    }

    /// The API version of a controller, such as `apps/v1`; empty where there is none.
    pub fn controller_api_version(&self, level: u32) -> String {
        sys::controller_api_version(level)
    }

    /// The uid of a controller; empty where there is none.
    pub fn controller_uid(&self, level: u32) -> String {
        sys::controller_uid(level)
    }

    /// Any member, by its JSON pointer, as JSON text: a string keeps its quotes and escapes. `None`
    /// where nothing is there. The empty pointer is the whole event.
    pub fn get(&self, pointer: &str) -> Option<String> {
        sys::get(pointer)
    }

    /// Any member, by its JSON pointer, as a type of the module's own; `None` where nothing is
    /// there, or something else.
    pub fn get_as<T: DeserializeOwned>(&self, pointer: &str) -> Option<T> {
        json::from_str(&self.get(pointer)?).ok()
    }

    /// Sets a member to a string, boolean or number. NaN and the infinities are refused.
    pub fn set(&mut self, pointer: &str, value: impl Value) -> Result<(), Refused> {
        value.set(pointer).map_err(Refused)
    }

    /// Sets a member to what `json` holds: exactly one JSON value.
    pub fn set_json(&mut self, pointer: &str, json: &str) -> Result<(), Refused> {
        sys::set_json(pointer, json).map_err(Refused)
    }

    /// Appends a string to an array. Where nothing is, an array is made; anything else than an
    /// array is refused.
    pub fn append(&mut self, pointer: &str, value: &str) -> Result<(), Refused> {
        sys::append_string(pointer, value).map_err(Refused)
    }

    /// Appends a string to an array that does not have it, as [`append`](Event::append) does; where
    /// an element is that string, nothing is changed.
    ///
    /// ```
    /// # use weir_filter::prelude::*;
    /// fn tag(event: &mut Event) -> Result<()> {
    ///     Ok(event.add("/tags", "noise")?)
    /// }
    /// ```
    pub fn add(&mut self, pointer: &str, value: &str) -> Result<(), Refused> {
        sys::add_string(pointer, value).map_err(Refused)
    }

    /// Appends what `json` holds to an array, as [`append`](Event::append) does.
    pub fn append_json(&mut self, pointer: &str, json: &str) -> Result<(), Refused> {
        sys::append_json(pointer, json).map_err(Refused)
    }

    /// Removes a member or an element. Removing what is not there succeeds.
    pub fn remove(&mut self, pointer: &str) -> Result<(), Refused> {
        sys::remove(pointer).map_err(Refused)
    }
}

mod sealed {
    use std::borrow::Cow;

    use crate::sys;

    pub trait Value {
        fn set(self, pointer: &str) -> Result<(), String>;
    }

    impl Value for &str {
        fn set(self, pointer: &str) -> Result<(), String> {
            sys::set_string(pointer, self)
        }
    }

    impl Value for &String {
        fn set(self, pointer: &str) -> Result<(), String> {
            sys::set_string(pointer, self)
        }
    }

    impl Value for String {
        fn set(self, pointer: &str) -> Result<(), String> {
            sys::set_string(pointer, &self)
        }
    }

    impl Value for Cow<'_, str> {
        fn set(self, pointer: &str) -> Result<(), String> {
            sys::set_string(pointer, &self)
        }
    }

    impl Value for bool {
        fn set(self, pointer: &str) -> Result<(), String> {
            sys::set_bool(pointer, self)
        }
    }

    impl Value for f64 {
        fn set(self, pointer: &str) -> Result<(), String> {
            sys::set_float(pointer, self)
        }
    }

    impl Value for f32 {
        /// In its own shortest form: as a `f64`, 0.1 would become 0.10000000149011612.
        fn set(self, pointer: &str) -> Result<(), String> {
            match self.is_finite() {
                true => sys::set_json(pointer, &format!("{self:?}")),
                false => sys::set_float(pointer, self.into()),
            }
        }
    }

    macro_rules! integers {
        ($($integer:ty),*) => { $(
            impl Value for $integer {
                fn set(self, pointer: &str) -> Result<(), String> {
                    sys::set_integer(pointer, self.into())
                }
            }
        )* };
    }

    integers!(i8, i16, i32, i64, u8, u16, u32);

    macro_rules! checked_integers {
        ($($integer:ty),*) => { $(
            impl Value for $integer {
                fn set(self, pointer: &str) -> Result<(), String> {
                    match self.try_into() {
                        Ok(value) => sys::set_integer(pointer, value),
                        Err(_) => {
                            Err(format!("`{pointer}`: {self} is not within what an i64 holds"))
                        }
                    }
                }
            }
        )* };
    }

    checked_integers!(u64, usize, isize);
}
