//! The page tree: a row for each inner node above a page of the segment, before and after it.

use super::chip;
use crate::air::{Builder, Bus, Times, columns};
use crate::expr::Expr;

/// The page tree.
pub struct Tree;

/// The level of the pages, below that of the root, 0.
pub const DEPTH: u32 = 22;

columns! {
    /// A row is one inner node.
    TreeRow {
        real,
        /// The distance from the root, and the place among the nodes of that level.
        level, index,
        /// The digest of the node before and after.
        pre[8], post[8],
        /// The digests of its children.
        left_pre[8], right_pre[8], left_post[8], right_post[8],
        /// The capacity cells that the hash leaves.
        rest_pre[8], rest_post[8],
        /// Which children are nodes or pages of the segment.
        touches[2],
    }
}

chip!(Tree, "tree", TreeRow);

/// Puts a node on its bus: its parent sends it, it receives itself.
pub fn node<B: Builder>(
    b: &mut B,
    times: Times<Expr<B::Raw>>,
    level: Expr<B::Raw>,
    index: Expr<B::Raw>,
    pre: [Expr<B::Raw>; 8],
    post: [Expr<B::Raw>; 8],
) {
    let mut cells = [level, index].into_iter().chain(pre).chain(post);
    let tuple: [_; 18] = std::array::from_fn(|_| cells.next().expect("2 + 8 + 8 cells"));
    b.interact(Bus::Node, times, tuple);
}

/// Looks a permutation up: 16 cells and the capacity in, the first 8 and the last 8 cells out.
pub fn permute<B: Builder>(
    b: &mut B,
    real: &Expr<B::Raw>,
    block: impl IntoIterator<Item = Expr<B::Raw>>,
    capacity: impl IntoIterator<Item = Expr<B::Raw>>,
    digest: &[Expr<B::Raw>; 8],
    rest: &[Expr<B::Raw>; 8],
) {
    let outputs = digest.iter().chain(rest).cloned();
    let mut cells = block.into_iter().chain(capacity).chain(outputs);
    let tuple: [_; 40] = std::array::from_fn(|_| cells.next().expect("16 + 8 + 8 + 8 cells"));
    b.interact(Bus::Poseidon2, Times::Send(real.clone()), tuple);
}

impl Tree {
    fn constrain<B: Builder>(b: &mut B, row: TreeRow<Expr<B::Raw>>) {
        let real = &row.real;
        super::booleans(b, &[real.clone(), row.touches[0].clone(), row.touches[1].clone()]);
        node(b, Times::Receive(real.clone()), row.level.clone(), row.index.clone(), row.pre.clone(), row.post.clone());
        let zeros = || (0..8).map(|_| Expr::zero());
        // RISC Zero hashes the right child before the left.
        let both =
            |left: &[Expr<B::Raw>; 8], right: &[Expr<B::Raw>; 8]| right.iter().chain(left).cloned().collect::<Vec<_>>();
        permute(b, real, both(&row.left_pre, &row.right_pre), zeros(), &row.pre, &row.rest_pre);
        permute(b, real, both(&row.left_post, &row.right_post), zeros(), &row.post, &row.rest_post);
        let children = [(&row.left_pre, &row.left_post), (&row.right_pre, &row.right_post)];
        for (side, (pre, post)) in children.into_iter().enumerate() {
            let touches = &row.touches[side];
            b.zero("only a real node touches children", touches * real.not());
            // A child outside the segment is as it was.
            for i in 0..8 {
                b.zero("an untouched child does not change", touches.not() * (&pre[i] - &post[i]));
            }
            let index = &row.index * 2 + side as u32;
            node(b, Times::Send(touches.clone()), &row.level + 1, index, pre.clone(), post.clone());
        }
    }
}
