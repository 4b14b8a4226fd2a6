//! Passes the process's arguments, environment and streams to `run`, and exits with its status.

use std::io;
use std::process::ExitCode;

use beta9_credential::config::Env;
use beta9_credential::protocol::StdinInput;
use beta9_credential::{Io, run};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// musl's own allocator asks the kernel for memory again for each block size; see benches/RESULTS.md.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    // Prevents core dumps, and other processes of the user from reading our memory. If the kernel refuses, we still
    // answer.
    _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
    let mut io = Io {
        input: &mut StdinInput,
        out: &mut out,
        err: &mut err,
    };
    ExitCode::from(run(
        std::env::args_os(),
        &Env::process().logging_to(StandardError),
        &mut io,
    ))
}

/// Standard error for the log's lines, without its lock: this thread already holds that lock, and another thread would
/// wait for it forever.
struct StandardError;

impl io::Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(io::stderr(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
