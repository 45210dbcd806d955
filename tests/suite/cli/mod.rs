//! The command line, through the real binary: what it prints, where, and its exit code.

mod check;
mod help;
mod position;
mod printed;
mod run;
mod usage;

use std::process::Stdio;

use crate::support::{Ended, Folder, modules, repository, until};

fn help_of(command: &[&str]) -> String {
    let ended = Folder::new().weir(&[command, &["--help"]].concat());
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    ended.stdout
}

const SMALL: &str = "name = 'small'\nsource.kind = 'stdin'\nsink.kind = 'stdout'\nworkers = 1\n";
