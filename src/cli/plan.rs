//! `isobuild plan`

use isobuild::manifest;
use isobuild::manifest::error::Error;
use isobuild::plan::{self, IsoTree};
use isobuild::resolve;

use super::progress::Progress;
use super::{Plan, environment, print, print_json, show};

pub(super) fn run(arguments: &Plan) -> Result<(), Error> {
    let progress = Progress::new("looking at the inputs", false);
    let document = manifest::load(&arguments.manifest)?;
    let resolved = resolve::resolve(&document, &environment(None))?;
    let iso = IsoTree::of(&resolved);
    let planned = |error: plan::PlanError| error.into_error(&document);
    let plan = plan::plan(&resolved, &iso).map_err(planned)?;
    let mut facts = plan.describe().map_err(planned)?;
    arguments.trust.judge(&mut facts, &[])?;
    drop(progress);
    show::warnings(&resolved.report, &facts.warnings);
    match arguments.json {
        true => print_json(&facts),
        false => print(&show::picture(&facts)),
    }
}
