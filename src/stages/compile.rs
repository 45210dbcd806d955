//! Compiling a module in a short-lived child of the same binary.
//!
//! Cranelift's memory does not stay in the daemon that way, and a module made to hurt the compiler hurts only the
//! child: it limits its own address space and CPU time, and the parent limits its wall time. The module goes in on
//! stdin and the compiled one comes out on stdout, so that what was hashed is what was compiled.

use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use wasmtime::Engine;

use super::engine::engine;
use super::text::{indented, printable};

/// The hidden subcommand that the child runs.
pub const COMPILE_COMMAND: &str = "__compile-module";
/// Address space of the child.
const CHILD_MEMORY_BYTES: u64 = 4 << 30;
/// CPU time of the child, in seconds.
const CHILD_CPU_SECONDS: u64 = 120;
/// Wall time that the parent gives the child.
const CHILD_WALL: Duration = Duration::from_secs(300);
/// What is shown of the child's error.
const CHILD_ERROR_BYTES: u64 = 8 << 10;

/// Who compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// A child of the running binary, which must be weir: it answers [`COMPILE_COMMAND`] by [`compile_as_child`].
    Child,
    /// This process: for tests and benchmarks, whose binary is not weir.
    InProcess,
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
    /// The child was stopped by its limits, or crashed.
    #[error(
        "compiling it was given up ({status}): a compiler may use {} GiB of memory, {CHILD_CPU_SECONDS} s of CPU \
         time and {} s of time: {stderr}", CHILD_MEMORY_BYTES >> 30, CHILD_WALL.as_secs()
    )]
    GivenUp {
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        stderr: String,
    },
    /// The compiled module could not be written or read.
    #[error("cannot move the compiled module: {0}")]
    Io(#[from] io::Error),
}

/// Exit code of a child that found the module invalid; the reason is on its stderr.
const INVALID: u8 = 3;

/// Compiles `module` and writes the result to `out`.
pub(super) fn compile(
    compiler: Compiler,
    engine: &Engine,
    module: &[u8],
    out: &mut (impl Write + Send),
) -> Result<(), CompileError> {
    match compiler {
        Compiler::InProcess => {
            let compiled =
                engine.precompile_component(module).map_err(|e| CompileError::Invalid(text(&e)))?;
            Ok(out.write_all(&compiled)?)
        }
        Compiler::Child => {
            let spawned = std::env::current_exe().and_then(|weir| {
                let mut command = Command::new(weir);
                command.arg(COMPILE_COMMAND);
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
            });
            run_child(spawned.map_err(CompileError::Spawn)?, module, out)
        }
    }
}

fn run_child(mut child: Child, module: &[u8], out: &mut (impl Write + Send)) -> Result<(), CompileError> {
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
        if is_done.recv_timeout(CHILD_WALL) == Err(RecvTimeoutError::Timeout) {
            child.kill()?;
        }
        let status = child.wait()?;
        let (moved, stderr) =
            moved.join().map_err(|_| io::Error::other("the thread that moves it panicked"))?;
        judge(status, stderr)?;
        Ok(moved?)
    })
}

fn move_through(
    stdin: Option<impl Write>,
    stdout: Option<impl Read>,
    module: &[u8],
    out: &mut impl Write,
) -> io::Result<()> {
    if let Some(mut stdin) = stdin {
        // The child reads all of it before it writes anything. One that died is judged by its status.
        let _ = stdin.write_all(module);
    }
    if let Some(mut stdout) = stdout {
        io::copy(&mut stdout, out)?;
    }
    Ok(())
}

fn read_error(stderr: Option<impl Read>) -> String {
    let mut text = Vec::new();
    if let Some(stderr) = stderr {
        // What could be read before an error is what there is to show.
        let _ = stderr.take(CHILD_ERROR_BYTES).read_to_end(&mut text);
    }
    indented(&String::from_utf8_lossy(&text))
}

fn judge(status: ExitStatus, stderr: String) -> Result<(), CompileError> {
    match status.code() {
        Some(0) => Ok(()),
        Some(code) if code == i32::from(INVALID) => Err(CompileError::Invalid(stderr)),
        _ => Err(CompileError::GivenUp { status: status.to_string(), stderr }),
    }
}

/// What the hidden subcommand [`COMPILE_COMMAND`] does: limits itself, compiles the module on stdin to stdout, and
/// answers its exit code. The reason for a failure is on stderr.
pub fn compile_as_child() -> std::process::ExitCode {
    match limit_this_process().and_then(|()| compile_stdin()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err((code, why)) => {
            eprintln!("{why}");
            std::process::ExitCode::from(code)
        }
    }
}

fn limit_this_process() -> Result<(), (u8, String)> {
    let limits =
        [(Resource::As, CHILD_MEMORY_BYTES), (Resource::Cpu, CHILD_CPU_SECONDS), (Resource::Core, 0)];
    for (resource, most) in limits {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })
            .map_err(|error| (1, format!("cannot limit {resource:?} to {most}: {error}")))?;
    }
    Ok(())
}

fn compile_stdin() -> Result<(), (u8, String)> {
    let io_error = |error: io::Error| (1, error.to_string());
    let mut module = Vec::new();
    io::stdin().lock().read_to_end(&mut module).map_err(io_error)?;
    let engine = engine().map_err(|error| (1, text(&error)))?;
    let compiled = engine.precompile_component(&module).map_err(|error| (INVALID, text(&error)))?;
    io::stdout().lock().write_all(&compiled).map_err(io_error)
}

/// The whole chain of causes on one line. They may quote the module.
pub(super) fn text(error: &wasmtime::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    printable(&causes.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_child_says_about_a_module_cannot_be_taken_for_more_diagnostics() {
        let said = read_error(Some(&b"bad import `a\nweir.toml:1:1: error: forged\x1b[31m`\n"[..]));
        assert_eq!(said, "bad import `a\n    weir.toml:1:1: error: forged [31m`");
    }
}
