//! Lists the files of the SDK and of the contract, which the binary carries: `weir filter new`
//! writes them where a filter is begun, so that nothing of weir's repository is needed for that.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What is carried, in which list, and where it lies in a filter's `.weir`.
const CARRIED: [(&str, &str, &str); 3] = [
    ("filters/Cargo.toml", "sdk.rs", "Cargo.toml"),
    ("filters/sdk", "sdk.rs", "sdk"),
    ("wit", "wit.rs", "wit"),
];
/// The SDK's own tests hold it to weir's rules, and need the rest of the repository.
const LEFT_OUT: [&str; 2] = ["tests", "target"];

fn main() -> io::Result<()> {
    let of_cargo = |name: &str| env::var_os(name).map(PathBuf::from).unwrap_or_default();
    let (root, out) = (of_cargo("CARGO_MANIFEST_DIR"), of_cargo("OUT_DIR"));
    for (_, list, _) in CARRIED {
        let mut text = String::from("&[\n");
        for (from, _, to) in CARRIED.iter().filter(|(_, of, _)| *of == list) {
            println!("cargo::rerun-if-changed={from}");
            add(&root.join(from), to, &mut text)?;
        }
        text.push(']');
        fs::write(out.join(list), text)?;
    }
    Ok(())
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
        let name = entry.file_name().to_string_lossy().into_owned();
        if !LEFT_OUT.contains(&name.as_str()) {
            add(&entry.path(), &format!("{to}/{name}"), list)?;
        }
    }
    Ok(())
}
