//! What a filter begins as, in each language.
//!
//! Constraint: it builds, and its cases pass, before the first edit.

use clap::ValueEnum;

use super::carried::Carried;

/// What a filter is written in: the languages whose tools make modules that work well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    #[default]
    Rust,
    #[value(alias = "js")]
    Javascript,
    Python,
}

/// What a filter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Filter,
    Enrich,
}

/// A filter to begin with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template {
    pub(super) language: Language,
    pub(super) kind: Kind,
}

/// The versions of the crates that the SDK was tested with.
const LOCK: &str = include_str!("../../../../filters/Cargo.lock");

/// A file of a template.
macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("templates/", $path))
    };
}

impl Template {
    /// What it needs of what the binary carries.
    pub(super) fn carried(self) -> Carried {
        match self.language {
            Language::Rust => Carried::Sdk,
            Language::Javascript | Language::Python => Carried::Wit,
        }
    }

    /// What it does, behind "which".
    pub(super) fn does(self) -> &'static str {
        match self.kind {
            Kind::Filter => "drops events of type Normal.",
            Kind::Enrich => "writes each event's namespace into it as the label `team`.",
        }
    }

    /// Its files, by where they lie in its folder.
    pub(super) fn files(self, name: &str) -> Vec<(&'static str, String)> {
        let expected = match self.kind {
            Kind::Filter => template!("filter.expected.jsonl"),
            Kind::Enrich => template!("enrich.expected.jsonl"),
        };
        let mut files = vec![
            ("cases/first.events.jsonl", template!("events.jsonl")),
            ("cases/first.expected.jsonl", expected),
            ("pipeline.toml", template!("pipeline.toml.txt")),
        ];
        files.extend(self.own_files());
        let fill = |text: &str| self.fill(text, name);
        // These have braces of their own.
        let is_filled = |path: &str| path != "Cargo.lock" && !path.starts_with("src/");
        let filled = |(path, text): (&'static str, &'static str)| {
            (path, if is_filled(path) { fill(text) } else { text.to_owned() })
        };
        files.into_iter().map(filled).collect()
    }

    fn own_files(self) -> Vec<(&'static str, &'static str)> {
        let code = match (self.language, self.kind) {
            (Language::Rust, Kind::Filter) => template!("rust/filter.rs"),
            (Language::Rust, Kind::Enrich) => template!("rust/enrich.rs"),
            (Language::Javascript, Kind::Filter) => template!("javascript/filter.js"),
            (Language::Javascript, Kind::Enrich) => template!("javascript/enrich.js"),
            (Language::Python, Kind::Filter) => template!("python/filter.py"),
            (Language::Python, Kind::Enrich) => template!("python/enrich.py"),
        };
        const WORKFLOW: &str = ".github/workflows/filter.yml";
        let made_by = |build: &'static str, path: &'static str| {
            vec![
                (path, code),
                ("build.sh", build),
                ("README.md", template!("readme.txt")),
                (".gitignore", template!("gitignore.txt")),
                (WORKFLOW, template!("workflow.yml.txt")),
            ]
        };
        match self.language {
            Language::Rust => vec![
                ("Cargo.toml", template!("rust/Cargo.toml.txt")),
                ("Cargo.lock", LOCK),
                ("src/lib.rs", code),
                ("README.md", template!("rust/readme.txt")),
                (".gitignore", template!("rust/gitignore.txt")),
                (WORKFLOW, template!("rust/workflow.yml.txt")),
            ],
            Language::Javascript => made_by(template!("javascript/build.sh.txt"), "filter.js"),
            Language::Python => {
                let mut files = made_by(template!("python/build.sh.txt"), "filter.py");
                files.push(("cases/first.toml", template!("python/case.toml.txt")));
                files
            }
        }
    }

    fn fill(self, text: &str, name: &str) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let world = match self.kind {
            Kind::Filter => "filter",
            Kind::Enrich => "enrich",
        };
        let wasi = match self.language {
            Language::Python => "\nwasi = \"stub\"  # What Python asks for is there as stubs only.",
            Language::Rust | Language::Javascript => "",
        };
        [
            ("{name}", name),
            ("{does}", self.does()),
            ("{world}", world),
            ("{wasi}", wasi),
            ("{version}", version),
            ("{sdk}", version),
        ]
        .into_iter()
        .fold(text.to_owned(), |text, (place, value)| text.replace(place, value))
    }

    /// What to type next.
    pub(super) fn next(self, name: &str) -> String {
        let unit_tests = match self.language {
            Language::Rust => "  cargo test           # the unit tests in src/lib.rs\n",
            Language::Javascript | Language::Python => "",
        };
        format!(
            "  cd {name}\n{unit_tests}  \
             weir filter test     # builds it, and runs cases/ through it\n  \
             weir run --config pipeline.toml   # runs it in a pipeline"
        )
    }
}
