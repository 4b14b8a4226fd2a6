//! A 64-bit ELF file's sections, symbols and relocations: elf(5).

use crate::Result;
use std::collections::BTreeMap;
use std::fs;

pub(crate) struct Elf {
    data: Vec<u8>,
    sections: Vec<Section>,
    symbols: Vec<Symbol>,
}

struct Section {
    kind: u64,
    flags: u64,
    address: u64,
    start: usize,
    end: usize,
    link: usize,
    info: usize,
}

struct Symbol {
    name: String,
    kind: u64,
    section: u64,
    value: u64,
}

/// Kinds of sections, a flag of one, and a kind of symbol.
const SYMBOLS: u64 = 2;
const RELOCATIONS: u64 = 4;
const LOADED: u64 = 2;
const FUNCTION: u64 = 2;

impl Elf {
    pub(crate) fn read(file: &str) -> Result<Self> {
        let data = fs::read(file)?;
        let (table, size, count) = (
            place(&data, 40, 8)?,
            place(&data, 58, 2)?,
            place(&data, 60, 2)?,
        );
        let mut sections = Vec::new();
        for at in (0..count).map(|index| table + index * size) {
            let start = place(&data, at + 24, 8)?;
            sections.push(Section {
                kind: number(&data, at + 4, 4)?,
                flags: number(&data, at + 8, 8)?,
                address: number(&data, at + 16, 8)?,
                start,
                end: start + place(&data, at + 32, 8)?,
                link: place(&data, at + 40, 4)?,
                info: place(&data, at + 44, 4)?,
            });
        }
        let table = sections
            .iter()
            .find(|section| section.kind == SYMBOLS)
            .ok_or("it has no symbols")?;
        let mut symbols = Vec::new();
        for at in (table.start..table.end).step_by(24) {
            let name = &data[sections[table.link].start + place(&data, at, 4)?..];
            let end = name
                .iter()
                .position(|byte| *byte == 0)
                .ok_or("a name has no end")?;
            symbols.push(Symbol {
                name: String::from_utf8(name[..end].to_vec())?,
                kind: number(&data, at + 4, 1)? & 15,
                section: number(&data, at + 6, 2)?,
                value: number(&data, at + 8, 8)?,
            });
        }
        Ok(Self {
            data,
            sections,
            symbols,
        })
    }

    /// A name for each place that has one.
    pub(crate) fn names(&self) -> BTreeMap<u64, String> {
        // Not those of the compiler within a section, nor the marks that arm64 puts between code and data.
        let within = |name: &str| {
            name.is_empty()
                || [".L", "$x", "$d"]
                    .iter()
                    .any(|start| name.starts_with(start))
        };
        // Of no kind, an object or a function.
        let named = self.symbols.iter().filter(|symbol| {
            symbol.section != 0 && symbol.kind <= FUNCTION && !within(&symbol.name)
        });
        named
            .map(|symbol| (symbol.value, symbol.name.clone()))
            .collect()
    }

    /// Where functions begin, and the code from there on.
    pub(crate) fn functions(&self) -> BTreeMap<u64, &[u8]> {
        let functions = self
            .symbols
            .iter()
            .filter(|symbol| symbol.section != 0 && symbol.kind == FUNCTION);
        functions
            .filter_map(|function| Some((function.value, self.from(function)?)))
            .collect()
    }

    fn from(&self, function: &Symbol) -> Option<&[u8]> {
        let section = self.sections.get(usize::try_from(function.section).ok()?)?;
        let start =
            section.start + usize::try_from(function.value.checked_sub(section.address)?).ok()?;
        self.data.get(start..section.end)
    }

    /// From which address to which.
    pub(crate) fn references(&self) -> Result<Vec<(u64, u64)>> {
        let mut found = Vec::new();
        let of_loaded = |section: &&Section| {
            section.kind == RELOCATIONS && self.sections[section.info].flags & LOADED != 0
        };
        for section in self.sections.iter().filter(of_loaded) {
            for at in (section.start..section.end).step_by(24) {
                let (from, kind, symbol) = (
                    number(&self.data, at, 8)?,
                    number(&self.data, at + 8, 4)?,
                    place(&self.data, at + 12, 4)?,
                );
                let to = self.symbols[symbol]
                    .value
                    .wrapping_add(number(&self.data, at + 16, 8)?);
                // x86_64 counts these from the end of the instruction, where a constant of one or four bytes may follow.
                let behind: &[u64] = if [2, 4, 9, 41, 42].contains(&kind) {
                    &[4, 5, 8]
                } else {
                    &[0]
                };
                found.extend(behind.iter().map(|behind| (from, to.wrapping_add(*behind))));
            }
        }
        Ok(found)
    }
}

/// A number of this many bytes, the lowest first, as both processors have it.
fn number(data: &[u8], at: usize, length: usize) -> Result<u64> {
    let bytes = data.get(at..at + length).ok_or("it is cut off")?;
    Ok(bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn place(data: &[u8], at: usize, length: usize) -> Result<usize> {
    Ok(usize::try_from(number(data, at, length)?)?)
}
