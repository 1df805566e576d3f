//! Any bytes as an image or a disk: all that `inspect`, `check`, `ls`, `cat` and `diff` make of it.

#![no_main]

use std::io;

use isobuild::inside::look::contents::{Item, Place, Tree, partition};
use isobuild::inside::look::diff::diff;
use isobuild::inside::look::digests;
use isobuild::inside::look::inspect::inspect;
use isobuild_fuzz::Sparse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let image = Sparse::new(input);
    let described = inspect(&image);
    let root = || b"/".to_vec();
    for place in [
        Place::Tree(root()),
        Place::Iso(root()),
        Place::Udf(root()),
        Place::Esp(1, root()),
        Place::In(1, root()),
        Place::In(2, root()),
    ] {
        // A look of its own, with a limit of its own.
        let image = Sparse::new(input);
        if let Ok((tree, _)) = Tree::of(&image, place) {
            let of_tree = |item: &Item| tree.find(&item.path, true).map(drop);
            tree.items().iter().take(16).for_each(|item| drop(of_tree(item)));
            contents(input, tree.items());
        }
    }
    if let Ok(described) = described {
        let numbers = described
            .facts
            .partitions
            .iter()
            .take(4)
            .map(|partition| partition.number);
        let partitions: Vec<Item> = numbers.filter_map(|number| partition(&image, number).ok()).collect();
        contents(input, &partitions);
        let _ = digests::verify(&Sparse::new(input), &mut |_| {});
        let (image, part) = (Sparse::new(input), Sparse::new(&input[..input.len() / 2]));
        let _ = diff(&image, &part);
    }
});

/// A few contents, and no more of each than shows that it is read.
fn contents(input: &[u8], items: &[Item]) {
    let some = items.iter().filter(|item| item.length > 0).take(4);
    for item in some.chain(items.iter().filter(|item| item.zisofs.is_some()).take(4)) {
        let mut left = 4 << 20;
        let _ = item.copy(&Sparse::new(input), &mut |bytes| {
            left = usize::checked_sub(left, bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
            Ok(())
        });
    }
}
