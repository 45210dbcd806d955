//! For tests and benches: modules written in WebAssembly text, made into components, and chunks of
//! events.

#![allow(clippy::unwrap_used)] // A test that cannot be set up fails.

use std::path::Path;

use weir::internals::event::{Chunk, Event, Parsed, parse};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{ManglingAndAbi, PackageId, Resolve};

/// A core module that keeps to `wit/`, in WebAssembly text. The defaults do nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guest<'a> {
    /// Imports.
    pub(crate) imports: &'a str,
    /// Data, globals and functions of its own. Addresses from 1024 to 4096 are free for data.
    pub(crate) items: &'a str,
    /// Of `configure`; the locals 0 and 1 are the configuration's address and length. It and
    /// `process` have a local `$i` to use.
    pub(crate) configure: &'a str,
    /// Of `process`; leaves what it answers: 0 for ok.
    pub(crate) process: &'a str,
}

impl Default for Guest<'_> {
    fn default() -> Self {
        Guest { imports: "", items: "", configure: "", process: "(i32.const 0)" }
    }
}

impl Guest<'_> {
    /// The component. Its strings come to lie at 8192 and above, from where each call starts over.
    pub(crate) fn component(&self) -> Vec<u8> {
        let (resolve, package) = contract();
        self.component_of(&resolve, package, "all")
    }

    /// The same for a world of other WIT text, which may include `weir:pipeline/both`.
    pub(crate) fn component_of_wit(&self, wit: &str, world: &str) -> Vec<u8> {
        let (mut resolve, _) = contract();
        let package = resolve.push_source("test.wit", wit).unwrap();
        self.component_of(&resolve, package, world)
    }

    fn component_of(&self, resolve: &Resolve, package: PackageId, world: &str) -> Vec<u8> {
        let Guest { imports, items, configure, process } = self;
        let text = format!(
            r#"(module
                {imports}
                (memory (export "memory") 1)
                (global $heap (mut i32) (i32.const 8192))
                (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32)
                    (param $size i32) (result i32) (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
                    (global.set $heap (i32.add (local.get $at) (local.get $size)))
                    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
                        (then (drop (memory.grow (i32.add (i32.const 1)
                            (i32.shr_u (local.get $size) (i32.const 16)))))))
                    (local.get $at))
                (func (export "weir:pipeline/stage@0.1.0#configure") (param i32 i32) (result i32)
                    (local $i i32)
                    (global.set $heap (i32.const 8192))
                    {configure}
                    (i32.const 16))
                (func (export "weir:pipeline/stage@0.1.0#process") (result i32)
                    (local $i i32)
                    (global.set $heap (i32.const 8192))
                    {process})
                {items})"#
        );
        encode(
            resolve,
            package,
            world,
            wat::parse_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}")),
        )
    }
}

/// Drops events of type Normal for the reason `normal`, as drop-normal does with empty
/// `keep_reasons`.
pub(crate) const DROP_NORMAL: Guest<'static> = Guest {
    imports: r#"
        (import "weir:pipeline/event@0.1.0" "type" (func $type (result i32)))
        (import "weir:pipeline/discard@0.1.0" "declare" (func $declare (param i32 i32 i32)))
        (import "weir:pipeline/discard@0.1.0" "discard" (func $discard (param i32)))"#,
    items: r#"(data (i32.const 1024) "normal")"#,
    configure: "(call $declare (i32.const 1024) (i32.const 6) (i32.const 32))",
    process: "(if (i32.eqz (call $type)) (then (call $discard (i32.const 0)))) (i32.const 0)",
};

/// The same, asking each Normal event for its reason, as drop-normal does with some `keep_reasons`.
pub(crate) const DROP_NORMAL_BY_REASON: Guest<'static> = Guest {
    imports: r#"
        (import "weir:pipeline/event@0.1.0" "type" (func $type (result i32)))
        (import "weir:pipeline/event@0.1.0" "reason" (func $reason (param i32)))
        (import "weir:pipeline/discard@0.1.0" "declare" (func $declare (param i32 i32 i32)))
        (import "weir:pipeline/discard@0.1.0" "discard" (func $discard (param i32)))"#,
    process: "(if (i32.eqz (call $type)) (then
        (call $reason (i32.const 48))
        (call $discard (i32.const 0))))
        (i32.const 0)",
    ..DROP_NORMAL
};

/// A component that imports every function that `wit/` has, and traps when it is called.
pub(crate) fn imports_everything() -> Vec<u8> {
    let (resolve, package) = contract();
    dummy(resolve, package, "all")
}

/// A component made from other WIT text, whose functions all trap.
pub(crate) fn of_wit(wit: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("test.wit", wit).unwrap();
    dummy(resolve, package, world)
}

fn dummy(resolve: Resolve, package: PackageId, world: &str) -> Vec<u8> {
    let world_id = resolve.select_world(&[package], Some(world)).unwrap();
    let mangling = ManglingAndAbi::Legacy(wit_parser::LiftLowerAbi::Sync);
    let core = wit_component::dummy_module(&resolve, world_id, mangling);
    encode(&resolve, package, world, core)
}

fn contract() -> (Resolve, PackageId) {
    let mut resolve = Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let (package, _) = resolve.push_path(wit).unwrap();
    (resolve, package)
}

fn encode(resolve: &Resolve, package: PackageId, world: &str, mut core: Vec<u8>) -> Vec<u8> {
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut core, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&core).unwrap().encode().unwrap()
}

/// A chunk of these events.
pub(crate) fn chunk<T: AsRef<str>>(events: impl IntoIterator<Item = T>) -> Chunk {
    let mut chunk = Chunk::default();
    for event in events {
        let start = chunk.bytes.len();
        chunk.bytes.extend_from_slice(event.as_ref().as_bytes());
        match parse(&mut chunk.bytes[start..], &mut chunk.members) {
            Parsed::Event { len, head, needs_rewrite: false } => {
                let bytes = start..start + len;
                chunk.events.push(Event { source_bytes: bytes.clone(), bytes, head });
            }
            other => panic!("not an event of core/v1: {other:?}"),
        }
    }
    chunk
}

/// An event of about 1.1 KB, as a kubelet writes it.
pub(crate) fn event(number: usize, event_type: &str, reason: &str) -> String {
    let filler = "x".repeat(450);
    format!(
        r#"{{"kind":"Event","apiVersion":"v1","metadata":{{"name":"web-{number}.17c9a8b1","namespace":"shop","uid":"0f1e2d3c-0000-4000-8000-{number:012}","resourceVersion":"{number}","creationTimestamp":"2026-01-02T03:04:05Z"}},"involvedObject":{{"kind":"Pod","namespace":"shop","name":"web-{}","uid":"9a8b7c6d-0000-4000-8000-000000000000","apiVersion":"v1","resourceVersion":"1","fieldPath":"spec.containers{{web}}"}},"reason":"{reason}","message":"Pulling image \"registry.example/web:1.2.3\" {filler}","source":{{"component":"kubelet","host":"node-1"}},"firstTimestamp":"2026-01-02T03:04:05Z","lastTimestamp":"2026-01-02T03:04:05Z","count":1,"type":"{event_type}","eventTime":null,"reportingComponent":"kubelet","reportingInstance":"node-1"}}"#,
        number % 50
    )
}
