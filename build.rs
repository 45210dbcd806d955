//! Lists the SDK's files, which the binary carries: `weir filter new` writes them where a filter is
//! begun, so that nothing of weir's repository is needed for that.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What is carried, and where it lies in a filter's `.weir`. `sdk/tests` hold the SDK itself to
/// weir's rules, and need the rest of the repository.
const CARRIED: [(&str, &str); 5] = [
    ("filters/Cargo.toml", "Cargo.toml"),
    ("filters/sdk/Cargo.toml", "sdk/Cargo.toml"),
    ("filters/sdk/README.md", "sdk/README.md"),
    ("filters/sdk/src", "sdk/src"),
    ("wit", "sdk/wit"),
];

fn main() -> io::Result<()> {
    let of_cargo = |name: &str| env::var_os(name).map(PathBuf::from).unwrap_or_default();
    let (root, out) = (of_cargo("CARGO_MANIFEST_DIR"), of_cargo("OUT_DIR"));
    let mut list = String::from("&[\n");
    for (from, to) in CARRIED {
        println!("cargo::rerun-if-changed={from}");
        if root.join(from).exists() {
            add(&root.join(from), to, &mut list)?;
        }
    }
    list.push(']');
    fs::write(out.join("sdk.rs"), list)
}

/// Adds a file, or all files of a folder.
fn add(from: &Path, to: &str, list: &mut String) -> io::Result<()> {
    if !from.is_dir() {
        // Writing to a String cannot fail.
        let _ = writeln!(list, "({to:?}, include_str!({from:?})),");
        return Ok(());
    }
    let mut entries = from.read_dir()?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        add(&entry.path(), &format!("{to}/{}", name.to_string_lossy()), list)?;
    }
    Ok(())
}
