//! Runs a program with a breakpoint at each function, which goes when it is reached: ptrace(2).

use crate::Result;
use crate::elf::Elf;
use std::collections::BTreeSet;
use std::ffi::{c_int, c_long};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The instruction that stops, and how far behind it the processor is then.
#[cfg(target_arch = "x86_64")]
const BREAKPOINT: (&[u8], u64) = (&[0xCC], 1);
#[cfg(target_arch = "aarch64")]
const BREAKPOINT: (&[u8], u64) = (&[0x00, 0x00, 0x20, 0xD4], 0);

/// How many general registers there are, and which of them says where the processor is.
#[cfg(target_arch = "x86_64")]
const REGISTERS: (usize, usize) = (27, 16);
#[cfg(target_arch = "aarch64")]
const REGISTERS: (usize, usize) = (34, 32);

/// By their names in sys/ptrace.h, elf.h and signal.h.
const TRACEME: c_int = 0;
const CONT: c_int = 7;
const SETOPTIONS: c_int = 0x4200;
const GETREGSET: c_int = 0x4204;
const SETREGSET: c_int = 0x4205;
const O_EXITKILL: usize = 0x0010_0000;
const NT_PRSTATUS: usize = 1;
const SIGTRAP: c_int = 5;

unsafe extern "C" {
    fn ptrace(request: c_int, process: c_int, address: usize, data: usize) -> c_long;
    fn waitpid(process: c_int, status: *mut c_int, options: c_int) -> c_int;
}

/// The functions that it comes to until it ends.
pub(crate) fn functions(command: &mut Command, elf: &Elf) -> Result<BTreeSet<u64>> {
    // SAFETY: between fork and exec, this makes one system call.
    let traced = unsafe { command.pre_exec(|| call(TRACEME, 0, 0, 0)) };
    let process = c_int::try_from(traced.spawn()?.id())?;
    // It is stopped before its first instruction.
    wait(process)?;
    call(SETOPTIONS, process, 0, O_EXITKILL)?;
    let memory = File::options()
        .write(true)
        .open(format!("/proc/{process}/mem"))?;
    let ((breakpoint, behind), (count, counter)) = (BREAKPOINT, REGISTERS);
    let functions = elf.functions();
    for function in functions.keys() {
        memory.write_all_at(breakpoint, *function)?;
    }
    let (mut found, mut signal) = (BTreeSet::new(), 0);
    loop {
        call(CONT, process, 0, usize::try_from(signal)?)?;
        let Some(stop) = wait(process)? else {
            return Ok(found);
        };
        // Any other is the program's own.
        signal = if stop == SIGTRAP { 0 } else { stop };
        if signal != 0 {
            continue;
        }
        let mut registers = vec![0; count];
        transfer(GETREGSET, process, &mut registers)?;
        let function = registers[counter] - behind;
        let code = functions.get(&function).filter(|_| found.insert(function));
        let code = code.ok_or("it stopped where no breakpoint is")?;
        memory.write_all_at(&code[..breakpoint.len()], function)?;
        registers[counter] = function;
        transfer(SETREGSET, process, &mut registers)?;
    }
}

/// The signal that stopped it, or nothing when it has ended.
fn wait(process: c_int) -> Result<Option<c_int>> {
    let mut status = 0;
    // SAFETY: the status outlives the call.
    answer(unsafe { waitpid(process, &raw mut status, 0) }.into())?;
    match status & 0x7F {
        0x7F => Ok(Some(status >> 8 & 0xFF)),
        0 => Ok(None),
        signal => Err(format!("it was ended by signal {signal}").into()),
    }
}

/// Reads or writes all registers.
fn transfer(request: c_int, process: c_int, registers: &mut [u64]) -> io::Result<()> {
    // A struct iovec.
    let buffer = [registers.as_mut_ptr().addr(), size_of_val(registers)];
    call(
        request,
        process,
        NT_PRSTATUS,
        (&raw const buffer).expose_provenance(),
    )
}

/// A request with numbers, or with the address of a buffer that is valid until this returns.
fn call(request: c_int, process: c_int, address: usize, data: usize) -> io::Result<()> {
    // SAFETY: of the requests above, only those of `transfer` have the kernel touch memory, which is there.
    answer(unsafe { ptrace(request, process, address, data) })
}

fn answer(result: c_long) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
