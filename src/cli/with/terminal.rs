//! Runs a command on its own terminal, and types the password there once the command has turned echo off.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, getpgrp, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{
    LocalModes, OptionalActions, OutputModes, Winsize, tcgetattr, tcgetpgrp, tcgetwinsize,
    tcsetattr, tcsetwinsize,
};
use zeroize::Zeroizing;

use super::prompt::Prompt;
use crate::Io;
use crate::credential::Redacted;

/// Runs the command and returns its exit status, in a shell's numbering.
///
/// Each of the command's streams is on its terminal if ours is on one. Standard input always is, because ctr reads the
/// password there if standard error and output aren't terminals. The command stays in our process group, so that the
/// keys that interrupt or stop us affect it too.
pub(super) fn run(command: &mut Command, password: &Redacted, io: &mut Io) -> io::Result<u8> {
    let streams = (io::stdin(), io::stdout(), io::stderr());
    let screen = match (io.out.is_terminal(), io.err.is_terminal()) {
        (true, _) => Some(streams.1.as_fd()),
        (_, true) => Some(streams.2.as_fd()),
        _ => io.input.is_terminal().then(|| streams.0.as_fd()),
    };
    let size = screen.and_then(|screen| tcgetwinsize(screen).ok());
    let (master, slave) = open(size.unwrap_or(DEFAULT_SIZE))?;
    command.stdin(slave.try_clone()?);
    command.stdout(if io.out.is_terminal() {
        slave.try_clone()?.into()
    } else {
        Stdio::piped()
    });
    if io.err.is_terminal() {
        command.stderr(slave.try_clone()?);
    }
    let mut child = command.spawn()?;
    // Only the command has the terminal's other end now, so reading ends when it exits.
    drop(slave);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::null());
    let relay = Relay {
        master: master.into(),
        pipe: child.stdout.take().map(OwnedFd::from).map(File::from),
        keyboard: io.input.is_terminal().then(|| streams.0.as_fd()),
        screen,
        size,
        password: Some(password),
        is_read: false,
        prompt: Prompt::default(),
    };
    relay.run(&child, io)?;
    let status = child.wait()?;
    let code = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Opens a terminal that does not change output, and its end for the command.
fn open(size: Winsize) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = ioctl_tiocgptpeer(&master, flags)?;
    let mut modes = tcgetattr(&slave)?;
    modes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&slave, OptionalActions::Now, &modes)?;
    tcsetwinsize(&slave, size)?;
    Ok((master, slave))
}

/// Copies data between the command and the user.
struct Relay<'a> {
    master: File,
    /// The command's standard output, if ours isn't a terminal.
    pipe: Option<File>,
    /// The user's keyboard.
    keyboard: Option<BorrowedFd<'a>>,
    /// The terminal whose size the command's terminal follows.
    screen: Option<BorrowedFd<'a>>,
    size: Option<Winsize>,
    /// The password, until it is typed.
    password: Option<&'a Redacted>,
    /// Whether the command has read it and turned echo on again.
    is_read: bool,
    prompt: Prompt,
}

impl Relay<'_> {
    fn run(mut self, child: &Child, io: &mut Io) -> io::Result<()> {
        let mut on_terminal = true;
        while on_terminal || self.pipe.is_some() {
            let [terminal, pipe, keyboard] = self.wait(on_terminal)?;
            self.resize(child)?;
            if terminal {
                on_terminal = self.pass_terminal(io)?;
            }
            if pipe {
                self.pass_pipe(io)?;
            }
            if on_terminal && !self.is_read {
                self.type_password()?;
            }
            if keyboard {
                self.pass_keys()?;
            }
        }
        let rest = self.prompt.rest();
        io.out.write_all(&rest).and_then(|()| io.out.flush())
    }

    /// Waits for input, and returns which of the command's terminal, its pipe and the user's keyboard have some.
    fn wait(&self, on_terminal: bool) -> io::Result<[bool; 3]> {
        // A new size is only announced by a signal, and echo being turned off isn't announced at all, so both are
        // polled.
        let patience = match self.screen {
            _ if on_terminal && !self.is_read => Some(ECHO_INTERVAL),
            Some(_) => Some(SIZE_INTERVAL),
            None => None,
        };
        let patience = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let keyboard = self
            .keyboard
            .filter(|keyboard| self.is_read && is_in_front(*keyboard));
        let sources = [
            on_terminal.then(|| self.master.as_fd()),
            self.pipe.as_ref().map(AsFd::as_fd),
            keyboard,
        ];
        let open = sources.iter().flatten();
        let mut polled: Vec<_> = open.map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
        match poll(&mut polled, patience.as_ref()) {
            Err(rustix::io::Errno::INTR) => return Ok([false; 3]),
            polled => polled?,
        };
        let mut polled = polled.iter();
        Ok(sources.map(|source| {
            source.is_some() && polled.next().is_some_and(|fd| !fd.revents().is_empty())
        }))
    }

    /// Passes on output from the command's terminal; `false` at its end.
    fn pass_terminal(&mut self, io: &mut Io) -> io::Result<bool> {
        let mut buffer = [0; 4096];
        // Linux reports EIO when the other end is closed.
        let Ok(count @ 1..) = self.master.read(&mut buffer) else {
            return Ok(false);
        };
        if io.out.is_terminal() {
            io.out.write_all(&self.prompt.pass(&buffer[..count]))?;
            io.out.flush()?;
        } else {
            io.err.write_all(&buffer[..count])?;
            io.err.flush()?;
        }
        Ok(true)
    }

    fn pass_pipe(&mut self, io: &mut Io) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let count = self
            .pipe
            .as_mut()
            .map_or(Ok(0), |pipe| pipe.read(&mut buffer))?;
        if count == 0 {
            self.pipe = None;
        }
        io.out.write_all(&self.prompt.pass(&buffer[..count]))?;
        io.out.flush()
    }

    /// Types the password once echo is off; with echo on, it would appear in the output. Echo stays off afterwards,
    /// because the user's own terminal echoes.
    fn type_password(&mut self) -> io::Result<()> {
        let mut modes = tcgetattr(&self.master)?;
        let echoes = modes.local_modes.contains(LocalModes::ECHO);
        match self.password {
            Some(password) if !echoes => {
                let mut line = Zeroizing::new(Vec::with_capacity(password.expose().len() + 1));
                line.extend_from_slice(password.expose().as_bytes());
                line.push(b'\n');
                self.master.write_all(&line)?;
                self.password = None;
            }
            None if echoes => {
                modes.local_modes.remove(LocalModes::ECHO);
                tcsetattr(&self.master, OptionalActions::Now, &modes)?;
                self.is_read = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn pass_keys(&mut self) -> io::Result<()> {
        let Some(keyboard) = self.keyboard else {
            return Ok(());
        };
        let mut buffer = [0; 4096];
        if let Ok(count @ 1..) = rustix::io::read(keyboard, &mut buffer) {
            return self.master.write_all(&buffer[..count]);
        }
        self.keyboard = None;
        self.master.write_all(&[END_OF_INPUT])
    }

    fn resize(&mut self, child: &Child) -> io::Result<()> {
        let size = self.screen.and_then(|screen| tcgetwinsize(screen).ok());
        if let Some(size) = size.filter(|size| Some(*size) != self.size) {
            tcsetwinsize(&self.master, size)?;
            self.size = Some(size);
            // The terminal only signals the session that it controls, which isn't the command's.
            if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                _ = kill_process(pid, Signal::WINCH);
            }
        }
        Ok(())
    }
}

/// Whether we may read the keyboard: a background process would be stopped.
fn is_in_front(keyboard: BorrowedFd) -> bool {
    tcgetpgrp(keyboard).map_or(true, |group| group == getpgrp())
}

const ECHO_INTERVAL: Duration = Duration::from_millis(5);
const SIZE_INTERVAL: Duration = Duration::from_millis(100);
/// Control-D, a terminal's end of input.
const END_OF_INPUT: u8 = 4;
const DEFAULT_SIZE: Winsize = Winsize {
    ws_row: 24,
    ws_col: 80,
    ws_xpixel: 0,
    ws_ypixel: 0,
};
