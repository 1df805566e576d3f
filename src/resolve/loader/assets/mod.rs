//! The files of other people's loaders: where they are found, and which of them an image is made of.
//!
//! `boot.assets` comes first, in its order: directories, and packages of Debian or other archives, which are read as they are. Then come
//! the places where distributions install them.

mod installed;
mod table;

pub use installed::installed;
