//! Any texts as the configurations of boot loaders, one behind the other with a zero byte between them.

#![no_main]

use isobuild::inside::look::menu::of_texts;
use libfuzzer_sys::fuzz_target;

/// Where the first texts lie in the tree.
const TREE: [&str; 6] = [
    "/boot/grub/grub.cfg",
    "/isolinux/isolinux.cfg",
    "/isolinux/menu.cfg",
    "/loader/entries/a.conf",
    "/boot/isobuild/menu.cfg",
    "/boot/loader.conf",
];

/// Where those behind them lie in the FAT volume.
const ESP: [&str; 3] = ["/EFI/BOOT/BOOTX64.EFI", "/EFI/BOOT/grub.cfg", "/loader/entries/b.conf"];

fuzz_target!(|text: &str| {
    let mut texts = text.split('\0').chain(std::iter::repeat(""));
    let mut with = |paths: &[&'static str]| paths.iter().copied().zip(&mut texts).collect::<Vec<_>>();
    let (tree, esp) = (with(&TREE), with(&ESP));
    drop(of_texts(&tree, &esp));
});
