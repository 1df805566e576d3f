//! Boots isobuild's examples in QEMU, and shows their images to readers that other people wrote.
//!
//! A test knows the path of the binary, of a manifest and of an image, and nothing of isobuild's insides, so that the same tests
//! would judge any other program that reads the manifest. Three of them judge what no manifest asks for and call the library.
//!
//! What is expected:
//! - [`example`]: an example directory; its `test.toml` lists every file of the image by hand, and the cells that boot.
//! - [`boot_info`]: the one table that isobuild writes into a file, computed a second time.
//! - [`odd`]: a tree of names, lengths and links that formats and readers trip over.
//! - [`broken`]: copies of an image with one thing wrong in each.
//! - [`preserved`]: a tree whose modes, owners, times and hard links are kept.
//! - [`installers`]: small installers with the structure of other people's.
//! - [`inside`]: what isobuild itself says is in an image.
//! - [`listing`]: what a reader finds, and how that differs from what is expected.
//!
//! The machines are isobuild's own, `isobuild::inside::vm`; in them:
//! - [`verbs`]: `run`, `test` and `doctor` as a user types them.
//! - [`linux`]: what the tests' own Linux guest says of a tree that it has mounted.
//! - [`cpio`]: the initramfs of the tests' own Linux guest.
//!
//! What is around them:
//! - [`place`]: an output path and what stands there before and after a build.
//! - [`workspace`], [`tools`], [`pins`], [`hash`]: what is where, what has to be installed, which inputs are pinned.
//! - [`suite`]: tests made from the examples, and what becomes of one that lacks a tool.
//!
//! The tests, in `tests/all/`:
//! - `boot.rs`: every cell of every example up to what it has to show.
//! - `loader.rs`, `loader_faults.rs`: the built-in loader starts Linux and programs, shows its menu, and says why it cannot.
//! - `judges.rs`: xorriso, isoinfo, bsdtar, 7z, pycdlib, mtools, fsck.vfat, sgdisk and sfdisk read every image.
//! - `linux_guest.rs`: Linux mounts every image, an odd tree's too, by its label as Rock Ridge, Joliet and plain ISO 9660.
//! - `containers.rs`: disks and compressed files in every form, written for others and read from others.
//! - `attributes.rs`: modes, owners, times and hard links, read back by others.
//! - `cli.rs`: exit codes, streams and memory.
//! - `input_faults.rs`: inputs that fail, change or hang while they are read.
//! - `large_trees.rs`: 200,000 names, 70,000 directories, a depth of 1,000 and files over 4 GiB, and the memory that they take.
//! - `output_faults.rs`, `output_signals.rs`, `output_places.rs`: what is at the output path whatever fails, ends or is in the way.
//! - `machines.rs`: `test`, with machines that boot, hang and end.
//! - `run.rs`: `run` and `doctor`, and machines that cannot start.
//! - `check.rs`: verdicts and exit codes of `check`.
//! - `agreement.rs`: its verdicts are what firmware does, for examples, Debian's images and broken copies.
//! - `look.rs`: `ls` and `cat` give every name and byte back, of our images and of Debian's.
//! - `diff.rs`: what differs between two images, and that nothing does.
//! - `extract.rs`: names, bytes and attributes come out whole, and into one directory alone.
//! - `others_images.rs`: relocated directories and sessions as genisoimage and xorriso write them.
//! - `udf.rs`: volumes that Linux and genisoimage have written, of every revision and kind of partition.
//! - `mutations.rs`: ten thousand damaged images, and what `inspect` reads and takes of memory for each.
//! - `fat_volumes.rs`, `gpt_tables.rs`: fsck.vfat, mtools and the fdisks over volumes and tables of every kind.
//! - `examples.rs`: golden plan and digest, and the same bytes from another place and user.
//! - `inspect.rs`: what it says of ours is what `plan` said, of Debian's is what others find, and of no image is why not.
//! - `words.rs`: the words that `plan` and `inspect` share, against the bytes of the standards.
//!
//! A new example is tested by its directory alone.

pub mod bochs;
pub mod boot_info;
pub mod broken;
pub mod cpio;
pub mod example;
pub mod fat_stick;
pub mod forge;
pub mod hash;
pub mod initramfs;
pub mod inside;
pub mod installers;
pub mod linux;
pub mod listing;
pub mod loops;
pub mod odd;
pub mod pins;
pub mod place;
pub mod preserved;
pub mod secure;
pub mod secure_parts;
pub mod secure_rows;
pub mod stand_in;
pub mod suite;
pub mod system;
pub mod tools;
pub mod verbs;
pub mod workspace;
