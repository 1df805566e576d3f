//! The families of boot loaders: each turns a menu into its own files.

pub mod builtin;
