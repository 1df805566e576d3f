//! `cargo run --manifest-path xtask/fuzz/Cargo.toml --example seed IMAGE FILE`: an input for the target `image` from an image, without what its files hold but for their beginnings.

use std::error::Error;
use std::ops::Range;

use isobuild::inside::facts::What;
use isobuild::inside::look::inspect::inspect;

/// Enough for a boot info table, and for what tells a compressed file.
const BEGINNING: u64 = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, file] = arguments.as_slice() else {
        return Err("seed IMAGE FILE".into());
    };
    let image = std::fs::read(image)?;
    let left_out: Vec<Range<u64>> = match inspect(&image) {
        Ok(described) => {
            let of_file = |what: &What| matches!(what, What::File | What::Unknown);
            let files = described.facts.extents.iter().filter(|extent| of_file(&extent.what));
            files
                .filter(|extent| extent.length > BEGINNING)
                .map(|extent| extent.offset + BEGINNING..(extent.offset + extent.length).min(image.len() as u64))
                .collect()
        }
        // A volume without an image around it.
        Err(_) => Vec::new(),
    };
    std::fs::write(file, isobuild_fuzz::input(&image, &left_out))?;
    Ok(())
}
