//! `[sink]` of `pipeline.toml`.

use std::path::PathBuf;

use crate::event::EncodeSettings;
use crate::opensearch::Settings as Connection;
use crate::position::Target;
use crate::words::words;

/// `[sink]` of `pipeline.toml`.
#[allow(clippy::large_enum_variant)] // There is one in a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settings {
    /// `kind = "opensearch"`
    OpenSearch(OpenSearchSettings),
    /// `kind = "file"`: one document a line, appended.
    File {
        /// Where to.
        path: PathBuf,
    },
    /// `kind = "stdout"`
    Stdout,
}

impl Settings {
    /// How to reach the OpenSearch that documents go to, if that is where they go.
    pub(crate) fn connection(&self) -> Option<&Connection> {
        match self {
            Settings::OpenSearch(settings) => Some(&settings.connection),
            Settings::File { .. } | Settings::Stdout => None,
        }
    }

    /// What documents must carry for this sink. The caller adds what is not the sink's to know
    /// (`cluster`).
    pub(crate) fn encode_settings(&self) -> EncodeSettings {
        let addresses = matches!(self, Settings::OpenSearch(_));
        let fill_last_timestamp = match self {
            Settings::OpenSearch(settings) => settings.last_timestamp == LastTimestamp::Filled,
            Settings::File { .. } | Settings::Stdout => false,
        };
        EncodeSettings {
            fill_last_timestamp,
            identity: addresses,
            keep_source: addresses,
            ..EncodeSettings::default()
        }
    }

    /// Where documents go, as far as the settings say.
    pub(crate) fn target(&self) -> Target {
        let kind = |kind: &str| Target { kind: kind.to_owned(), ..Target::default() };
        match self {
            Settings::OpenSearch(settings) => Target {
                index: Some(settings.index.to_string()),
                mode: Some(settings.mode.word().to_owned()),
                ..kind("opensearch")
            },
            Settings::File { path } => {
                // The same file, from whichever folder weir is started.
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                Target { index: Some(path.display().to_string()), ..kind("file") }
            }
            Settings::Stdout => kind("stdout"),
        }
    }
}

/// Which OpenSearch, and what to store there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenSearchSettings {
    /// How to reach it.
    pub connection: Connection,
    /// Index name; in `history` mode it may hold a date placeholder such as `{yyyy.MM.dd}`.
    pub index: IndexPattern,
    /// What a document is.
    pub mode: Mode,
    /// Whether to install the index template when it is missing.
    pub template: Template,
    /// Whether a data stream or an alias may hold a document twice.
    pub duplicates: Duplicates,
    /// Whether a run sets up OpenSearch at its start.
    pub setup: Setup,
    /// What `lastTimestamp` is where the event has no time there.
    pub last_timestamp: LastTimestamp,
}

/// An index name with at most one date placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexPattern {
    /// Text before the placeholder, or the whole name.
    pub prefix: String,
    /// The placeholder.
    pub date: Option<DateFormat>,
    /// Text behind the placeholder.
    pub suffix: String,
}

impl IndexPattern {
    /// The name without the date.
    pub(crate) fn name(&self) -> String {
        format!("{}{}", self.prefix, self.suffix)
    }
}

/// As the configuration has it.
impl std::fmt::Display for IndexPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let date = self.date.map_or("", DateFormat::placeholder);
        write!(f, "{}{date}{}", self.prefix, self.suffix)
    }
}

const DAY_MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// The date placeholders there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateFormat {
    /// `{yyyy.MM.dd}`
    Day,
    /// `{yyyy.MM}`
    Month,
    /// `{yyyy}`
    Year,
    /// `{yyyy-MM-dd}`
    DayWithDashes,
    /// `{yyyy-MM}`
    MonthWithDashes,
}

impl DateFormat {
    /// A number that two times (in µs since the epoch) share if their indices have the same name.
    pub(crate) fn period(self, time: i64) -> i64 {
        let date = || {
            let time = jiff::Timestamp::from_microsecond(time).unwrap_or_default();
            time.to_zoned(jiff::tz::TimeZone::UTC).date()
        };
        match self {
            DateFormat::Day | DateFormat::DayWithDashes => time.div_euclid(DAY_MICROS),
            DateFormat::Month | DateFormat::MonthWithDashes => {
                i64::from(date().year()) * 12 + i64::from(date().month())
            }
            DateFormat::Year => i64::from(date().year()),
        }
    }

    /// As the configuration has it.
    pub(crate) fn placeholder(self) -> &'static str {
        match self {
            DateFormat::Day => "{yyyy.MM.dd}",
            DateFormat::Month => "{yyyy.MM}",
            DateFormat::Year => "{yyyy}",
            DateFormat::DayWithDashes => "{yyyy-MM-dd}",
            DateFormat::MonthWithDashes => "{yyyy-MM}",
        }
    }
}

words! {
    /// `mode`: what a document is.
    #[derive(Default)]
    pub enum Mode {
        #[default]
        History = "history": "a document for each version of an event",
        Latest = "latest": "one document an event, its latest version; the index has no date",
    }
}

words! {
    /// `template`: whether to install the index template.
    #[derive(Default)]
    pub enum Template {
        #[default]
        Install = "install": "install the index template when it is missing",
        Skip = "skip": "leave templates alone",
    }
}

words! {
    /// `duplicates`: only where the index is a data stream or an alias, whose writes move from
    /// index to index. Everywhere else ids keep duplicates out, whatever this says.
    #[derive(Default)]
    pub enum Duplicates {
        #[default]
        Forbid = "forbid": "what may have been sent before is looked up before it is sent again",
        Allow = "allow": "it is sent again, and stored twice where writes have moved on",
    }
}

words! {
    /// `setup`: whether a run does at its start what `weir opensearch setup` does.
    #[derive(Default)]
    pub enum Setup {
        #[default]
        Off = "off": "policies and data streams are left alone",
        Run = "run": "what is missing is installed at the start, as `weir opensearch setup` does",
    }
}

words! {
    /// `last_timestamp`: what `lastTimestamp` is of reporters that write another time instead.
    #[derive(Default)]
    pub enum LastTimestamp {
        #[default]
        AsIs = "as-is": "what the event has, which may be null",
        Filled = "filled": "the same as @timestamp where the event has no time there",
    }
}
