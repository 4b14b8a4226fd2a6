//! What the first link made of what, by lld's map, and which part refers to which.

use crate::Result;
use crate::elf::Elf;
use std::collections::{BTreeMap, BTreeSet};

/// Sections that are in memory while the program runs.
const LOADED: [&str; 6] = [".text", ".rodata", ".data", ".bss", ".tdata", ".tbss"];

/// An input section of the link, which moves as a whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// The section of the program that it is in.
    output: String,
    pub(crate) name: String,
    pub(crate) symbol: Option<String>,
    /// Where C or assembly brought it: a member of an archive, as the linker's patterns write one.
    pub(crate) member: Option<String>,
}

impl Piece {
    /// Whether the section's name is its own, and not one that each object file has.
    pub(crate) fn is_one_constant(&self) -> bool {
        let own = self.name.strip_prefix(".rodata.");
        let shared = |name: &str| {
            ["cst", "str1.", "hot"]
                .iter()
                .any(|start| name.starts_with(start))
        };
        self.output.starts_with(".rodata") && own.is_some_and(|name| !shared(name))
    }
}

/// All pieces, in the order of their addresses.
pub(crate) struct Program {
    pub(crate) pieces: Vec<Piece>,
    refers: BTreeMap<usize, BTreeSet<usize>>,
}

impl Program {
    pub(crate) fn new(elf: &Elf, map: &str) -> Result<Self> {
        let mut program = Self {
            pieces: read(map, &elf.names()),
            refers: BTreeMap::new(),
        };
        for (place, target) in elf.references()? {
            if let (Some(one), Some(other)) = (program.at(place), program.at(target)) {
                program.refers.entry(one).or_default().insert(other);
            }
        }
        Ok(program)
    }

    /// The piece that has this address.
    fn at(&self, address: u64) -> Option<usize> {
        let piece = self
            .pieces
            .partition_point(|piece| piece.start <= address)
            .checked_sub(1)?;
        (address < self.pieces[piece].end).then_some(piece)
    }

    /// The code that ran, and the data that it refers to, as do the tables among that.
    pub(crate) fn touched(&self, ran: &BTreeSet<u64>) -> BTreeSet<usize> {
        let mut found: BTreeSet<usize> =
            ran.iter().filter_map(|address| self.at(*address)).collect();
        let mut left: Vec<usize> = found.iter().copied().collect();
        while let Some(one) = left.pop() {
            for other in self.refers.get(&one).into_iter().flatten() {
                // Only code uses a buffer; a table may just know where it is.
                let used = match self.pieces[*other].output.as_str() {
                    ".text" => false,
                    ".bss" => self.pieces[one].output == ".text",
                    _ => true,
                };
                if used && found.insert(*other) {
                    left.push(*other);
                }
            }
        }
        found
    }
}

/// The pieces in a map: an output section, and indented below it its input sections.
fn read(map: &str, symbols: &BTreeMap<u64, String>) -> Vec<Piece> {
    let (mut output, mut pieces) = ("", Vec::new());
    for (start, size, text) in map.lines().filter_map(columns) {
        if !text.starts_with(' ') {
            output = text;
        }
        let section = text
            .strip_suffix(')')
            .and_then(|text| text.rsplit_once(":("));
        let Some((file, name)) =
            section.filter(|_| size > 0 && LOADED.iter().any(|loaded| output.starts_with(loaded)))
        else {
            continue;
        };
        let end = start + size;
        let symbol = symbols
            .range(start..end)
            .next()
            .map(|(_, symbol)| symbol.clone());
        pieces.push(Piece {
            start,
            end,
            output: output.to_owned(),
            name: name.to_owned(),
            symbol,
            member: member(file),
        });
    }
    pieces.sort_by_key(|piece| piece.start);
    pieces
}

/// An address, a size, and a text that is indented by its depth; between them another address and an alignment.
fn columns(line: &str) -> Option<(u64, u64, &str)> {
    let mut rest = line;
    let mut word = || {
        let (word, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(word)
    };
    let (start, _, size, _) = (word()?, word()?, word()?, word()?);
    let number = |word: &str| u64::from_str_radix(word, 16).ok();
    Some((number(start)?, number(size)?, rest))
}

/// The file in an archive that the map names, but for rustc's own, each of which is a whole crate.
fn member(file: &str) -> Option<String> {
    let (_, name) = file.strip_suffix(')')?.rsplit_once('(')?;
    let is_hash =
        |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = name
        .split_once('-')
        .filter(|(hash, _)| is_hash(hash))
        .map_or(name, |(_, rest)| rest);
    let is_c = [".o", ".lo"].iter().any(|end| name.ends_with(end)) && !name.ends_with(".rcgu.o");
    is_c.then(|| format!("*{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAP: &str = "\
             VMA              LMA     Size Align Out     In      Symbol
          200000           200000       30     8 .rodata
          200000           200000       10     1         program.rcgu.o:(.rodata.one)
          200010           200010       20     8         /lib/libaws.rlib(0123456789abcdef-sha.o):(.rodata)
          210000           210000       20    16 .text
          210000           210000       20    16         <internal>:(.text.get)
          210000           210000       20     1                 get
          220000           220000        8     8 .debug_line
          220000           220000        8     8         program.o:(.debug_line)
";

    fn pieces() -> Vec<Piece> {
        read(MAP, &BTreeMap::from([(0x21_0000, "get".to_owned())]))
    }

    #[test]
    fn pieces_are_the_sections_in_memory_with_their_names_and_files() {
        let found: Vec<_> = pieces()
            .into_iter()
            .map(|piece| {
                (
                    piece.start,
                    piece.end,
                    piece.output,
                    piece.name,
                    piece.symbol,
                    piece.member,
                )
            })
            .collect();
        let text = str::to_owned;
        assert_eq!(
            found,
            [
                (
                    0x20_0000,
                    0x20_0010,
                    text(".rodata"),
                    text(".rodata.one"),
                    None,
                    None
                ),
                (
                    0x20_0010,
                    0x20_0030,
                    text(".rodata"),
                    text(".rodata"),
                    None,
                    Some(text("*sha.o"))
                ),
                (
                    0x21_0000,
                    0x21_0020,
                    text(".text"),
                    text(".text.get"),
                    Some(text("get")),
                    None
                ),
            ]
        );
    }

    #[test]
    fn a_constant_of_its_own_is_told_from_those_that_are_merged() {
        let named = |name: &str| {
            Piece {
                name: name.to_owned(),
                ..pieces().remove(0)
            }
            .is_one_constant()
        };
        assert!(named(".rodata.one") && named(".rodata.strings"));
        assert!(
            !named(".rodata")
                && !named(".rodata.cst16")
                && !named(".rodata.str1.1")
                && !named(".rodata.hot")
        );
    }

    #[test]
    fn code_brings_the_constants_it_reads_and_those_that_they_name() {
        let program = Program {
            pieces: pieces(),
            refers: BTreeMap::from([(2, BTreeSet::from([1])), (1, BTreeSet::from([0, 2]))]),
        };
        assert_eq!(
            program.touched(&BTreeSet::from([0x21_0007])),
            BTreeSet::from([0, 1, 2])
        );
        assert_eq!(
            program.touched(&BTreeSet::from([0x21_0020, 0x1f_ffff])),
            BTreeSet::new()
        );
    }

    #[test]
    fn a_crate_of_rusts_is_no_member_of_an_archive() {
        assert_eq!(
            member("/lib/liblibc.rlib(strlen.lo)").as_deref(),
            Some("*strlen.lo")
        );
        assert_eq!(
            member("/lib/libstd.rlib(std-0123456789abcdef.std.1-cgu.0.rcgu.o)"),
            None
        );
        assert_eq!(member("program.o"), None);
    }
}
