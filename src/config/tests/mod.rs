//! Every diagnostic as people see it, and that `config/pipeline.toml` tells the truth.

mod diagnostics;
mod durable;
mod example;
mod settings;

use super::*;
use crate::{buffer, dead_letter, sink, source};

fn parse_toml(text: &str) -> Result<Settings, String> {
    let environment = Environment { cache: "/home/me/.cache/weir/modules".into() };
    match parse(Path::new("etc/pipeline.toml"), text, &environment) {
        Ok(config) => Ok(config.settings),
        Err(diagnostics) => Err(diagnostics.to_string()),
    }
}

/// All diagnostics of a text that has some.
fn diagnostics(text: &str) -> String {
    parse_toml(text).expect_err("the text is wrong")
}

/// A valid configuration, to which lines are added.
fn valid(lines: &str) -> String {
    format!("name = \"p\"\nsource.kind = \"stdin\"\nsink.kind = \"stdout\"\n{lines}")
}

fn problems_with(lines: &str) -> String {
    diagnostics(&valid(lines))
}
