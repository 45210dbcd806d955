//! Compiling a module in a short-lived child of the same binary.
//!
//! Cranelift's memory does not stay in the daemon that way, and a module made to hurt the compiler
//! hurts only the child: it limits its own address space and CPU time, as its parent tells it to,
//! and the parent limits its wall time. It ends with its parent. The module goes in on stdin and
//! the compiled one comes out on stdout, so that what was hashed is what was compiled.

use std::io::{self, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::{
    Resource, Rlimit, Signal, getppid, set_parent_process_death_signal, setrlimit,
};
use tokio_util::sync::CancellationToken;
use wasmtime::Engine;

use super::engine::engine;
use crate::text::{self, REASON_BYTES_MAX};

/// The hidden subcommand that the child runs. Its arguments are `memory_bytes` and `cpu_seconds` of
/// [`CompileLimits`], and the number of the process that it is the child of.
pub const COMPILE_COMMAND: &str = "__compile-module";
/// How soon a child is ended when the run is to end: far below what people notice.
const STOP_INTERVAL: Duration = Duration::from_millis(50);
/// What is shown of the child's error.
const CHILD_ERROR_BYTES: u64 = 8 << 10;

/// What compiling one module may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// Address space.
    pub memory_bytes: u64,
    /// CPU time.
    pub cpu_seconds: u64,
    /// Wall time: for a child that is stopped, or gets no CPU time to use up.
    pub wall: Duration,
}

impl Default for CompileLimits {
    /// Far beyond what a module of 64 MiB takes that was not made to take long.
    fn default() -> CompileLimits {
        CompileLimits { memory_bytes: 4 << 30, cpu_seconds: 120, wall: Duration::from_secs(300) }
    }
}

/// Who compiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// A child, which answers [`COMPILE_COMMAND`] by [`compile_as_child`].
    Child {
        /// The binary, which must be weir; absent: the one that is running.
        weir: Option<PathBuf>,
        /// What it may take.
        limits: CompileLimits,
    },
    /// This process: for tests and benchmarks, whose binary is not weir.
    InProcess,
}

impl Compiler {
    /// A child of the running binary, with the ordinary limits.
    pub(crate) fn child() -> Compiler {
        Compiler::Child { weir: None, limits: CompileLimits::default() }
    }
}

/// Why a module was not compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// wasmtime refused it.
    #[error("it is not a valid component: {0}")]
    Invalid(String),
    /// The child could not be run.
    #[error("cannot run weir's own binary to compile it: {0}")]
    Spawn(io::Error),
    /// The child reached the end of its address space.
    #[error(
        "compiling it takes more than {} MiB of memory, which is the limit: make it smaller",
        .0 >> 20
    )]
    Memory(u64),
    /// The child used its CPU time.
    #[error("compiling it takes more than {0} s of CPU time, which is the limit: make it smaller")]
    CpuTime(u64),
    /// The child did not end in time.
    #[error(
        "compiling it took more than {0:?}: the machine is overloaded, or its CPU limit too low"
    )]
    WallTime(Duration),
    /// The run is to end.
    #[error("stopped")]
    Stopped,
    /// The child crashed, or was killed.
    #[error("compiling it ended early ({status}): {stderr}")]
    Died {
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        stderr: String,
    },
    /// The compiled module could not be written or read.
    #[error("cannot move the compiled module: {0}")]
    Io(#[from] io::Error),
    /// The compiled module cannot be made executable.
    #[error(
        "cannot run what it was compiled to: {0}: does this system let weir have executable memory \
         (SELinux's execmem, systemd's MemoryDenyWriteExecute)?"
    )]
    Run(String),
}

/// Exit code of a child that found the module invalid; the reason is on its stderr.
const INVALID: u8 = 3;

/// Begins the line in which Rust's standard library says that there is no more memory, before it
/// aborts.
const NO_MEMORY: &str = "memory allocation of ";

/// Compiles `module` and writes the result to `out`.
pub(super) fn compile(
    compiler: &Compiler,
    engine: &Engine,
    module: &[u8],
    out: &mut (impl Write + Send),
    stop: &CancellationToken,
) -> Result<(), CompileError> {
    match compiler {
        Compiler::InProcess => compile_here(engine, module, out),
        Compiler::Child { weir, limits } => {
            let weir = match weir.clone().map_or_else(std::env::current_exe, Ok) {
                Ok(weir) => weir,
                Err(error) => {
                    tracing::warn!(
                        %error,
                        "weir cannot find its own binary (is /proc not there?): modules are \
                         compiled in this process, whose memory they take, without a limit"
                    );
                    return compile_here(engine, module, out);
                }
            };
            let spawned = {
                let mut command = Command::new(weir);
                command.arg(COMPILE_COMMAND);
                command
                    .args([limits.memory_bytes, limits.cpu_seconds].map(|limit| limit.to_string()))
                    .arg(std::process::id().to_string());
                // Ctrl-C is for the parent, which then ends it.
                command.process_group(0);
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
            };
            run_child(spawned.map_err(CompileError::Spawn)?, limits, module, out, stop)
        }
    }
}

fn compile_here(engine: &Engine, module: &[u8], out: &mut impl Write) -> Result<(), CompileError> {
    let compiled = engine.precompile_component(module);
    let compiled = compiled.map_err(|error| CompileError::Invalid(causes(&error)))?;
    Ok(out.write_all(&compiled)?)
}

fn run_child(
    mut child: Child,
    limits: &CompileLimits,
    module: &[u8],
    out: &mut (impl Write + Send),
    stop: &CancellationToken,
) -> Result<(), CompileError> {
    // All three were asked for as pipes.
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (done, is_done) = sync_channel(1);
    std::thread::scope(|scope| {
        let moved = scope.spawn(move || {
            let moved = move_through(stdin, stdout, module, out);
            let stderr = read_error(stderr);
            // The receiver is gone only after it has killed the child.
            let _ = done.send(());
            (moved, stderr)
        });
        let wait = wait(&is_done, limits.wall, stop);
        if wait != Wait::Done {
            child.kill()?;
        }
        let status = child.wait()?;
        let (moved, stderr) =
            moved.join().map_err(|_| io::Error::other("the thread that moves it panicked"))?;
        match wait {
            Wait::Stopped => return Err(CompileError::Stopped),
            Wait::Late if !status.success() => return Err(CompileError::WallTime(limits.wall)),
            Wait::Late | Wait::Done => {}
        }
        judge(status, stderr, limits)?;
        Ok(moved?)
    })
}

/// How waiting for a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    Done,
    Late,
    Stopped,
}

fn wait(is_done: &Receiver<()>, wall: Duration, stop: &CancellationToken) -> Wait {
    let begin = Instant::now();
    loop {
        let left = wall.saturating_sub(begin.elapsed());
        // The sender is gone only when it is done.
        if is_done.recv_timeout(left.min(STOP_INTERVAL)) != Err(RecvTimeoutError::Timeout) {
            return Wait::Done;
        }
        if stop.is_cancelled() {
            return Wait::Stopped;
        }
        if left.is_zero() {
            return Wait::Late;
        }
    }
}

fn move_through(
    stdin: Option<impl Write>,
    stdout: Option<impl Read>,
    module: &[u8],
    out: &mut impl Write,
) -> io::Result<()> {
    if let Some(mut stdin) = stdin {
        // The child reads all of it before it writes anything. One that died is judged by its
        // status.
        let _ = stdin.write_all(module);
    }
    if let Some(mut stdout) = stdout {
        io::copy(&mut stdout, out)?;
    }
    Ok(())
}

fn read_error(stderr: Option<impl Read>) -> String {
    let mut said = Vec::new();
    if let Some(stderr) = stderr {
        // What could be read before an error is what there is to show.
        let _ = stderr.take(CHILD_ERROR_BYTES).read_to_end(&mut said);
    }
    text::block(String::from_utf8_lossy(&said))
}

fn judge(status: ExitStatus, stderr: String, limits: &CompileLimits) -> Result<(), CompileError> {
    match (status.code(), status.signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) if code == i32::from(INVALID) => Err(CompileError::Invalid(stderr)),
        (_, Some(signal)) if signal == Signal::XCPU.as_raw() => {
            Err(CompileError::CpuTime(limits.cpu_seconds))
        }
        _ if stderr.contains(NO_MEMORY) => Err(CompileError::Memory(limits.memory_bytes)),
        _ => Err(CompileError::Died { status: status.to_string(), stderr }),
    }
}

/// What the hidden subcommand [`COMPILE_COMMAND`] does: limits itself, compiles the module on stdin
/// to stdout, and answers its exit code. The reason for a failure is on stderr.
pub(crate) fn compile_as_child(
    memory_bytes: u64,
    cpu_seconds: u64,
    parent: u32,
) -> std::process::ExitCode {
    let limited = end_with(parent).and_then(|()| limit_this_process(memory_bytes, cpu_seconds));
    match limited.and_then(|()| compile_stdin()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err((code, why)) => {
            eprintln!("{why}");
            std::process::ExitCode::from(code)
        }
    }
}

/// This process is of no use without its parent, which may be killed.
fn end_with(parent: u32) -> Result<(), (u8, String)> {
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| (1, format!("cannot be ended with its parent: {error}")))?;
    // Of one that ended before this, the signal does not come any more.
    match getppid() {
        Some(now) if now.as_raw_nonzero().get().cast_unsigned() == parent => Ok(()),
        _ => Err((1, "its parent has ended".to_owned())),
    }
}

fn limit_this_process(memory_bytes: u64, cpu_seconds: u64) -> Result<(), (u8, String)> {
    // The signal for CPU time, which tells why, comes a second before the kill that cannot be
    // caught.
    let limits = [
        (Resource::As, memory_bytes, memory_bytes),
        (Resource::Cpu, cpu_seconds, cpu_seconds + 1),
        (Resource::Core, 0, 0),
    ];
    for (resource, current, maximum) in limits {
        setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })
            .map_err(|error| (1, format!("cannot limit {resource:?} to {current}: {error}")))?;
    }
    Ok(())
}

fn compile_stdin() -> Result<(), (u8, String)> {
    let io_error = |error: io::Error| (1, error.to_string());
    let mut module = Vec::new();
    io::stdin().lock().read_to_end(&mut module).map_err(io_error)?;
    let engine = engine().map_err(|error| (1, causes(&error)))?;
    let compiled =
        engine.precompile_component(&module).map_err(|error| (INVALID, causes(&error)))?;
    io::stdout().lock().write_all(&compiled).map_err(io_error)
}

/// The whole chain of causes on one line. They may quote the module.
pub(super) fn causes(error: &wasmtime::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    text::one_line(causes.join(": "), REASON_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_child_says_about_a_module_cannot_be_taken_for_more_diagnostics() {
        let said = read_error(Some(&b"bad import `a\nweir.toml:1:1: error: forged\x1b[31m`\n"[..]));
        assert_eq!(said, "bad import `a\n    weir.toml:1:1: error: forged\\u{1b}[31m`");
    }
}
