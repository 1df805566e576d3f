//! What starts an image: one place for each family of boot loaders. A family judges which entries of a menu it can start, and turns the menu
//! into its own files.
//!
//! | family | what it is |
//! |---|---|
//! | `builtin` | the loader of this project, embedded |
//! | `raw` | the manifest's own boot images and boot code: `[boot.bios]`, `[boot.uefi]`, `[[boot.entry]]` |

pub mod assets;
pub mod builtin;
pub(super) mod raw;

/// The family that shows the menu.
pub(super) use builtin::{install, judge, warn_of_line, warn_of_titles};
