//! `lockstep image-id`: the identity of a program with its kernel.

use std::process::ExitCode;

use lockstep::map;
use lockstep::mem::PageNo;
use lockstep_prove::claim::image_id;
use lockstep_prove::pages::PageTree;
use lockstep_prove::verifier::hex;

use crate::error::Error;
use crate::program::ProgramArgs;

/// The arguments of `lockstep image-id`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  lockstep image-id sum.elf\n  lockstep image-id test.elf --kernel none")]
pub struct Args {
    #[command(flatten)]
    program: ProgramArgs,
}

/// Prints the image ID.
///
/// # Errors
/// A file that cannot be read or is no program.
pub fn run(args: Args) -> Result<ExitCode, Error> {
    let machine = args.program.load()?.image.machine().map_err(Error::usage)?;
    let mut pages: Vec<_> = machine.mem.pages().map(|(number, _)| number).collect();
    pages.push(PageNo::of(map::MACHINE_REGS));
    let pages: Vec<_> = pages.into_iter().map(|number| (number.0, machine.page(number))).collect();
    let tree = PageTree::new(pages.iter().map(|(number, page)| (*number, page)));
    println!("{}", hex(&image_id(&tree.root())));
    Ok(ExitCode::SUCCESS)
}
