//! Who may know what (docs/architecture.md#who-may-know-what), held to by reading every path in
//! src.
//!
//! Dependencies point one way: main -> cli -> {config, pipeline}; pipeline -> the four parts; the
//! four parts -> what they share, and nothing of each other. Tests may know more: they are not
//! read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the four parts share.
const SHARED: [&str; 18] = [
    "event",
    "ledger",
    "handoff",
    "position",
    "process",
    "dead_letter",
    "metrics",
    "health",
    "secret",
    "shutdown",
    "lines",
    "folders",
    "words",
    "log_limit",
    "backoff",
    "blocking",
    "reload",
    "text",
];

/// Each module of src, and which others it may name. A module that is not here yet is added by who
/// makes it.
fn allowed() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let shared_and = |more: &[&'static str]| SHARED.iter().chain(more).copied().collect();
    let only = |modules: &[&'static str]| modules.iter().copied().collect();
    BTreeMap::from([
        ("main", only(&["Cli"])),
        (
            "cli",
            shared_and(&[
                "cases",
                "config",
                "pipeline",
                "telemetry",
                "source",
                "stages",
                "buffer",
                "sink",
                "kube",
                "lookup",
                "registry",
                "tls",
                "panics",
                "files",
                "admin",
            ]),
        ),
        (
            "pipeline",
            shared_and(&[
                "admin", "config", "source", "stages", "lookup", "registry", "buffer", "sink",
                "kube", "panics", "files",
            ]),
        ),
        ("cases", shared_and(&["config", "source", "stages", "lookup", "registry", "files"])),
        // Settings types are the parts' own.
        (
            "config",
            only(&[
                "source",
                "stages",
                "lookup",
                "registry",
                "buffer",
                "sink",
                "dead_letter",
                "secret",
                "kube",
                "words",
                "text",
                "opensearch",
                "files",
                "form",
            ]),
        ),
        // The four parts.
        ("source", shared_and(&["kube", "answers", "form"])),
        // What names a module in a registry, and its bytes: who pulls them is the pipeline.
        ("stages", shared_and(&["files", "lookup", "panics", "registry"])),
        ("buffer", shared_and(&[])),
        ("sink", shared_and(&["opensearch", "files"])),
        // What stages know beside the event.
        ("lookup", only(&["kube", "metrics", "log_limit", "text"])),
        // Clients that more than one part needs.
        (
            "kube",
            only(&[
                "answers", "secret", "tls", "health", "metrics", "process", "proxy", "files",
                "blocking", "folders", "reload", "text",
            ]),
        ),
        (
            "opensearch",
            only(&[
                "answers", "secret", "text", "tls", "backoff", "blocking", "files", "proxy",
                "words", "reload",
            ]),
        ),
        ("registry", only(&["answers", "blocking", "files", "folders", "proxy", "text", "tls"])),
        ("tls", only(&["files"])),
        ("proxy", only(&[])),
        // What parts share knows no part.
        ("event", only(&[])),
        ("handoff", only(&["event", "ledger", "position"])),
        ("position", only(&["ledger", "folders"])),
        ("process", only(&["handoff", "health", "ledger", "metrics", "position", "shutdown"])),
        (
            "dead_letter",
            only(&[
                "event",
                "ledger",
                "lines",
                "folders",
                "health",
                "shutdown",
                "opensearch",
                "text",
            ]),
        ),
        ("metrics", only(&["ledger"])),
        ("ledger", only(&[])),
        ("health", only(&["text"])),
        ("secret", only(&["files"])),
        ("files", only(&["form"])),
        ("form", only(&[])),
        ("shutdown", only(&["reload"])),
        ("reload", only(&[])),
        ("panics", only(&["text"])),
        ("lines", only(&[])),
        ("folders", only(&["text", "files"])),
        ("text", only(&[])),
        ("words", only(&[])),
        ("answers", only(&["text"])),
        ("log_limit", only(&[])),
        ("backoff", only(&[])),
        ("blocking", only(&[])),
        // What shows it.
        ("admin", only(&["answers", "health", "metrics", "text", "tls"])),
        ("telemetry", only(&["log_limit", "text"])),
    ])
}

/// Crates that only some modules may name.
const FENCED: [(&str, &[&str]); 16] = [
    ("toml", &["config"]),
    ("strsim", &["config"]),
    ("wasmtime", &["stages"]),
    ("wit_component", &["cli"]),
    ("wasmparser", &["cli"]),
    ("kube", &["kube", "source"]),
    ("k8s_openapi", &["kube", "source"]),
    ("reqwest", &["opensearch", "registry", "admin"]),
    ("tar", &["registry"]),
    ("aws_config", &["opensearch"]),
    ("aws_sigv4", &["opensearch"]),
    ("aws_credential_types", &["opensearch"]),
    ("aws_smithy_runtime_api", &["opensearch"]),
    ("axum", &["admin"]),
    ("indicatif", &["telemetry", "cli"]),
    ("clap", &["main", "cli", "telemetry"]),
];

/// A path that a file names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Named {
    /// `crate::NAME`
    Module(String),
    /// `NAME::`, or `use NAME`, of another crate (or of a name in scope).
    Crate(String),
}

#[test]
fn dependencies_point_one_way() {
    let allowed = allowed();
    let mut wrong = BTreeSet::new();
    for file in rust_files(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let module = top_module(&file);
        if ["lib", "internals"].contains(&module.as_str()) {
            continue; // They declare them all, and name what tests and benches use of them.
        }
        let Some(may_name) = allowed.get(module.as_str()) else {
            wrong.insert(format!(
                "{module}: a new module: say in tests/suite/imports.rs which others it may name"
            ));
            continue;
        };
        for named in paths(&std::fs::read_to_string(&file).unwrap(), depth(&file)) {
            let is_wrong = match &named {
                Named::Module(name) => *name != module && !may_name.contains(name.as_str()),
                Named::Crate(name) => FENCED
                    .iter()
                    .any(|(fenced, who)| fenced == name && !who.contains(&module.as_str())),
            };
            if is_wrong {
                wrong.insert(format!("{} names {named:?}", relative(&file).display()));
            }
        }
    }
    assert!(wrong.is_empty(), "docs/architecture.md#who-may-know-what:\n{wrong:#?}");
}

fn rust_files(folder: PathBuf) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            // These names are of what is compiled for tests only.
            match path.file_stem().and_then(|stem| stem.to_str()) {
                Some("tests" | "testing" | "scenarios" | "simulated" | "simulator") => {}
                Some(stem) if stem.ends_with("_test") => {}
                _ if path.is_dir() => folders.push(path),
                _ if path.extension().is_some_and(|extension| extension == "rs") => {
                    files.push(path)
                }
                _ => {}
            }
        }
    }
    files
}

fn relative(file: &Path) -> &Path {
    file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap()
}

/// `src/sink/file.rs` -> `sink`
fn top_module(file: &Path) -> String {
    let first = relative(file).iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// How many `super::` it takes from a file to the crate's root.
fn depth(file: &Path) -> usize {
    let names = relative(file).iter().count();
    if file.ends_with("mod.rs") { names - 1 } else { names }
}

/// Every path that the text names, without comments, strings and the tests at its end.
fn paths(text: &str, depth: usize) -> BTreeSet<Named> {
    let code = code_of(text);
    let tokens = tokens(&code);
    let mut found = BTreeSet::new();
    let mut in_use = false;
    for (index, token) in tokens.iter().enumerate() {
        let behind = &tokens[index..];
        let before = |back: usize| index.checked_sub(back).map_or("", |at| tokens[at]);
        let is_root = before(1) != "::" || !is_name(before(2)) || before(2) == "use";
        let begins_use = before(1) == "use" || (before(1) == "::" && before(2) == "use");
        let supers = behind.chunks(2).take_while(|pair| **pair == ["super", "::"]).count();
        match *token {
            "use" => in_use = true,
            ";" => in_use = false,
            "crate" | "weir" if is_root && behind.get(1) == Some(&"::") => {
                found.extend(heads(&behind[2..]).map(Named::Module));
            }
            "super" if is_root && supers >= depth => {
                found.extend(heads(&behind[2 * supers..]).map(Named::Module));
            }
            name if is_root
                && is_name(name)
                && name != "super"
                && (begins_use || (!in_use && behind.get(1) == Some(&"::"))) =>
            {
                found.insert(Named::Crate(name.to_owned()));
            }
            _ => {}
        }
    }
    // `use crate::kube;` brings the name into scope: `kube::…` is then the module.
    let modules: BTreeSet<Named> = found
        .iter()
        .filter_map(|n| if let Named::Module(m) = n { Some(Named::Crate(m.clone())) } else { None })
        .collect();
    &found - &modules
}

/// The first names of what stands behind a `crate::`: one, or those of a group.
fn heads<'t>(tokens: &'t [&'t str]) -> impl Iterator<Item = String> + 't {
    let is_group = tokens.first() == Some(&"{");
    let mut open = 0;
    let mut at_head = true;
    let mut done = false;
    tokens.iter().filter_map(move |token| {
        if done {
            return None;
        }
        match *token {
            "{" => open += 1,
            "}" => {
                open -= 1;
                done = open <= 0;
            }
            "," if open == 1 => at_head = true,
            name if at_head && is_name(name) => {
                at_head = false;
                done = !is_group;
                return Some(name.to_owned());
            }
            _ => {}
        }
        None
    })
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and single other characters.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_name(rest) {
            rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, behind) = rest.split_at(length);
        tokens.push(token);
        rest = behind.trim_start();
    }
    tokens
}

/// The text without comments, strings, and the tests at its end.
fn code_of(text: &str) -> String {
    let mut rest = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    let mut code = String::new();
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '"' => 1 + string_length(&rest[1..]),
            'r' if rest.starts_with("r\"") || rest.starts_with("r#\"") => raw_string_length(rest),
            '\'' if rest.starts_with("'\"'") => 3,
            '\'' if rest.starts_with("'\\\"'") => 4,
            _ => 0,
        };
        if skipped == 0 {
            code.push(c);
        }
        rest = &rest[skipped.max(c.len_utf8())..];
    }
    code
}

/// Bytes up to the quote that ends a string, and it.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !is_escaped => return at + 1,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

fn raw_string_length(text: &str) -> usize {
    let end = if text.starts_with("r#") { "\"#" } else { "\"" };
    text[3..].find(end).map_or(text.len(), |at| 3 + at + end.len())
}

mod scanner {
    use super::*;

    fn names(text: &str, depth: usize) -> Vec<Named> {
        paths(text, depth).into_iter().collect()
    }

    fn module(name: &str) -> Named {
        Named::Module(name.into())
    }

    #[test]
    fn it_sees_uses_groups_and_plain_paths() {
        let text = "use crate::sink::Settings;\nuse crate::{buffer, source::{self, File}};\nfn f(x: crate::event::Head) {}\npub(crate) fn g() {}";
        let expected = ["buffer", "event", "sink", "source"].map(module);
        assert_eq!(names(text, 1), expected);
    }

    #[test]
    fn it_sees_paths_that_climb_to_the_root() {
        assert_eq!(names("use super::super::sink::X;", 2), [module("sink")]);
        assert_eq!(names("use super::{sink, source};", 1), [module("sink"), module("source")]);
        assert_eq!(names("use super::file::X;", 2), []);
    }

    #[test]
    fn it_sees_crates_and_tells_them_from_modules() {
        assert_eq!(
            names("use kube::Client;\nlet x = toml::de::parse();", 1),
            [Named::Crate("kube".into()), Named::Crate("toml".into())]
        );
        assert_eq!(
            names("use ::reqwest;\nuse wasmtime as w;", 1),
            [Named::Crate("reqwest".into()), Named::Crate("wasmtime".into())]
        );
        assert_eq!(names("use crate::kube::client;", 1), [module("kube")]);
    }

    #[test]
    fn it_reads_no_comments_strings_or_tests() {
        let text = "//! [`crate::sink`]\nlet x = \"crate::sink \\\" \n crate::sink\"; // crate::sink\nlet y = (r#\" \" crate::sink\"#, '\"', '\\\"', \"x::y\");\n#[cfg(test)]\nmod tests {\nuse crate::sink;\n}";
        assert_eq!(names(text, 1), []);
    }
}
