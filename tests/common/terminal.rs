//! Runs the helper on a terminal of 80 columns, and compares sessions with those recorded in tests/fixtures/sessions.
//!
//! A session is what a person sees: each command behind a prompt, and below it what the helper wrote. It runs twice, in
//! colour and with `NO_COLOR`; both must say the same, and no line may be wider than the terminal. To record again:
//! `RECORD_SESSIONS=1 cargo test --test terminal -- --test-threads 1`, which writes them into the book too; read the difference.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::Node;

pub const COLUMNS: u16 = 80;
pub const HELPER: &str = "docker-credential-beta9";

/// The terminal's content after the helper has exited.
#[derive(Debug, PartialEq, Eq)]
pub struct Screen {
    pub status: i32,
    pub text: String,
}

/// Commands that are run one after the other.
pub struct Session<'a> {
    /// Its name; the recording is NAME.txt.
    pub name: &'a str,
    /// Machine-dependent texts and their replacements in the recording. The node's home is `/home/octo`.
    pub stands_for: Vec<(String, &'a str)>,
}

impl Node {
    /// Runs the helper on a terminal.
    pub fn on_terminal(&self, args: &[&str]) -> Screen {
        self.on_terminal_typing(args, "")
    }

    /// The same, where somebody types this.
    pub fn on_terminal_typing(&self, args: &[&str], typed: &str) -> Screen {
        let master = new_terminal();
        let slave = other_end(&master);
        tcsetwinsize(
            &slave,
            Winsize {
                ws_row: 24,
                ws_col: COLUMNS,
                ws_xpixel: 0,
                ws_ypixel: 0,
            },
        )
        .unwrap();
        let ends = [(); 3].map(|()| slave.try_clone().unwrap());
        let [input, output, errors] = ends;
        let mut command = self.command(args);
        command.stdin(input).stdout(output).stderr(errors);
        let mut child = command.spawn().unwrap();
        rustix::io::write(&master, typed.as_bytes()).unwrap();
        // The reading below ends when nobody has the terminal's other end any more.
        drop((command, slave));
        let text = read_all(master);
        Screen {
            status: child.wait().unwrap().code().unwrap_or(-1),
            text,
        }
    }
}

impl Session<'_> {
    /// Runs the commands on this node, each of which must have its exit status, and compares what stands on the terminal
    /// with the recording.
    pub fn run(&self, node: &Node, commands: &[(&[&str], i32)]) {
        let plain = self.play(&node.clone_with("NO_COLOR", "1"), commands);
        let coloured = self.play(&node.clone_with("TERM", "xterm-256color"), commands);
        assert!(!plain.contains('\x1b'), "NO_COLOR is obeyed: {plain:?}");
        assert_eq!(
            without_colour(&coloured),
            plain,
            "colour adds nothing but colour"
        );
        assert_fits(&plain);
        let file = recordings().join(format!("{}.txt", self.name));
        if recording() {
            fs::create_dir_all(recordings()).unwrap();
            fs::write(&file, &plain).unwrap();
        }
        let recorded = fs::read_to_string(&file).unwrap_or_default();
        assert!(
            plain == recorded,
            "{} should hold (RECORD_SESSIONS=1 writes it):\n{plain}",
            file.display()
        );
    }

    fn play(&self, node: &Node, commands: &[(&[&str], i32)]) -> String {
        let mut text = String::new();
        for (args, status) in commands {
            let screen = node.on_terminal(args);
            assert_eq!(screen.status, *status, "{args:?}: {}", screen.text);
            let between = if text.is_empty() { "" } else { "\n" };
            write!(
                text,
                "{between}$ {HELPER} {}\n{}",
                args.join(" "),
                standing(&screen.text.replace("\r\n", "\n"))
            )
            .unwrap();
        }
        let text = text.replace(node.home().to_str().unwrap(), "/home/octo");
        self.stands_for.iter().fold(text, |text, (real, shown)| {
            text.replace(real.as_str(), shown)
        })
    }
}

/// The final text of lines that were overwritten after a carriage return.
fn standing(text: &str) -> String {
    let line = |line: &str| {
        let mut parts = line.rsplit('\r');
        let last = parts.next().unwrap_or_default().to_owned();
        assert!(
            parts.all(|part| part.len() <= 60),
            "only progress is written over: {line:?}"
        );
        last
    };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A terminal, at the end of who types.
pub fn new_terminal() -> OwnedFd {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    master
}

/// Its end for a program, which does not become the terminal that the tests are run from.
pub fn other_end(master: &OwnedFd) -> File {
    let name = ptsname(master, Vec::new()).unwrap().into_string().unwrap();
    let flags = OFlags::NOCTTY.bits().cast_signed();
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(name)
        .unwrap()
}

/// All recordings, by name.
pub fn recorded_sessions() -> Vec<(String, String)> {
    let files = fs::read_dir(recordings())
        .unwrap()
        .map(|file| file.unwrap().path());
    let text = |path: PathBuf| {
        (
            path.file_stem().unwrap().to_str().unwrap().to_owned(),
            fs::read_to_string(&path).unwrap(),
        )
    };
    files.map(text).collect()
}

/// No line is wider than the terminal.
pub fn assert_fits(text: &str) {
    for line in text.lines() {
        assert!(
            line.chars().count() <= usize::from(COLUMNS),
            "wider than the terminal: {line}"
        );
    }
}

/// The text without its escape sequences that set bold and colours; any other escape stays.
pub fn without_colour(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part
            .find(|c: char| !c.is_ascii_digit() && c != ';')
            .filter(|end| part[*end..].starts_with('m'));
        match code {
            Some(end) => plain.push_str(&part[end + 1..]),
            None => _ = write!(plain, "\x1b[{part}"),
        }
    }
    plain
}

/// Linux says EIO when the other end of a terminal is closed.
fn read_all(master: OwnedFd) -> String {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let mut master = File::from(master);
    while let Ok(count @ 1..) = master.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(bytes).unwrap()
}

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sessions")
}

#[expect(
    clippy::disallowed_methods,
    reason = "whether to record is no setting of the helper's"
)]
pub fn recording() -> bool {
    std::env::var_os("RECORD_SESSIONS").is_some()
}
