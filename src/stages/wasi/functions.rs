//! The functions of WASI: the few that do something, and the rule for all others.
//!
//! Where a function here has another type than the component imports it with, linking says so.

use wasmtime::component::{LinkerInstance, Resource, ResourceType, Type, Val, WasmList};
use wasmtime::{Error, StoreContextMut};

use self::bindings::{Datetime, StreamError};
use super::stub::{Output, SEED};
use crate::stages::current::Current;
use crate::stages::limits::HANDLES_MAX;

/// Bytes that one call may write to a stream: what `check-write` answers, and the most that
/// `blocking-write-and-flush` takes (<https://github.com/WebAssembly/wasi-io/blob/v0.2.0/wit/streams.wit>).
const WRITE_BYTES_MAX: usize = 4096;
/// Random bytes that one call may ask for.
const RANDOM_BYTES_MAX: u64 = 4096;

/// Resources that a guest may hold. There is never more behind one than its number.
struct InputStream;
struct OutputStream;
struct Pollable;
struct IoError;
/// All others: descriptors, sockets, terminals and the like. But for the network, none is ever
/// handed out.
struct Nothing;

/// The types of WASI that functions here answer.
#[allow(unsafe_code)] // In what the derives generate.
mod bindings {
    use wasmtime::component::{ComponentType, Lower, Resource};

    #[derive(Clone, Copy, ComponentType, Lower)]
    #[component(record)]
    pub(super) struct Datetime {
        pub(super) seconds: u64,
        pub(super) nanoseconds: u32,
    }

    #[derive(ComponentType, Lower)]
    #[component(variant)]
    #[allow(dead_code)] // Writing to the log never fails, but its type says that it could.
    pub(super) enum StreamError {
        #[component(name = "last-operation-failed")]
        LastOperationFailed(Resource<super::IoError>),
        #[component(name = "closed")]
        Closed,
    }
}

type Store<'a> = StoreContextMut<'a, Current>;
type Written = wasmtime::Result<(Result<(), StreamError>,)>;

/// The type of the resource with this name.
pub(super) fn resource(name: &str) -> ResourceType {
    match name {
        "input-stream" => ResourceType::host::<InputStream>(),
        "output-stream" => ResourceType::host::<OutputStream>(),
        "pollable" => ResourceType::host::<Pollable>(),
        "error" => ResourceType::host::<IoError>(),
        _ => ResourceType::host::<Nothing>(),
    }
}

/// Defines the function `name` of `interface` (`cli/stdout`).
pub(super) fn define(
    instance: &mut LinkerInstance<'_, Current>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<()> {
    match interface {
        "cli/stdin" | "cli/stdout" | "cli/stderr" | "io/streams" => {
            define_stream(instance, interface, name)
        }
        "io/poll" => define_poll(instance, interface, name),
        "clocks/monotonic-clock" | "clocks/wall-clock" => define_clock(instance, interface, name),
        "random/random" | "random/insecure" | "random/insecure-seed" => {
            define_random(instance, interface, name)
        }
        "sockets/instance-network" if name == "instance-network" => {
            instance.func_wrap(name, |_, ()| Ok((Resource::<Nothing>::new_own(0),)))
        }
        _ => define_other(instance, interface, name),
    }
}

fn define_stream(
    instance: &mut LinkerInstance<'_, Current>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<()> {
    let output = |output: Output| {
        move |_: Store<'_>, ()| Ok((Resource::<OutputStream>::new_own(output as u32),))
    };
    match name {
        "get-stdin" => instance.func_wrap(name, |_, ()| Ok((Resource::<InputStream>::new_own(0),))),
        "get-stdout" => instance.func_wrap(name, output(Output::Stdout)),
        "get-stderr" => instance.func_wrap(name, output(Output::Stderr)),
        "[method]output-stream.check-write" => {
            instance.func_wrap(name, |_, (_,): (Resource<OutputStream>,)| {
                Ok((Ok::<u64, StreamError>(WRITE_BYTES_MAX as u64),))
            })
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            instance.func_wrap(name, write)
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => instance
            .func_wrap(name, |_, (_,): (Resource<OutputStream>,)| -> Written { Ok((Ok(()),)) }),
        "[method]output-stream.subscribe" => {
            instance.func_wrap(name, |_, (_,): (Resource<OutputStream>,)| Ok((pollable(),)))
        }
        "[method]input-stream.subscribe" => {
            instance.func_wrap(name, |_, (_,): (Resource<InputStream>,)| Ok((pollable(),)))
        }
        // Reading answers the first error without more to say: that the stream is closed.
        _ => define_other(instance, interface, name),
    }
}

/// The end of a call is the end of a line, too: [`Current::end`].
fn write(mut store: Store<'_>, (stream, bytes): (Resource<OutputStream>, WasmList<u8>)) -> Written {
    if bytes.len() > WRITE_BYTES_MAX {
        return Err(Error::msg(format!(
            "the module wrote {} bytes at once, and a stream takes {WRITE_BYTES_MAX}",
            bytes.len()
        )));
    }
    let bytes = bytes.as_le_slice(&store).to_vec();
    let output =
        if stream.rep() == Output::Stderr as u32 { Output::Stderr } else { Output::Stdout };
    let current = store.data_mut();
    if let Some(mut stub) = current.wasi.take() {
        stub.write(output, &bytes, |line| current.say(output, line));
        current.wasi = Some(stub);
    }
    Ok((Ok(()),))
}

fn pollable() -> Resource<Pollable> {
    Resource::new_own(0)
}

fn define_poll(
    instance: &mut LinkerInstance<'_, Current>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<()> {
    match name {
        "[method]pollable.ready" => {
            instance.func_wrap(name, |_, (_,): (Resource<Pollable>,)| Ok((true,)))
        }
        "[method]pollable.block" => {
            instance.func_wrap(name, |_, (_,): (Resource<Pollable>,)| Ok(()))
        }
        "poll" => instance.func_wrap(name, |_, (polled,): (WasmList<Resource<Pollable>>,)| {
            let ready = polled.len().min(HANDLES_MAX) as u32; // No guest holds more than that.
            Ok((Vec::from_iter(0..ready),))
        }),
        _ => define_other(instance, interface, name),
    }
}

fn define_clock(
    instance: &mut LinkerInstance<'_, Current>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<()> {
    const MICROS: u64 = 1_000_000;
    match (interface, name) {
        // Never 0, which Go takes for a clock that is broken.
        ("clocks/monotonic-clock", "now") => instance.func_wrap(name, |store: Store<'_>, ()| {
            Ok((store.data().now().saturating_mul(1000).max(1),))
        }),
        ("clocks/monotonic-clock", "resolution") => {
            instance.func_wrap(name, |_, ()| Ok((1000_u64,)))
        }
        ("clocks/monotonic-clock", "subscribe-instant" | "subscribe-duration") => {
            instance.func_wrap(name, |_, (_,): (u64,)| Ok((pollable(),)))
        }
        ("clocks/wall-clock", "now") => instance.func_wrap(name, |store: Store<'_>, ()| {
            let micros = store.data().now();
            let nanoseconds = (micros % MICROS) as u32 * 1000;
            Ok((Datetime { seconds: micros / MICROS, nanoseconds },))
        }),
        ("clocks/wall-clock", "resolution") => {
            instance.func_wrap(name, |_, ()| Ok((Datetime { seconds: 0, nanoseconds: 1000 },)))
        }
        _ => define_other(instance, interface, name),
    }
}

fn define_random(
    instance: &mut LinkerInstance<'_, Current>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<()> {
    fn random(mut store: Store<'_>) -> u64 {
        store.data_mut().wasi.as_mut().map_or(0, |stub| stub.random.u64(..))
    }
    match name {
        "get-random-u64" | "get-insecure-random-u64" => {
            instance.func_wrap(name, |store: Store<'_>, ()| Ok((random(store),)))
        }
        "insecure-seed" | "get-insecure-seed" => {
            instance.func_wrap(name, |_, ()| Ok(((SEED, !SEED),)))
        }
        "get-random-bytes" | "get-insecure-random-bytes" => {
            instance.func_wrap(name, |mut store: Store<'_>, (len,): (u64,)| {
                if len > RANDOM_BYTES_MAX {
                    return Err(Error::msg(format!(
                        "the module asked for {len} random bytes at once, and {RANDOM_BYTES_MAX} \
                         are the most"
                    )));
                }
                let mut bytes = vec![0; len as usize];
                if let Some(stub) = &mut store.data_mut().wasi {
                    stub.random.fill(&mut bytes);
                }
                Ok((bytes,))
            })
        }
        _ => define_other(instance, interface, name),
    }
}

/// Answers an error or nothing, whatever it is given; traps where its type has neither.
fn define_other(
    instance: &mut LinkerInstance<'_, Current>,
    interface: &str,
    name: &str,
) -> wasmtime::Result<()> {
    let called = format!(
        "the module called `{name}` of wasi:{interface}: `wasi = \"stub\"` has nothing behind it"
    );
    instance.func_new(name, move |mut store, function, params, results| {
        for param in params {
            if let Val::Resource(handle) = param {
                handle.resource_drop(&mut store)?; // The host's copy of it: the guest's goes on.
            }
        }
        for (result, kind) in results.iter_mut().zip(function.results()) {
            *result = nothing(&kind).ok_or_else(|| Error::msg(called.clone()))?;
        }
        if results.is_empty() { Err(Error::msg(called.clone())) } else { Ok(()) }
    })
}

fn nothing(kind: &Type) -> Option<Val> {
    Some(match kind {
        Type::Result(result) => match result.err() {
            Some(error) => Val::Result(Err(Some(Box::new(refusal(&error)?)))),
            None => Val::Result(Err(None)),
        },
        Type::Option(_) => Val::Option(None),
        Type::List(_) => Val::List(Vec::new()),
        Type::String => Val::String(String::new()),
        _ => return None,
    })
}

/// An error of this type: that there is no such thing, where it can say so.
fn refusal(kind: &Type) -> Option<Val> {
    const FITTING: [&str; 3] = ["unsupported", "not-supported", "closed"];
    let choose = |names: &[&str]| {
        let fitting = FITTING.iter().find(|fitting| names.contains(fitting));
        fitting.or(names.first()).map(|name| (*name).to_owned())
    };
    match kind {
        Type::Enum(kind) => choose(&Vec::from_iter(kind.names())).map(Val::Enum),
        Type::Variant(kind) => {
            let plain = kind.cases().filter(|case| case.ty.is_none()).map(|case| case.name);
            choose(&Vec::from_iter(plain)).map(|name| Val::Variant(name, None))
        }
        _ => None,
    }
}
