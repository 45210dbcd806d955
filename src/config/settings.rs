//! What a valid configuration becomes, and what its defaults depend on.

use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;

use crate::kube::LeaseSettings;
use crate::words::words;
use crate::{buffer, dead_letter, lookup, registry, sink, source, stages};

/// With `workers = "auto"` no more than this: each has an instance of every module, and four keep
/// up with any one cluster.
const AUTO_WORKERS_MAX: usize = 4;

/// A pipeline that can be run. Its paths are as they are to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Identifies the pipeline.
    pub name: String,
    /// Goes into every document as `clusterName`.
    pub cluster: Option<String>,
    /// Threads that run the stages.
    pub workers: Workers,
    /// When changed stages and modules are taken up.
    pub reload: ReloadOn,
    /// Folder of compiled modules; need not exist yet.
    pub cache: PathBuf,
    /// Where events come from.
    pub source: source::Settings,
    /// What they pass, in order.
    pub stages: Vec<stages::StageSettings>,
    /// How modules are had that are in registries.
    pub registry: registry::Settings,
    /// What waits for the sink.
    pub buffer: buffer::Settings,
    /// Where documents go.
    pub sink: sink::Settings,
    /// Where events go that could not be processed.
    pub dead_letter: dead_letter::Settings,
    /// By which Lease replicas agree on who works; `None`: this one always does.
    pub lease: Option<LeaseSettings>,
    /// What is looked up of what events regard; `None`: nothing.
    pub lookup: Option<lookup::Settings>,
    /// Where `/metrics`, `/livez` and `/readyz` are served; `None`: nowhere.
    pub admin: Option<AdminSettings>,
    /// The folder that relative paths were relative to.
    pub folder: PathBuf,
}

/// `[admin]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether events are shown there: those on which a shadow does otherwise.
    pub show_events: bool,
}

words! {
    /// `reload`: when the stages of a changed configuration, and changed modules, are taken up.
    #[derive(Default)]
    pub enum ReloadOn {
        #[default]
        Change = "watch": "files are looked at every 2 s, and at SIGHUP",
        Signal = "signal": "at SIGHUP",
        Never = "off": "at a restart",
    }
}

/// `workers`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workers {
    /// The CPU quota, at most 4.
    Auto,
    /// That many; at least 1.
    Count(usize),
}

impl Workers {
    /// How many threads that is here. (The standard library heeds CPU affinity and the quotas of
    /// cgroup v1 and v2, rounded down.)
    pub(crate) fn count(self) -> usize {
        match self {
            Workers::Auto => {
                std::thread::available_parallelism().map_or(1, NonZero::get).min(AUTO_WORKERS_MAX)
            }
            Workers::Count(count) => count,
        }
    }
}

/// What defaults depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The folder of compiled modules.
    pub cache: PathBuf,
}

impl Environment {
    /// This process's: in `$XDG_CACHE_HOME`, else in `~/.cache`, else where temporary files go
    /// ([XDG base directories][xdg]: a relative path in the variable is ignored). It is
    /// `weir/modules` there: compiled modules are refused in a folder that is not weir's alone,
    /// and `weir` itself may hold something else and have been made by somebody else.
    ///
    /// [xdg]: https://specifications.freedesktop.org/basedir-spec/latest/
    pub(crate) fn of_process() -> Environment {
        let folder =
            |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let cache =
            folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        Environment { cache: cache.unwrap_or_else(std::env::temp_dir).join("weir/modules") }
    }
}
