//! `weir opensearch setup`, and `setup = "run"`: the policy, the index template and the data stream
//! that are missing are installed, in this order, and it is verified that what is written to is
//! managed (docs/setup.md#what-setup-does).
//!
//! Constraints:
//!
//! - What somebody edited is never overwritten, unless that is asked for. What a setup left is
//!   known by a digest beside it; it is brought up to date.
//! - What somebody else has for the same indices, a policy or a stream's template, goes on doing
//!   its work: nothing is put above it, unless that is asked for.
//! - What was asked for once, a retention and an overlay, is kept there, and stays until something
//!   else is asked for: a setup at the start of a run knows neither.
//! - The order matters: a policy takes in what is made after it, and a stream is made as its
//!   template says.
//! - A dry run writes nothing, and asks nothing that could make an index.
//!
//! - [`policy`], [`templates`] and [`managed`] see to one thing each; [`others`] finds the policies
//!   of others, and [`indices`] what they are for; [`start`] is the run's way in. What they decide
//!   is pure: [`flat`] compares, [`overlay`] merges, [`retention`] says what follows for ages, and
//!   [`explained`] what ISM says of an index.

mod explained;
mod flat;
mod indices;
mod managed;
mod others;
mod overlay;
mod policy;
mod retention;
mod start;
mod templates;

use http::Method;
use serde_json::Value;

use self::explained::Edition;
pub(crate) use self::flat::Difference;
pub(crate) use self::overlay::{Overlay, OverlayError};
pub(crate) use self::retention::Retention;
pub(super) use self::start::at_start;
pub(super) use self::templates::{is_for, mark};
use super::asker::{AskError, Asker, lacks_right};
use super::request::index_name;
use super::resolve;
use super::write_target::Kind;
use crate::opensearch::{Response, Unavailable, WholeError, classify_whole, whole_error};
use crate::sink::lag::now_micros;
use crate::sink::settings::{DateFormat, Mode, OpenSearchSettings};
use crate::text::{self, REASON_BYTES_MAX};

/// Of a policy or template of another index.
const PATTERNS_TOLD_MAX: usize = 1;

/// What a setup is to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    /// Only look.
    pub(crate) dry_run: bool,
    /// Overwrite what somebody edited.
    pub(crate) force: bool,
    /// Instead of the one that is kept.
    pub(crate) overlay: Option<Overlay>,
    /// Instead of the one that is kept.
    pub(crate) retention: Option<Retention>,
    /// What OpenSearch does not answer is passed over, and the rest is seen to.
    pub(crate) goes_on: bool,
}

/// What a setup sees to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Policy,
    Template,
    Stream,
    Managed,
}

impl What {
    /// For people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            What::Policy => "policy",
            What::Template => "template",
            What::Stream => "stream",
            What::Managed => "managed",
        }
    }
}

/// How one thing is, or what was done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) what: What,
    pub(crate) name: String,
    pub(crate) state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// As it should be; how that is.
    Fine(String),
    /// A dry run would install it; what it does.
    Missing(String),
    Created(String),
    /// A dry run would change it.
    Differs(Vec<Difference>),
    Changed(Vec<Difference>),
    /// The same, for what is no difference in what stands there.
    Pending(String),
    Done(String),
    /// Somebody edited it: it stays as it is.
    Edited(Vec<Difference>),
    /// Somebody else's does the work in its place: it stays so.
    Others(String),
    /// It cannot be as it should be, or nobody knows.
    Failed(String),
}

impl State {
    /// Whether something was written.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self, State::Created(_) | State::Changed(_) | State::Done(_))
    }

    /// Whether it is not as it should be.
    pub(crate) fn is_drift(&self) -> bool {
        match self {
            State::Fine(_)
            | State::Others(_)
            | State::Created(_)
            | State::Changed(_)
            | State::Done(_) => false,
            State::Missing(_)
            | State::Differs(_)
            | State::Pending(_)
            | State::Edited(_)
            | State::Failed(_) => true,
        }
    }
}

/// What `sink.index` is, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    /// An index for each date.
    Dated(DateFormat),
    /// A data stream; whether it is there.
    Stream { is_there: bool },
    /// One index, which is never rolled over.
    Single,
}

/// Installs what is missing, or says what is: as far as it came. What OpenSearch refuses is the
/// state of an item; the error says that it could not be asked, or does not let weir in.
pub(super) async fn set_up(
    asker: &Asker<'_>,
    settings: &OpenSearchSettings,
    order: &Order,
) -> (Vec<Item>, Result<(), AskError>) {
    let mut job = Job { asker, settings, order, items: Vec::new() };
    let ended = job.run().await;
    (job.items, ended)
}

/// Those of a list.
fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// One at work.
struct Job<'a> {
    asker: &'a Asker<'a>,
    settings: &'a OpenSearchSettings,
    order: &'a Order,
    items: Vec<Item>,
}

impl Job<'_> {
    async fn run(&mut self) -> Result<(), AskError> {
        let Some(target) = self.target().await? else { return Ok(()) };
        let revision = match &target {
            Target::Single => None,
            // It has no ISM.
            _ if self.asker.client.collection().is_some() => None,
            target => {
                let asked = self.policy(target).await;
                self.or_go_on(What::Policy, asked)?
            }
        };
        let asked = self.template(&target).await;
        self.or_go_on(What::Template, asked)?;
        let is_new = match &target {
            Target::Stream { is_there } => {
                let asked = self.stream(*is_there).await;
                self.or_go_on(What::Stream, asked)?
            }
            Target::Dated(_) | Target::Single => false,
        };
        if let Some(revision) = revision {
            let policy = policy::name(&self.settings.index);
            let is_changed = self.items.iter().any(|item| {
                let is_changed = matches!(item.state, State::Changed(_) | State::Done(_));
                item.what == What::Policy && is_changed
            });
            let edition = Edition { revision, is_changed };
            let asked = self.managed(&target, &policy, edition, is_new).await;
            self.or_go_on(What::Managed, asked)?;
        }
        Ok(())
    }

    /// What is not answered ends the setup, unless it is to go on.
    fn or_go_on<T: Default>(
        &mut self,
        what: What,
        asked: Result<T, AskError>,
    ) -> Result<T, AskError> {
        match asked {
            Err(AskError::Unavailable(Unavailable::Outage(why) | Unavailable::Refused(why)))
                if self.order.goes_on =>
            {
                let name = self.settings.index.to_string();
                self.items.push(Item { what, name, state: State::Failed(why) });
                Ok(T::default())
            }
            asked => asked,
        }
    }

    /// What there is to set up; `None`: nothing, and why is said.
    async fn target(&mut self) -> Result<Option<Target>, AskError> {
        let OpenSearchSettings { index, mode, .. } = self.settings;
        if let Some(date) = index.date {
            return Ok(Some(Target::Dated(date)));
        }
        let name = &index.prefix;
        let (target, why) = match resolve::look_up(self.asker, name).await? {
            Some(Kind::DataStream(_)) => (Some(Target::Stream { is_there: true }), None),
            Some(Kind::Absent | Kind::FutureDataStream) if *mode == Mode::History => {
                (Some(Target::Stream { is_there: false }), None)
            }
            Some(Kind::Index) if *mode == Mode::History => (
                Some(Target::Single),
                Some(
                    "it is one index, which is never rolled over, and from which nothing is \
                     deleted: for retention, set sink.index to a name that is not there yet (a \
                     data stream is made), or to one with a date"
                        .to_owned(),
                ),
            ),
            Some(Kind::Alias | Kind::WritesTo(_)) => (
                None,
                Some(
                    "it is an alias: its indices are made by a template of its own, which is left \
                     alone, as is the policy that rolls them over"
                        .to_owned(),
                ),
            ),
            Some(_) => (Some(Target::Single), None),
            None => (
                None,
                Some(
                    "nobody says whether it is an index, an alias or a data stream: the user \
                     lacks the right `indices:admin/resolve/index`"
                        .to_owned(),
                ),
            ),
        };
        if let Some(why) = why {
            let state = State::Failed(why);
            self.items.push(Item { what: What::Stream, name: name.clone(), state });
        }
        Ok(target)
    }

    /// Sees to the data stream; whether it was made now.
    async fn stream(&mut self, is_there: bool) -> Result<bool, AskError> {
        let name = self.settings.index.prefix.clone();
        let text = || "what weir writes goes there".to_owned();
        let (state, is_new) = if is_there {
            (State::Fine("it is there".to_owned()), false)
        } else if self.order.dry_run {
            (State::Missing(text()), false)
        } else {
            let path = format!("/_data_stream/{name}");
            let answer = self.asker.ask(Method::PUT, &path, Vec::new()).await?;
            let is_there_now = classify_whole(&answer.body) == WholeError::AlreadyExists;
            match answer.status.is_success() || is_there_now {
                true => (State::Created(text()), true),
                false => (
                    State::Failed(self.refused(&answer, "indices:admin/data_stream/create")),
                    false,
                ),
            }
        };
        self.items.push(Item { what: What::Stream, name, state });
        Ok(is_new)
    }

    /// Why a policy or a template of this name is another index's: it is as an earlier setup left
    /// it for other patterns than are `wanted`, or is for this index not at all.
    fn of_another_index(
        &self,
        there: &[String],
        wanted: &[String],
        is_untouched: bool,
    ) -> Option<String> {
        let index = index_name(&self.settings.index, now_micros());
        let is_for_it = || there.iter().any(|pattern| resolve::matches(pattern, &index));
        // Somebody who took the patterns away knows why.
        if there == wanted || there.is_empty() || !is_untouched && is_for_it() {
            return None;
        }
        let there = there.iter().map(|pattern| text::words(pattern, REASON_BYTES_MAX));
        Some(format!(
            "it belongs to another sink.index, which makes the same name here, and is left to it \
             (it is for {}): give one of the two indices another name; --force writes this one \
             over it",
            text::first(there, PATTERNS_TOLD_MAX)
        ))
    }

    /// Why something was refused, and the right that is missing if that is why.
    fn refused(&self, answer: &Response, right: &str) -> String {
        let why = whole_error(&answer.body);
        match lacks_right(answer) {
            true => format!("the user lacks the right {right} ({why})"),
            false => format!("{} answers {}: {why}", answer.host, answer.status.as_u16()),
        }
    }
}
