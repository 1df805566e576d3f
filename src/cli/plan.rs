//! `isobuild plan`

use crate::Image;
use crate::manifest;
use crate::plan::Late;

use super::progress::Progress;
use super::{Failure, Plan, environment, print, print_json, show};

pub(super) fn run(arguments: &Plan) -> Result<(), Failure> {
    let progress = Progress::new("looking at the inputs", false);
    let document = manifest::load(&arguments.manifest)?;
    let image = Image::of(document, &environment(Vec::new()))?;
    let mut described = image.describe(&Late::default())?;
    arguments.trust.judge(&mut described, &[])?;
    drop(progress);
    show::warnings(image.report(), &described.planned.warnings);
    match arguments.json {
        true => print_json(&described),
        false => print(&show::picture(&described)),
    }
}
