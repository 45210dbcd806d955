//! Which indices there are of what is set up, and which of them is written to.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::explained::of_pattern;
use super::{Job, Target};
use crate::opensearch::what_it_is;
use crate::sink::lag::now_micros;
use crate::sink::opensearch::asker::AskError;
use crate::sink::opensearch::request::index_name;

/// Those of a target.
#[derive(Debug, Default)]
pub(super) struct Indices {
    /// The newest is the last one.
    pub(super) all: Vec<String>,
    /// The one that is written to now.
    pub(super) written: Option<String>,
}

#[derive(Default, Deserialize)]
struct Streams {
    data_streams: Vec<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    indices: Vec<Backing>,
}

#[derive(Deserialize)]
struct Backing {
    index_name: String,
}

#[derive(Default, Deserialize)]
struct Resolved {
    indices: Vec<Name>,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

impl Job<'_> {
    /// The inner error says why nobody knows.
    pub(super) async fn indices(
        &self,
        target: &Target,
    ) -> Result<Result<Indices, String>, AskError> {
        let pattern = &self.settings.index;
        Ok(match target {
            Target::Single => Ok(Indices::default()),
            Target::Stream { .. } => {
                let path = format!("/_data_stream/{}", pattern.prefix);
                let streams: Result<Streams, _> =
                    self.listed(&path, "indices:admin/data_stream/get").await?;
                streams.map(|streams| {
                    let indices =
                        streams.data_streams.into_iter().flat_map(|stream| stream.indices);
                    let all: Vec<String> = indices.map(|index| index.index_name).collect();
                    Indices { written: all.last().cloned(), all }
                })
            }
            Target::Dated(_) => {
                let path = format!("/_resolve/index/{}*{}", pattern.prefix, pattern.suffix);
                let resolved: Result<Resolved, _> =
                    self.listed(&path, "indices:admin/resolve/index").await?;
                resolved.map(|resolved| {
                    let names = resolved.indices.into_iter().map(|index| index.name);
                    let mut all = of_pattern(names, pattern);
                    all.sort_unstable();
                    let today = index_name(pattern, now_micros());
                    Indices { written: all.iter().find(|index| **index == today).cloned(), all }
                })
            }
        })
    }

    /// What is listed at a path: nothing, where there is none.
    async fn listed<T: Default + DeserializeOwned>(
        &self,
        path: &str,
        right: &str,
    ) -> Result<Result<T, String>, AskError> {
        let answer = self.asker.ask(Method::GET, path, Vec::new()).await?;
        Ok(match answer.status {
            StatusCode::OK => serde_json::from_slice(&answer.body).map_err(|error| {
                format!("the answer cannot be read: {}", what_it_is(&answer.body, &error))
            }),
            StatusCode::NOT_FOUND => Ok(T::default()),
            _ => Err(self.refused(&answer, right)),
        })
    }
}
