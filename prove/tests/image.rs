//! The image ID and the page tree are RISC Zero's.

mod common;

use common::DATA;
use lockstep::map;
use lockstep::mem::{Memory, PageNo};
use lockstep_prove::claim::image_id;
use lockstep_prove::pages::PageTree;
use risc0_binfmt::{Digestible, MemoryImage, Page, SystemState, WordAddr};
use risc0_zkp::core::hash::sha::Impl;

/// risc0-binfmt's image ID of the words.
fn theirs(words: &[(u32, u32)]) -> [u8; 32] {
    let mut image = MemoryImage::default();
    let memory = memory(words);
    for (number, words) in memory.pages() {
        let mut page = Page::default();
        for (i, word) in words.iter().enumerate() {
            page.store(WordAddr(number.0 * 256 + i as u32), *word);
        }
        image.set_page(number.0, page);
    }
    let state = SystemState { pc: 0, merkle_root: image.image_id() };
    state.digest::<Impl>().into()
}

fn memory(words: &[(u32, u32)]) -> Memory {
    let mut memory = Memory::new();
    words.iter().for_each(|(addr, word)| memory.set_word(*addr, *word));
    memory
}

fn ours(words: &[(u32, u32)]) -> [u8; 32] {
    let memory = memory(words);
    let tree = PageTree::new(memory.pages().map(|(number, page): (PageNo, _)| (number.0, page)));
    image_id(&tree.root())
}

/// Of an empty image, of single pages at both ends of memory, of neighbours, and of pages full of noise.
#[test]
fn image_ids_are_risc_zeros() {
    let mut images: Vec<Vec<(u32, u32)>> = vec![
        Vec::new(),
        vec![(DATA, 1)],
        vec![(0, u32::MAX)],
        vec![(u32::MAX - 3, 0x7800_0001)],
        vec![(DATA, 5), (DATA + 1024, 6), (DATA + 4096, 7), (map::KERNEL_START, 8), (map::SUSPEND_PC, 9)],
    ];
    let mut word = 1_u32;
    let noise = (0..3000_u32).map(|i| {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (DATA.wrapping_add(i.wrapping_mul(0x0004_1234)) & !3, word)
    });
    images.push(noise.collect());
    for image in images {
        assert_eq!(ours(&image), theirs(&image), "{} words", image.len());
    }
}
