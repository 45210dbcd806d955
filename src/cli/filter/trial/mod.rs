//! `weir filter try`: a dry run of one module over events of a cluster, a file or stdin, that shows
//! what becomes of each as it happens.
//!
//! Constraint: nothing is touched. There is no sink, no position and no dead letter, and of a
//! cluster only events are watched, and looked up what they are about.
//!
//! `live` reads events as a run does, `edits` is pure and says how a document differs, and `shown`
//! is what people and programs read.

mod edits;
mod live;
mod shown;

use std::io::{self, IsTerminal};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use self::live::Live;
use self::shown::{Shown, Tally};
use super::alone::{Alone, SettingsArgs};
use super::{FilterError, note, write_out};
use crate::cases::{self, Host, HostError, Recording, Tested};
use crate::cli::test::TestError;
use crate::cli::{CommandError, LogArguments};
use crate::config::{self, Environment};
use crate::event::{Chunk, Edits, EncodeSettings, EventView, Field, Original};
use crate::lookup::{Looker, Lookups, Reference};
use crate::registry::Pulled;
use crate::source::{self, KubernetesSettings, SourceError, Start};
use crate::stages::{LoadError, StageSettings, Wasi};
use crate::text::{self, LINE_BYTES_MAX};

/// What `weir filter try` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct TryArgs {
    /// The module
    module: PathBuf,
    /// Where events come from: `kubernetes` (what happens from now on in the cluster that weir
    /// would watch, until Ctrl-C), a file of events, or `-` for stdin
    #[arg(long, value_name = "SOURCE")]
    from: String,
    /// An annotation of objects that the module may ask for, as `annotations` in `[lookup]`; may be
    /// given several times
    #[arg(long = "annotation", value_name = "KEY", value_parser = annotation)]
    annotations: Vec<String>,
    /// End after so many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Make a case of what is seen: DIR/NAME.events.jsonl, .expected.jsonl and, with settings or
    /// lookups, .toml
    #[arg(long, value_name = "DIR/NAME")]
    record: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print a JSON object for each event; so it is where stdout is no terminal
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArguments,
}

/// Why a module could not be tried.
#[derive(Debug, thiserror::Error)]
pub enum TryError {
    /// The module does not load.
    #[error("{}", text::first(.0, super::ERRORS_SHOWN_MAX))]
    Load(Vec<LoadError>),
    /// Objects are given, and looked up in a cluster.
    #[error(
        "{}: leave [[objects]] away: with `--from kubernetes` they are looked up in the cluster",
        .0.display()
    )]
    Objects(PathBuf),
    /// Annotations are asked for, and there is no cluster to ask.
    #[error(
        "--annotation is for `--from kubernetes`: elsewhere objects come from [[objects]] of \
         --config, with their annotations"
    )]
    Annotations,
    /// Annotations are asked for, and the module cannot ask for any.
    #[error(
        "leave --annotation away: the module does not look anything up (it does not import \
         weir:pipeline/lookup)"
    )]
    LooksNothingUp,
    /// What is expected would be in a case that is only being recorded.
    #[error(
        "{}: leave `counters` and `absent` away: what is recorded may not come out so",
        .0.display()
    )]
    Expects(PathBuf),
    /// There is no such file of events.
    #[error("{}: {error}", .path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Events cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// weir cannot be set up.
    #[error("{0}")]
    Setup(String),
    /// The module does not work.
    #[error("the module failed on {failed} of {events} events")]
    Failed {
        /// Events that it failed on.
        failed: u64,
        /// All that were seen.
        events: u64,
    },
}

impl TryError {
    /// Whether what was given cannot be used.
    pub(super) fn is_of_usage(&self) -> bool {
        match self {
            TryError::Load(_)
            | TryError::Objects(_)
            | TryError::Annotations
            | TryError::LooksNothingUp
            | TryError::Expects(_)
            | TryError::NoFile { .. } => true,
            TryError::Source(_) | TryError::Setup(_) | TryError::Failed { .. } => false,
        }
    }
}

impl From<HostError> for TryError {
    fn from(error: HostError) -> TryError {
        match error {
            HostError::Modules(errors) => TryError::Load(errors),
            HostError::Process(why) => TryError::Setup(why),
        }
    }
}

/// Tries a module until there are no more events, or it is enough.
pub(super) fn run(args: &TryArgs) -> Result<(), CommandError> {
    let telemetry = args.log.init_quietly()?;
    let alone = args.settings.of(&args.module)?;
    let recording = args.recording(&alone)?;
    let mut trial = Trial::new(args, &alone, recording).map_err(FilterError::from)?;
    let source = args.source().map_err(FilterError::from)?;
    let looks_up = trial.host.asks_for_lookups().then(|| args.annotations.clone());
    if looks_up.is_none() && !args.annotations.is_empty() {
        return Err(FilterError::from(TryError::LooksNothingUp).into());
    }
    let live = Live::start(source, looks_up);
    let live = live.map_err(FilterError::from)?;
    let offline = cases::lookups_of(&alone.case.objects, trial.host.metrics())?;
    trial = trial.with_lookups(live.lookups().or(offline.as_ref()));
    trial.looker = live.lookups().map(Lookups::looker);
    let ran = live.run(args.count, |chunk| trial.see(chunk));
    telemetry.end();
    trial.finish(&alone, ran)
}

impl TryArgs {
    fn source(&self) -> Result<source::Settings, TryError> {
        if self.from != "kubernetes" && !self.annotations.is_empty() {
            return Err(TryError::Annotations);
        }
        Ok(match self.from.as_str() {
            "kubernetes" => source::Settings::Kubernetes(KubernetesSettings {
                start: Start::Now,
                ..KubernetesSettings::default()
            }),
            "-" => source::Settings::Stdin,
            path => {
                let path = PathBuf::from(path);
                if let Err(error) = path.metadata() {
                    return Err(TryError::NoFile { path, error });
                }
                source::Settings::File { path, follow: false }
            }
        })
    }

    fn recording(&self, alone: &Alone) -> Result<Option<Recording>, CommandError> {
        let file = self.settings.config.as_deref();
        if let Some(file) = file {
            let case = &alone.case;
            if self.from == "kubernetes" && !case.objects.is_empty() {
                return Err(FilterError::from(TryError::Objects(file.to_owned())).into());
            }
            if self.record.is_some() && !(case.counters.is_empty() && case.absent.is_empty()) {
                return Err(FilterError::from(TryError::Expects(file.to_owned())).into());
            }
        }
        let Some(at) = &self.record else { return Ok(None) };
        let settings = match file {
            Some(file) => read(file)?,
            // What the module cannot do without.
            None if alone.stage.wasi != Wasi::None => b"wasi = \"stub\"\n".to_vec(),
            None => Vec::new(),
        };
        Ok(Some(Recording::begin(at, settings).map_err(TestError::from)?))
    }

    fn is_for_people(&self) -> bool {
        !self.json && io::stdout().is_terminal()
    }
}

fn annotation(text: &str) -> Result<String, String> {
    config::check_annotation(text).map(|()| text.to_owned())
}

/// The settings, which were read once and are valid.
fn read(file: &Path) -> Result<Vec<u8>, CommandError> {
    std::fs::read(file).map_err(|error| {
        let file = text::one_line(file.display(), LINE_BYTES_MAX);
        FilterError::from(TryError::Setup(format!("{file}: {error}"))).into()
    })
}

/// What is being tried.
struct Trial {
    /// With the module.
    host: Host,
    /// Without: what an event's document is when nobody edits it.
    plain: Host,
    /// Who says what was looked up in a cluster.
    looker: Option<Looker>,
    recording: Option<Recording>,
    is_for_people: bool,
    has_colours: bool,
    tally: Tally,
    /// Events that did not fit into the recording.
    left_out: u64,
}

impl Trial {
    fn new(args: &TryArgs, alone: &Alone, recording: Option<Recording>) -> Result<Trial, TryError> {
        let host = |stages: &[StageSettings]| {
            Host::new(
                stages,
                Pulled::default(),
                Environment::of_process().cache,
                EncodeSettings::default(),
            )
        };
        let is_for_people = args.is_for_people();
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Ok(Trial {
            host: host(&[alone.stage.clone().into()])?,
            plain: host(&[])?,
            looker: None,
            recording,
            is_for_people,
            has_colours: is_for_people && !no_colour,
            tally: Tally::default(),
            left_out: 0,
        })
    }

    fn with_lookups(self, lookups: Option<&Lookups>) -> Trial {
        Trial {
            host: self.host.with_lookups(lookups),
            plain: self.plain.with_lookups(lookups),
            ..self
        }
    }

    /// Has an event, or what was to be one, run, and shows what becomes of it.
    fn see(&mut self, alone: &Chunk) -> Result<ControlFlow<()>, FilterError> {
        let happened = self.host.outcome(copy(alone)).map_err(TryError::Setup)?;
        let plain = self.plain.outcome(copy(alone)).map_err(TryError::Setup)?;
        let shown = Shown::of(view(alone), &happened, plain.json());
        self.tally.count(&shown);
        if let Some(recording) = &mut self.recording {
            let source = match (alone.events.first(), alone.rejections.first()) {
                (Some(event), _) => &alone.bytes[event.source_bytes.clone()],
                (None, Some(rejection)) => &rejection.bytes,
                (None, None) => &[],
            };
            if !recording.add(source, &happened) {
                self.left_out += 1;
            }
            let found = view(alone).zip(self.looker.as_mut());
            for object in found.into_iter().flat_map(|(event, looker)| looked_up(event, looker)) {
                recording.looked_up(object);
            }
        }
        let line = match self.is_for_people {
            true => shown.for_people(self.has_colours),
            false => shown.json() + "\n",
        };
        write_out(&line)
    }

    fn finish(self, alone: &Alone, ran: Result<(), FilterError>) -> Result<(), CommandError> {
        if self.is_for_people {
            note(&format!("{}\n", self.tally));
        }
        if let Some(recording) = self.recording {
            let (name, module) = (&alone.name, alone.stage.module.file().unwrap_or(&alone.path));
            let recorded = recording.finish(Tested::Module { name, module });
            if let Some(recorded) = recorded.map_err(TestError::from)? {
                note(&(shown::recorded(&recorded, self.left_out) + "\n"));
            }
        }
        ran?;
        match self.tally.failed {
            0 => Ok(()),
            failed => {
                let events = self.tally.events();
                Err(FilterError::from(TryError::Failed { failed, events }).into())
            }
        }
    }
}

/// The same once more, in a chunk of its own.
fn copy(alone: &Chunk) -> Chunk {
    match alone.events.first() {
        Some(event) => alone.alone(event),
        None => {
            let mut chunk = Chunk::default();
            chunk.rejections.clone_from(&alone.rejections);
            chunk
        }
    }
}

/// The event of a chunk that has it alone.
fn view(alone: &Chunk) -> Option<Original<'_>> {
    let event = alone.events.first()?;
    Some(Original {
        bytes: alone.event_bytes(event),
        head: &event.head,
        members: alone.event_members(event),
    })
}

/// What is known by now of what an event regards.
fn looked_up(event: Original<'_>, looker: &mut Looker) -> Vec<serde_json::Value> {
    let edits = Edits::default();
    let view = EventView { of: event, edits: &edits };
    looker.objects(Reference {
        api_version: &view.text(Field::RegardingApiVersion),
        kind: &view.text(Field::RegardingKind),
        namespace: &view.text(Field::RegardingNamespace),
        name: &view.text(Field::RegardingName),
        uid: &view.text(Field::RegardingUid),
    })
}
