//! weir: reads its arguments, does what they ask, and turns how that ended into an exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use weir::Cli;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout, mistakes to stderr; when neither can be written there
            // is nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS };
        }
    };
    match cli.run() {
        Ok(code) => code,
        Err(error) => {
            // Without a stderr there is nobody to tell.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
