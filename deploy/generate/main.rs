//! Makes the files of `deploy/` that are made from a source in it: `deploy/generate.sh` runs it,
//! and `tests/suite/dashboards/` holds the files against it.

mod files;
mod grafana;
mod opensearch;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    match files::all(Path::new(".")).and_then(|files| write(Path::new("."), &files)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("generate: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes them all.
fn write(root: &Path, files: &[(String, String)]) -> Result<(), String> {
    for (path, text) in files {
        let whole = root.join(path);
        if let Some(folder) = whole.parent() {
            std::fs::create_dir_all(folder).map_err(|error| format!("{path}: {error}"))?;
        }
        std::fs::write(whole, text).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(())
}
