//! `make bench`: what an event costs, from a file through both modules to a file, on the whole
//! process.
//!
//! Makes N events of about 1.1 KB (three quarters Normal), runs the release binary over them with
//! no stage, one stage and both, and parses the same file with serde_json into borrowed fields in
//! between, so that all figures are of one machine at one time. CPU is user and system time of the
//! process and its children, from start to exit, as the kernel accounts it. Last comes a module
//! that is busy itself, with one worker and with two: how much more two cores do.
//!
//! Usage: `cargo bench --bench file -- [--events N] [--runs N] [--workers N]`

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[allow(dead_code)] // Shared with the tests, which use other parts.
#[path = "../tests/suite/support/modules.rs"]
mod modules;

use self::common::borrowed::Borrowed;
use self::common::{cpu_of_children, peak_memory, write_events};
use self::modules::Guest;

fn main() {
    let options = Options::from_args();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let input = folder.path().join("events.jsonl");
    let bytes = write_events(&input, options.events);
    println!(
        "{} events of {} B, {} MB; workers = {}; best and median of {} runs\n",
        options.events,
        bytes / options.events,
        bytes / 1_000_000,
        options.workers,
        options.runs
    );
    let chains: [(&str, &[&str]); 4] = [
        ("no stage", &[]),
        ("drop-normal", &["drop-normal"]),
        ("tag-gpu-failures", &["tag-gpu-failures"]),
        ("drop-normal, tag-gpu-failures", &["drop-normal", "tag-gpu-failures"]),
    ];
    let mut parse = Vec::new();
    let mut runs: Vec<Vec<Run>> = chains.iter().map(|_| Vec::new()).collect();
    // One run that is not counted warms the compile cache and the page cache; the cold one shows
    // what that costs.
    let cold = run(folder.path(), &input, chains[3].1, options.workers);
    for _ in 0..options.runs {
        parse.push(parse_with_serde_json(&input));
        for (chain, (_, stages)) in runs.iter_mut().zip(&chains) {
            chain.push(run(folder.path(), &input, stages, options.workers));
        }
    }
    report(&options, &chains, &mut parse, &mut runs, &cold);
    workers(&options, folder.path());
}

/// Turns of an empty loop that take a module about 20 µs: work of its own, as parsing or hashing
/// would be.
const BUSY_TURNS: usize = 80_000;
/// Events that the busy module gets: some seconds of work.
const BUSY_EVENTS: usize = 100_000;

/// The wall time of a module that is busy itself, with one worker and with two: how much more comes
/// out of two cores.
fn workers(options: &Options, folder: &Path) {
    let process = format!(
        "(loop $again (br_if $again (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const \
         1))) (i32.const {BUSY_TURNS})))) (i32.const 0)"
    );
    let module = folder.join("busy.wasm");
    let component = Guest { process: &process, ..Guest::default() }.component();
    fs::write(&module, component).expect("the module can be written");
    let module = module.to_str().expect("temporary folders have names of text");
    let input = folder.join("busy.jsonl");
    write_events(&input, BUSY_EVENTS);
    run(folder, &input, &[module], 1);
    let mut walls = [Duration::MAX; 2];
    let mut cpus = [Duration::MAX; 2];
    for _ in 0..options.runs {
        for (workers, (wall, cpu)) in (1..).zip(walls.iter_mut().zip(&mut cpus)) {
            let run = run(folder, &input, &[module], workers);
            (*wall, *cpu) = ((*wall).min(run.wall), (*cpu).min(run.cpu));
        }
    }
    let of = |d: Duration| d.as_secs_f64() * 1e6 / BUSY_EVENTS as f64;
    println!(
        "\na module that is busy itself, µs an event, best: workers = 1: wall {:.1}, CPU {:.1}; \
         workers = 2: wall {:.1}, CPU {:.1}; {:.2} times as fast on {} cores",
        of(walls[0]),
        of(cpus[0]),
        of(walls[1]),
        of(cpus[1]),
        walls[0].as_secs_f64() / walls[1].as_secs_f64(),
        std::thread::available_parallelism().map_or(0, usize::from)
    );
}

struct Options {
    events: usize,
    runs: usize,
    workers: usize,
}

impl Options {
    fn from_args() -> Options {
        let mut options = Options { events: 300_000, runs: 5, workers: 1 };
        let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
        for pair in args.chunks(2) {
            let value =
                pair.get(1).and_then(|v| v.parse().ok()).expect("each option takes a number");
            match pair[0].as_str() {
                "--events" => options.events = value,
                "--runs" => options.runs = value,
                "--workers" => options.workers = value,
                other => {
                    panic!("unknown option {other}: --events N, --runs N and --workers N are known")
                }
            }
        }
        options
    }
}

/// Figures of one run of the binary.
struct Run {
    cpu: Duration,
    wall: Duration,
    peak_memory_kib: u64,
}

fn run(folder: &Path, input: &Path, stages: &[&str], workers: usize) -> Run {
    let output = folder.join("out.ndjson");
    let _ = fs::remove_file(&output);
    let config = folder.join("pipeline.toml");
    fs::write(&config, configuration(input, &output, stages, workers))
        .expect("the configuration can be written");
    let children_before = cpu_of_children();
    let begin = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_weir"))
        .args(["run", "--config"])
        .arg(&config)
        .env("XDG_CACHE_HOME", folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("weir can be started");
    let mut peak_memory_kib = 0;
    let status = loop {
        // The peak only grows, so the last reading before the end is the peak.
        peak_memory_kib = peak_memory(child.id()).unwrap_or(peak_memory_kib).max(peak_memory_kib);
        if let Some(status) = child.try_wait().expect("weir can be waited for") {
            break status;
        }
        std::thread::park_timeout(Duration::from_millis(2));
    };
    assert!(status.success(), "weir failed: run it by hand with a configuration like\n{}", {
        fs::read_to_string(&config).unwrap_or_default()
    });
    Run { cpu: cpu_of_children() - children_before, wall: begin.elapsed(), peak_memory_kib }
}

fn configuration(input: &Path, output: &Path, stages: &[&str], workers: usize) -> String {
    let modules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("filters/dist");
    let mut text = format!(
        "name = \"bench\"\nworkers = {workers}\n[source]\nkind = \"file\"\npath = {input:?}\n\
         [sink]\nkind = \"file\"\npath = {output:?}\n"
    );
    for (number, stage) in stages.iter().enumerate() {
        // A whole path stays what it is.
        let module = modules.join(stage).with_extension("wasm");
        let _ = write!(text, "[[stage]]\nname = \"stage-{number}\"\nmodule = {module:?}\n");
    }
    text
}

/// CPU time of reading the file and parsing each line into borrowed fields: what a program pays
/// that uses serde_json well.
fn parse_with_serde_json(input: &Path) -> Duration {
    let begin = thread_cpu();
    let text = fs::read(input).expect("the events can be read");
    let mut warnings = 0;
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let event: Borrowed<'_> = serde_json::from_slice(line).expect("the events are JSON");
        warnings += usize::from(event.event_type == "Warning" && !event.message.is_empty());
        std::hint::black_box(&event);
    }
    assert!(warnings > 0);
    thread_cpu() - begin
}

fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn report(
    options: &Options,
    chains: &[(&str, &[&str])],
    parse: &mut [Duration],
    runs: &mut [Vec<Run>],
    cold: &Run,
) {
    parse.sort();
    let per_event = |d: Duration| d.as_secs_f64() * 1e6 / options.events as f64;
    let parse = (per_event(parse[0]), per_event(parse[parse.len() / 2]));
    println!(
        "{:<42}{:>12}{:>12}{:>12}{:>10}",
        "µs an event", "CPU best", "CPU median", "wall median", "peak MiB"
    );
    println!("{:<42}{:>12.2}{:>12.2}", "serde_json, borrowed fields, alone", parse.0, parse.1);
    let mut medians = Vec::new();
    for ((name, _), runs) in chains.iter().zip(runs) {
        let peak = runs.iter().map(|run| run.peak_memory_kib).max().unwrap_or(0) as f64 / 1024.0;
        runs.sort_by_key(|run| run.wall);
        let wall = per_event(runs[runs.len() / 2].wall);
        runs.sort_by_key(|run| run.cpu);
        let (best, median) = (per_event(runs[0].cpu), per_event(runs[runs.len() / 2].cpu));
        println!("weir, {name:<36}{best:>12.2}{median:>12.2}{wall:>12.2}{peak:>10.1}");
        medians.push(median);
    }
    let cold_peak = cold.peak_memory_kib as f64 / 1024.0;
    println!(
        "weir, the same, compile cache cold: peak {cold_peak:.1} MiB, wall {:.2} s",
        cold.wall.as_secs_f64()
    );
    println!("\nboth stages / serde_json alone: {:.2}", medians[3] / parse.1);
    println!(
        "drop-normal on every event costs {:.2} µs less what it saves in writing; tag-gpu-failures \
         on every event {:.2} µs",
        medians[1] - medians[0],
        medians[2] - medians[0]
    );
    println!("the cost of each part alone: cargo bench --bench event --bench stages");
}
