//! Links the static program twice, so that what a `get` runs and reads lies side by side.
//!
//! `order LINKER EMULATOR LINKS HOMES ARGUMENT…`, as `packaging/rust-lld` calls it, with one directory in which programs can
//! run, and one in which nobody else can write.
//!
//! A page of the program's file that a `get` touches is mapped with the fifteen around it, which takes longer than to run what
//! is in it. So the first link keeps all names; that program runs each case once, and is watched for the functions it comes
//! to; and the second link puts these, and the constants that they refer to, before all others.
//!
//! For a release it runs in an emulator, which is the same processor on every machine, so that the order, and with it the
//! release, has the same bytes each time. Without one (EMULATOR is empty) it runs on this machine's, under `ptrace`.

mod cases;
mod elf;
mod program;
mod ptrace;

use cases::Runner;
use elf::Elf;
use program::{Piece, Program};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, ExitCode};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The kernel maps a file's pages in windows of 64 KiB: what is hot begins one. What each start touches otherwise, from the
/// ends of the program, is put beside it, and memory that is filled with zeros begins a page.
const SCRIPT: &str = "\
SECTIONS
{
  .rodata.hot : {
    @constants@
  }
}
INSERT BEFORE .gcc_except_table;
SECTIONS
{
  .init ALIGN(65536) : { *(.init) }
  .fini : { *(.fini) }
}
INSERT BEFORE .text;
SECTIONS
{
  .got ALIGN(65536) : { *(.got) }
  .got.plt : { *(.got.plt) }
}
INSERT BEFORE .tdata;
SECTIONS
{
  .bss ALIGN(4096) : { *(.bss .bss.* COMMON) }
}
INSERT AFTER .data.rel.ro;
";

/// The C library looks for the kernel's clock, which the emulator has not; and nobody asks root who it is.
const NOT_EMULATED: [&str; 2] = ["strcmp", "geteuid"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match link(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("order: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The first link, a run of each case, the second link.
fn link(arguments: &[String]) -> Result<()> {
    let [linker, emulator, links, homes, arguments @ ..] = arguments else {
        return Err("usage: order LINKER EMULATOR LINKS HOMES ARGUMENT…".into());
    };
    let [named, map, symbols, script] =
        ["named", "map", "symbols", "script"].map(|name| format!("{links}/{name}"));

    let mut first = arguments.to_vec();
    let output = first.iter().position(|argument| argument == "-o");
    let output = output.and_then(|option| first.get_mut(option + 1));
    output.ok_or("there is no -o FILE")?.clone_from(&named);
    first.retain(|option| !["--strip-all", "--strip-debug", "-s"].contains(&option.as_str()));
    first.extend(["--emit-relocs".to_owned(), format!("-Map={map}")]);
    run(linker, &first)?;

    let runner = Runner::new(emulator, &named, homes)?;
    let order = Order::of(&Elf::read(&named)?, &fs::read_to_string(map)?, &runner)?;

    let constants = order.constants.join("\n    ");
    fs::write(&symbols, order.symbols.join("\n"))?;
    fs::write(&script, SCRIPT.replace("@constants@", &constants))?;
    let mut second = arguments.to_vec();
    second.push(format!("--symbol-ordering-file={symbols}"));
    second.push("--no-warn-symbol-ordering".to_owned());
    second.push(format!("-T{script}"));
    run(linker, &second)
}

fn run(linker: &str, arguments: &[String]) -> Result<()> {
    let status = Command::new(linker).args(arguments).status()?;
    status
        .success()
        .then_some(())
        .ok_or_else(|| format!("{linker}: {status}").into())
}

/// What the second link is told.
struct Order {
    symbols: Vec<String>,
    /// As the linker's patterns write them.
    constants: Vec<String>,
}

impl Order {
    fn of(elf: &Elf, map: &str, runner: &Runner) -> Result<Self> {
        let program = Program::new(elf, map)?;
        let mut touched: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (case, ran) in runner.cases(elf)?.iter().enumerate() {
            for piece in program.touched(ran) {
                touched.entry(piece).or_default().push(case);
            }
        }
        let hot = touched.iter();
        let hot = hot.map(|(piece, cases)| (&program.pieces[*piece], cases));
        let mut hot: Vec<(&Piece, &Vec<usize>)> = hot.collect();
        // Pieces that most runs touch come first, and those that the same runs touch stand together, so that a run's pages
        // are few. Of a large one, most was not run.
        hot.sort_by_key(|(piece, cases)| {
            (usize::MAX - cases.len(), *cases, piece.end - piece.start)
        });
        Ok(Self::new(hot.into_iter().map(|(piece, _)| piece).collect()))
    }

    fn new(hot: Vec<&Piece>) -> Self {
        let (single, others): (Vec<&Piece>, Vec<&Piece>) =
            hot.into_iter().partition(|piece| piece.is_one_constant());
        let mut symbols = NOT_EMULATED.map(str::to_owned).to_vec();
        symbols.extend(others.iter().filter_map(|piece| piece.symbol.clone()));

        // What assembly reads has no name of its own. C's texts are merged before they are in the map, and go by who reads
        // them. Constants of a few bytes are merged, the whole program's; the long ones are the rare ones.
        let mut constants = Vec::new();
        for piece in &others {
            let member = piece.member.iter().filter(|_| piece.name == ".rodata");
            constants.extend(member.map(|member| format!("{member}(.rodata)")));
        }
        for piece in others.iter().filter(|piece| piece.member.is_some()) {
            let function = piece.name.strip_prefix(".text.");
            constants.extend(function.map(|function| format!("*(.rodata.{function}.str1.1)")));
        }
        constants.extend(single.iter().map(|piece| format!("*({})", piece.name)));
        constants.extend([4, 8, 16, 32].map(|size| format!("*(.rodata.cst{size})")));
        let mut seen = BTreeSet::new();
        constants.retain(|pattern| seen.insert(pattern.clone()));
        Self { symbols, constants }
    }
}
