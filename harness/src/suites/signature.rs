//! Signatures: what a reference model left in memory, as the tools of the architectural tests write it.

use std::fs;
use std::path::{Path, PathBuf};

use lockstep::map::Addr;

use super::own::Labels;
use super::{Error, Signature};

/// The words of a signature file. A line holds one word, or two or four of which the one at the highest address is
/// the first.
///
/// # Errors
/// A line that is none of these.
pub fn words(path: &Path) -> Result<Vec<u32>, Error> {
    let text = fs::read_to_string(path).map_err(|error| Error::file(path, error))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let words = lines.map(line_words).collect::<Option<Vec<_>>>();
    Ok(words.ok_or_else(|| Error::file(path, "a line of a signature is not one, two or four words in hex"))?.concat())
}

fn line_words(line: &str) -> Option<Vec<u32>> {
    const DIGITS: usize = 8;
    if !line.is_ascii() || ![DIGITS, 2 * DIGITS, 4 * DIGITS].contains(&line.len()) {
        return None;
    }
    let starts = (0..line.len()).step_by(DIGITS).rev();
    starts.map(|at| u32::from_str_radix(&line[at..at + DIGITS], 16).ok()).collect()
}

/// The signature in `file` for the program with `labels`.
///
/// # Errors
/// The file is no signature, or not one of this program.
pub fn read(file: &Path, labels: &Labels) -> Result<Signature, Error> {
    let label =
        |name: &str| labels.address(name).ok_or_else(|| Error::file(file, format!("its program has no label {name}")));
    let (start, end) = (label("begin_signature")?, label("end_signature")?);
    fit(words(file)?, start, end).map_err(|problem| Error::file(file, problem))
}

/// Models pad a signature to a multiple of 16 bytes.
const PADDING_WORDS: usize = 3;

fn fit(mut words: Vec<u32>, start: Addr, end: Addr) -> Result<Signature, String> {
    let wanted = end.saturating_sub(start) as usize / 4;
    if words.len() < wanted || words.len() > wanted + PADDING_WORDS {
        return Err(format!("it has {} words, the program's signature {wanted}", words.len()));
    }
    words.truncate(wanted);
    Ok(Signature { start, words })
}

/// The signature that a reference model left for `elf`: beside it, or where riscof puts it
/// (`TEST.S/dut/my.elf` has `TEST.S/ref/Reference-MODEL.signature`).
pub fn beside(elf: &Path) -> Option<PathBuf> {
    let folder = elf.parent()?;
    let stem = elf.file_name()?.to_string_lossy().trim_end_matches(".elf").to_string();
    let named = [".reference_output", ".signature", ".signature.output"].map(|end| folder.join(format!("{stem}{end}")));
    let of_stem = [folder.join(format!("{}.sig", stem.trim_end_matches(".sig")))];
    let found = named.into_iter().chain(of_stem).find(|path| path.is_file());
    found.or_else(|| reference_in(&folder.join("../ref"))).or_else(|| reference_in(folder))
}

fn reference_in(folder: &Path) -> Option<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let is_reference = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("Reference-") && name.ends_with(".signature")
    };
    paths.into_iter().find(is_reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_one_two_and_four_words() {
        assert_eq!(line_words("0000000a"), Some(vec![10]));
        assert_eq!(line_words("0000000b0000000a"), Some(vec![10, 11]));
        assert_eq!(line_words("0000000d0000000c0000000b0000000a"), Some(vec![10, 11, 12, 13]));
        assert_eq!(line_words("0000000a0"), None);
        assert_eq!(line_words("x000000a"), None);
    }

    #[test]
    fn padding_is_left_out_and_other_lengths_are_refused() {
        assert_eq!(fit(vec![1, 2, 0, 0], 0x100, 0x108), Ok(Signature { start: 0x100, words: vec![1, 2] }));
        assert_eq!(fit(vec![1], 0x100, 0x108), Err("it has 1 words, the program's signature 2".into()));
        assert_eq!(fit(vec![1; 9], 0x100, 0x108), Err("it has 9 words, the program's signature 2".into()));
    }
}
