//! `weir filter inspect oci://…`: what a module in a registry is and may do, from its configuration
//! there: the module itself is not pulled.

use std::fmt;

use serde::Serialize;

use super::{CarryError, RegistryArguments, ask, name, reference};
use crate::cli::filter::inspect::stage;
use crate::cli::filter::powers::{IMPORTS_SHOWN_MAX, Powers};
use crate::registry;
use crate::text::{self, LINE_BYTES_MAX};

/// What a registry says of a module.
#[derive(Debug, Serialize)]
struct Inspected {
    name: String,
    /// With the digest by which a stage names it.
    reference: String,
    bytes: u64,
    /// Of the component.
    sha256: String,
    #[serde(flatten)]
    said: Said,
    stage: String,
}

/// What its configuration says.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Said {
    Powers {
        world: String,
        imports: Vec<String>,
        permissions: String,
    },
    /// Not what it imports, or that it is no stage.
    Unknown {
        unknown: String,
    },
}

/// Asks, and answers what to say of it.
pub(in crate::cli::filter) fn inspect(
    text: &str,
    registry: &RegistryArguments,
    is_json: bool,
) -> Result<String, CarryError> {
    let of = reference(text)?;
    let about = ask(registry::about(&registry.settings(), &of))?;
    let about = about.map_err(|error| CarryError::ask(&of, error))?;
    let powers =
        about.component.map(|component| Powers::told(&component.exports, component.imports));
    let asks_for_wasi = matches!(&powers, Some(Ok(powers)) if powers.asks_for_wasi());
    let inspected = Inspected {
        name: name(&of),
        stage: stage(&name(&of), &about.reference, asks_for_wasi),
        reference: about.reference.to_string(),
        bytes: about.bytes,
        sha256: about.module.hex().to_owned(),
        said: match powers {
            Some(Ok(powers)) => Said::Powers {
                world: powers.world(),
                imports: powers.imports().to_vec(),
                permissions: powers.to_string(),
            },
            Some(Err(unknown)) => Said::Unknown { unknown },
            None => Said::Unknown {
                unknown: format!(
                    "its configuration there does not say: `weir filter pull {of} --out FILE` and \
                     `weir filter inspect FILE` do"
                ),
            },
        },
    };
    Ok(match is_json {
        true => serde_json::to_string(&inspected).unwrap_or_default(),
        false => inspected.to_string(),
    })
}

impl fmt::Display for Inspected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |part: &str, text: &dyn fmt::Display| {
            writeln!(f, "{part:<12} {}", text::one_line(text, LINE_BYTES_MAX))
        };
        line("module", &self.reference)?;
        line("size", &format_args!("{} bytes", self.bytes))?;
        line("digest", &format_args!("sha256:{}", self.sha256))?;
        match &self.said {
            Said::Powers { world, imports, permissions } => {
                line("world", world)?;
                line("permissions", permissions)?;
                line("imports", &text::first(imports, IMPORTS_SHOWN_MAX))?;
            }
            Said::Unknown { unknown } => line("permissions", unknown)?,
        }
        write!(f, "\n{}", self.stage.trim_end())
    }
}
