//! Hands the real arguments, environment and streams to `run`, and sets the exit status.

use std::io;
use std::process::ExitCode;

use beta9_credential::config::Env;
use beta9_credential::protocol::StdinInput;
use beta9_credential::{Io, run};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};

/// musl's own allocator maps memory again for each size of block; see benches/RESULTS.md.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    // No core dump and no look from a neighbour of the same user at what is in memory; where the kernel refuses, the
    // answer matters more.
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

/// Standard error for the lines of the log. A thread that waited for the lock that is held here would wait without end.
struct StandardError;

impl io::Write for StandardError {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(io::stderr(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
