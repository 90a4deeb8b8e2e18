//! The identity of an image: the root of a Merkle tree over its pages (ELF-12).

use risc0_binfmt::{Digestible, MemoryImage, Page as BinfmtPage, SystemState, WordAddr};
use risc0_zkp::core::hash::sha::Impl;

use crate::mem::{Memory, PAGE_WORDS, Page, PageNo};

/// RISC Zero's image ID of `memory`, as bytes.
///
/// The tree is built by risc0-binfmt from our pages, so that it is the identity of what runs here.
pub fn image_id(memory: &Memory) -> [u8; 32] {
    let state = SystemState { pc: 0, merkle_root: memory_image(memory).image_id() };
    state.digest::<Impl>().into()
}

/// `memory` as RISC Zero's executor takes it.
pub fn memory_image(memory: &Memory) -> MemoryImage {
    let mut image = MemoryImage::default();
    for (page, words) in memory.pages() {
        image.set_page(page.0, page_of(page, words));
    }
    image.update_digests();
    image
}

fn page_of(number: PageNo, words: &Page) -> BinfmtPage {
    let mut page = BinfmtPage::default();
    let first = number.0 * PAGE_WORDS as u32;
    for (i, word) in (0..).zip(words) {
        page.store(WordAddr(first + i), *word);
    }
    page
}
