//! Writes `sdk/src/sys/bindings.rs`: what wit-bindgen makes of the world `all` of `wit/`.
//!
//! `cargo run -p bindings` after a change of `wit/`, or of wit-bindgen's version. The test fails
//! when that was forgotten.

use std::{error::Error, fs, path::PathBuf};

use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};
use wit_bindgen_rust::{Opts, Ownership};

fn main() -> Result<(), Box<dyn Error>> {
    let path = path();
    fs::write(&path, bindings()?)?;
    println!("wrote {}", path.display());
    Ok(())
}

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../sdk/src/sys/bindings.rs")
}

/// The bindings, as text.
fn bindings() -> Result<String, Box<dyn Error>> {
    let mut resolve = Resolve::default();
    let wit = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_path(wit)?;
    let world = resolve.select_world(&[package], Some("all"))?;
    let options = Opts {
        pub_export_macro: true,
        export_macro_name: Some("export_module".to_owned()),
        default_bindings_module: Some("weir_filter::__module::bindings".to_owned()),
        // A list of texts is taken as it is, and not made of strings first.
        ownership: Ownership::Borrowing { duplicate_if_necessary: false },
        runtime_path: Some("crate::sys::runtime".to_owned()),
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    let (_, text) = files.iter().next().ok_or("wit-bindgen made no file")?;
    let text = String::from_utf8(text.to_vec())?;
    Ok(format!(
        "// Made from wit/ by `cargo run -p bindings`; its test compares.\n{}",
        prettyplease::unparse(&syn::parse_file(&text)?)
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_checked_in_bindings_are_those_of_wit() {
        let checked_in = std::fs::read_to_string(super::path()).expect("they are checked in");
        let made = super::bindings().expect("wit/ is valid");
        let line = checked_in.lines().zip(made.lines()).position(|(a, b)| a != b);
        assert!(checked_in == made, "line {line:?} differs: `cargo run -p bindings`");
    }
}
