//! `weir filter push`: a module to a registry, as an artifact that a stage names or as an image
//! that a kubelet mounts.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use super::{CarryError, RegistryArguments, ask, name, reference};
use crate::cli::filter::inspect::{bytes_of, quoted, stage};
use crate::cli::filter::powers::Powers;
use crate::cli::filter::test::stem;
use crate::registry::{Artifact, Client, Component};
use crate::text::{self, LINE_BYTES_MAX};

/// What `weir filter push` is given.
#[derive(Debug, clap::Args)]
pub(crate) struct PushArgs {
    /// The module
    file: PathBuf,
    /// Where to: REGISTRY/NAME:TAG
    #[arg(value_name = "REF")]
    reference: String,
    /// Push an image whose only file is the module, for a kubelet to mount as an image volume
    #[arg(long)]
    as_image: bool,
    #[command(flatten)]
    registry: RegistryArguments,
    /// Print one JSON object
    #[arg(long)]
    pub(in crate::cli::filter) json: bool,
}

/// What was pushed.
#[derive(Debug, Serialize)]
struct Pushed {
    /// `oci://…@sha256:…`; of an image as container engines have it.
    reference: String,
    digest: String,
    bytes: usize,
    permissions: String,
    /// What to paste: a `[[stage]]`, or values of the chart.
    stage: String,
}

/// Pushes, and answers what to say of it.
pub(in crate::cli::filter) fn push(args: &PushArgs) -> Result<String, CarryError> {
    let path = &args.file;
    let to = reference(&args.reference)?;
    if to.digest().is_some() {
        return Err(CarryError::WithDigest(to.into()));
    }
    let module = bytes_of(path).map_err(|error| CarryError::File { path: path.clone(), error })?;
    let no_module = |why| CarryError::NoModule { path: path.clone(), why };
    let powers = Powers::of(&module).map_err(no_module)?;
    let (name, bytes) = (stem(path), module.len());
    let artifact = if args.as_image {
        Artifact::image(&name, &module).map_err(|error| no_module(error.to_string()))?
    } else {
        Artifact::module(&name, module, component(&powers))
    };
    let failed = |error| CarryError::push(&to, error);
    let client = Client::new(&args.registry.settings()).map_err(failed)?;
    let pushed = ask(client.push(&to, &artifact))?.map_err(failed)?;
    let pushed = Pushed {
        digest: artifact.digest().to_string(),
        bytes,
        permissions: powers.to_string(),
        stage: match args.as_image {
            true => values(&name, &pushed.of_engines()),
            false => stage(&self::name(&to), &pushed, powers.asks_for_wasi()),
        },
        reference: if args.as_image { pushed.of_engines() } else { pushed.to_string() },
    };
    Ok(match args.json {
        true => serde_json::to_string(&pushed).unwrap_or_default(),
        false => pushed.to_string(),
    })
}

fn component(powers: &Powers) -> Component {
    Component {
        exports: vec![powers.stage()],
        imports: powers.imports().to_vec(),
        target: Some(powers.world()),
    }
}

/// The chart's values for an image.
fn values(name: &str, image: &str) -> String {
    let file = quoted(&format!("{name}.wasm"));
    format!(
        "modules:\n  pushed:\n    imageVolume:\n      reference: {}\nstages:\n  - name: {}\n    \
         from: pushed\n    module: {file}\n",
        quoted(image),
        quoted(name)
    )
}

impl fmt::Display for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |part: &str, text: &dyn fmt::Display| {
            writeln!(f, "{part:<12} {}", text::one_line(text, LINE_BYTES_MAX))
        };
        line("pushed", &self.reference)?;
        line("size", &format_args!("{} bytes", self.bytes))?;
        line("permissions", &self.permissions)?;
        write!(f, "\n{}", self.stage.trim_end())
    }
}
