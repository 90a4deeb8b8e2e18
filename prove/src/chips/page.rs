//! Pages: the words of each page of the segment, before and after it, under the page tree.
//!
//! A page is 32 rows of 8 words. A *data* page puts its words on the memory bus at time 0 and takes
//! them back with the time of their last access. A *code* page offers its words on the code bus,
//! as often as they are asked for, and does not change. The tree makes each page the one or the
//! other, once.

use super::chip;
use super::tree::{DEPTH, node, permute};
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// The pages.
pub struct Page;

/// Words in a row.
pub const ROW_WORDS: usize = 8;
/// Rows in a page.
pub const PAGE_ROWS: u32 = 32;

columns! {
    /// A row is 8 words of one page.
    PageRow {
        real, is_code,
        /// The number of the page.
        page,
        /// Which row of it this is, and whether it is the first or the last.
        block, is_first, is_last,
        /// The half-words before and after.
        pre[16], post[16],
        /// When each word was last accessed.
        t[8],
        /// How often each word of a code page is asked for.
        count[8],
        /// The capacity cells of the hash before this row.
        capacity_pre[8], capacity_post[8],
        /// The first cells of the hash after it: the digest, in the last row.
        digest_pre[8], digest_post[8],
        /// The capacity cells after it.
        rest_pre[8], rest_post[8],
    }
}

chip!(
    Page,
    "page",
    PageRow,
    fn reads_next(&self) -> bool {
        true
    }
);

impl Page {
    fn constrain<B: Builder>(b: &mut B, row: PageRow<Expr<B::Raw>>) {
        row.order(b);
        row.hash(b);
        row.words(b);
    }
}

impl<X: p3_field::PrimeCharacteristicRing> PageRow<Expr<X>> {
    /// Rows 0 to 31 of each page follow each other; padding is behind the last page.
    fn order<B: Builder<Raw = X>>(&self, b: &mut B) {
        let PageRow { real, is_code, page, block, is_first, is_last, .. } = self;
        let flags = [real, is_code, is_first, is_last].map(Expr::clone);
        super::booleans(b, &flags);
        for flag in &flags[1..] {
            b.zero("a flag is set in a real row only", flag * real.not());
        }
        let next = PageRow::next(b);
        b.zero("the table begins with a page", b.is_first() * (real - is_first));
        b.zero("the table ends with a page", b.is_last() * (real - is_last));
        b.zero("the first row is row 0", is_first * block);
        b.zero("the last row is row 31", is_last * (-block.clone() + (PAGE_ROWS - 1)));
        let same = &(b.is_transition() * (real - is_last));
        b.zero("a page goes on to its last row", same * next.real.not());
        b.zero("a page keeps its number", same * (&next.page - page));
        b.zero("a page keeps its kind", same * (&next.is_code - is_code));
        b.zero("rows follow each other", same * (&next.block - block - 1));
        b.zero("padding follows padding", b.is_transition() * real.not() * &next.real);
        b.zero("a page begins behind the last row", b.is_transition() * (is_last * &next.real - &next.is_first));
        for i in 0..8 {
            b.zero("the hash goes on", same * (&next.capacity_pre[i] - &self.rest_pre[i]));
            b.zero("the hash goes on", same * (&next.capacity_post[i] - &self.rest_post[i]));
            b.zero("the hash begins at 0", is_first * &self.capacity_pre[i]);
            b.zero("the hash begins at 0", is_first * &self.capacity_post[i]);
        }
    }

    /// The page's digests are those of its node.
    fn hash<B: Builder<Raw = X>>(&self, b: &mut B) {
        let real = &self.real;
        permute(b, real, self.pre.clone(), self.capacity_pre.clone(), &self.digest_pre, &self.rest_pre);
        permute(b, real, self.post.clone(), self.capacity_post.clone(), &self.digest_post, &self.rest_post);
        let (pre, post) = (self.digest_pre.clone(), self.digest_post.clone());
        node(b, Times::Receive(self.is_last.clone()), Expr::of(DEPTH), self.page.clone(), pre, post);
    }

    /// The words are on the memory bus or on the code bus.
    fn words<B: Builder<Raw = X>>(&self, b: &mut B) {
        let PageRow { real, is_code, page, block, pre, post, t, count, .. } = self;
        let is_data = &(real - is_code);
        for i in 0..ROW_WORDS {
            let waddr = page * 256 + block * 8 + i as u32;
            let [lo, hi] = [pre[2 * i].clone(), pre[2 * i + 1].clone()];
            b.half(real.clone(), lo.clone());
            b.half(real.clone(), hi.clone());
            b.interact(
                Bus::Memory,
                Times::Send(is_data.clone()),
                [waddr.clone(), lo.clone(), hi.clone(), Expr::zero()],
            );
            let last = [waddr.clone(), post[2 * i].clone(), post[2 * i + 1].clone(), t[i].clone()];
            b.interact(Bus::Memory, Times::Receive(is_data.clone()), last);
            b.zero("code does not change", is_code * (&post[2 * i] - &lo));
            b.zero("code does not change", is_code * (&post[2 * i + 1] - &hi));
            b.zero("only code is asked for", &count[i] * is_code.not());
            b.interact(Bus::Code, Times::Provide(count[i].clone()), [waddr, lo, hi]);
        }
    }
}
