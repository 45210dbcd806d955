//! The index template: installs it, brings it up to date, and finds out whether another one is used
//! in its place.

use http::{Method, StatusCode};
use serde_json::Value;

use super::flat::{self, differences};
use super::overlay::Overlay;
use super::{Item, Job, State, Target, What, texts};
use crate::opensearch::{WholeError, classify_whole};
use crate::sink::lag::now_micros;
use crate::sink::opensearch::asker::AskError;
use crate::sink::opensearch::request::index_name;
use crate::sink::opensearch::{resolve, template};
use crate::text::{self, REASON_BYTES_MAX};

const GET: &str = "indices:admin/index_template/get";
const PUT: &str = "indices:admin/index_template/put";

impl Job<'_> {
    /// Sees to the template.
    pub(super) async fn template(&mut self, target: &Target) -> Result<(), AskError> {
        let name = template::name(&self.settings.index);
        if let Some(state) = self.streams_own(&name, target).await? {
            self.items.push(Item { what: What::Template, name, state });
            return Ok(());
        }
        let mut state = match self.template_once(&name, target).await? {
            Some(state) => state,
            // Somebody else was faster, and it is there now.
            None => self.template_once(&name, target).await?.unwrap_or_else(|| {
                State::Failed("somebody else is installing it, too: try again".to_owned())
            }),
        };
        // It is not there, or not for this index.
        if !matches!(state, State::Failed(_) | State::Missing(_))
            && let Some(other) = self.overruling(&name).await?
        {
            state = State::Failed(format!(
                "the index template `{other}` is used in its place, because its priority is \
                 higher: remove that one, or have it match other names"
            ));
        }
        self.items.push(Item { what: What::Template, name, state });
        Ok(())
    }

    /// `None`: it was not there a moment ago, and it is now.
    async fn template_once(&self, name: &str, target: &Target) -> Result<Option<State>, AskError> {
        let path = format!("/_index_template/{name}");
        let answer = self.asker.ask(Method::GET, &path, Vec::new()).await?;
        let found = match answer.status {
            StatusCode::OK => the_template(&answer.body),
            StatusCode::NOT_FOUND => None,
            _ => return Ok(Some(State::Failed(self.refused(&answer, GET)))),
        };
        let kept =
            found.as_ref().and_then(|found| Overlay::kept(&found["_meta"]["weir"]["overlay"]));
        let overlay = self.order.overlay.clone().or(kept);
        let is_stream = matches!(target, Target::Stream { .. });
        let body = body(self.settings, is_stream, overlay.as_ref());
        let maps = || {
            let with = if overlay.is_some() { ", with the overlay" } else { "" };
            format!("it maps weir's documents{with}")
        };
        let Some(found) = found else {
            return match self.order.dry_run {
                true => Ok(Some(State::Missing(maps()))),
                false => {
                    self.put(&format!("{path}?create=true"), &body, State::Created(maps())).await
                }
            };
        };
        let (there, wanted) = (flat::of_template(&found), flat::of_template(&body));
        let differences = differences(&there, &wanted);
        if differences.is_empty() {
            return Ok(Some(State::Fine(maps())));
        }
        let is_untouched = found["_meta"]["weir"]["sha256"] == flat::digest(&there).as_str();
        if !self.order.force {
            let of = |template: &Value| {
                texts(&template["index_patterns"]).map(str::to_owned).collect::<Vec<_>>()
            };
            let (there, wanted) = (of(&found), of(&body));
            if let Some(why) = self.of_another_index(&there, &wanted, is_untouched) {
                return Ok(Some(State::Failed(why)));
            }
            if !is_untouched {
                return Ok(Some(State::Edited(differences)));
            }
        }
        match self.order.dry_run {
            true => Ok(Some(State::Differs(differences))),
            false => self.put(&path, &body, State::Changed(differences)).await,
        }
    }

    /// `None`: it is there already, and was to be made.
    async fn put(&self, path: &str, body: &Value, done: State) -> Result<Option<State>, AskError> {
        let body = body.to_string().into_bytes();
        let answer = self.asker.ask(Method::PUT, path, body).await?;
        Ok(match answer.status.is_success() {
            true => Some(done),
            false if classify_whole(&answer.body) == WholeError::AlreadyExists => None,
            false => Some(State::Failed(self.refused(&answer, PUT))),
        })
    }

    /// A data stream may have a template of somebody else's, which made it as it is: it stays.
    async fn streams_own(&self, name: &str, target: &Target) -> Result<Option<State>, AskError> {
        if self.order.force || !matches!(target, Target::Stream { .. }) {
            return Ok(None);
        }
        let own = self.used_instead(name).await?.filter(|used| used.makes_stream);
        Ok(own.map(|used| {
            let own = text::words(&used.name, REASON_BYTES_MAX);
            State::Others(format!(
                "the data stream has a template of its own, `{own}`, which is left to it; --force \
                 installs this one, for what is made from now on"
            ))
        }))
    }

    /// The template that is used in place of weir's, if there is one.
    async fn overruling(&self, name: &str) -> Result<Option<String>, AskError> {
        let other = self.used_instead(name).await?;
        Ok(other.map(|used| text::words(&used.name, REASON_BYTES_MAX)))
    }

    async fn used_instead(&self, name: &str) -> Result<Option<resolve::Used>, AskError> {
        let index = index_name(&self.settings.index, now_micros());
        let used = resolve::template_for(self.asker, &index).await?;
        Ok(used.filter(|used| used.name != name))
    }
}

/// weir's own, with the overlay over it, and what tells later that nobody has changed it.
fn body(
    settings: &crate::sink::settings::OpenSearchSettings,
    is_stream: bool,
    overlay: Option<&Overlay>,
) -> Value {
    let mut body = template::body(&settings.index, is_stream);
    if let Some(overlay) = overlay {
        overlay.put_over(&mut body["template"]);
    }
    mark(&mut body);
    if let Some(overlay) = overlay {
        body["_meta"]["weir"]["overlay"] = overlay.value();
    }
    body
}

/// Writes a digest of a template into it.
pub(in crate::sink::opensearch) fn mark(body: &mut Value) {
    body["_meta"]["weir"]["sha256"] = flat::digest(&flat::of_template(body)).into();
}

/// The only one of an answer.
fn the_template(body: &[u8]) -> Option<Value> {
    let mut answer: Value = serde_json::from_slice(body).ok()?;
    let first = answer.get_mut("index_templates")?.get_mut(0)?;
    Some(first.get_mut("index_template")?.take())
}

/// Whether the template of an answer is for an index.
pub(in crate::sink::opensearch) fn is_for(answer: &[u8], index: &str) -> Option<bool> {
    let template = the_template(answer)?;
    Some(texts(&template["index_patterns"]).any(|pattern| resolve::matches(pattern, index)))
}
