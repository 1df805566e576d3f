//! `isobuild plan`

use crate::manifest;
use crate::manifest::error::Error;
use crate::plan::{self, Late};
use crate::resolve;

use super::planned::planned;
use super::progress::Progress;
use super::{Plan, environment, print, print_json, show};

pub(super) fn run(arguments: &Plan) -> Result<(), Error> {
    let progress = Progress::new("looking at the inputs", false);
    let document = manifest::load(&arguments.manifest)?;
    let resolved = resolve::resolve(&document, &environment(None))?;
    let planned = |error: plan::PlanError| planned(error, &document);
    let plan = plan::plan(resolved.contents).map_err(planned)?;
    let mut described = plan.describe(&Late::default()).map_err(planned)?;
    arguments.trust.judge(&mut described, &[])?;
    drop(progress);
    show::warnings(&resolved.report, &described.planned.warnings);
    match arguments.json {
        true => print_json(&described),
        false => print(&show::picture(&described)),
    }
}
