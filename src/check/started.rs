//! From the default loader on: whether Secure Boot starts it, and if it is shim, what comes behind it.

use super::secure_boot::{Keys, outdated};
use super::{Judged, No, no};
use crate::facts::{Description, EspFacts, LoaderFacts, MenuProgram, ShimFacts};

/// Whether firmware starts `loader`, which is in `volume`, shim what is behind it, and the built-in loader what its menu starts: how, to be
/// read behind the loader's path.
pub(super) fn started(facts: &Description, volume: &EspFacts, loader: &LoaderFacts, keys: Option<&Keys<'_>>) -> Judged {
    let by = match keys {
        Some(keys) => format!(", {}", keys.start(loader)?),
        None => String::new(),
    };
    match &loader.shim {
        Some(shim) => behind_shim(facts, volume, loader, shim, keys).map(|behind| by + &behind),
        None => of_menu(facts, loader, None, keys).map(|menu| by + &menu),
    }
}

/// The built-in loader has the firmware load what its menu starts. shim puts itself in the firmware's place for that since version 16.
fn of_menu(facts: &Description, loader: &LoaderFacts, shim: Option<&ShimFacts>, keys: Option<&Keys<'_>>) -> Judged {
    const TAKES_OVER: (u32, u32) = (16, 0);
    let (true, Some(keys)) = (loader.is_built_in(), keys) else {
        return Ok(String::new());
    };
    let shim = shim.filter(|shim| shim.data.version.is_some_and(|version| version >= TAKES_OVER));
    let judge = |program: &LoaderFacts| match shim {
        Some(shim) => keys.start_by_shim(shim, program),
        None => keys.start(program),
    };
    let mut said = String::new();
    let mut refused = Vec::new();
    for MenuProgram {
        title,
        is_default,
        program,
    } in &facts.menu_programs
    {
        match judge(program) {
            Ok(by) if *is_default => said = format!("; its menu starts {}, {by}", program.path),
            Ok(_) => {}
            Err(refused) if *is_default => {
                let why = format!("whose menu does not start {}, {}", program.path, refused.why);
                return Err(no(why, refused.mend));
            }
            Err(_) => refused.push(format!("{title:?}")),
        }
    }
    if !refused.is_empty() {
        said += &format!("; Secure Boot does not start {} of the menu", refused.join(", "));
    }
    Ok(said)
}

/// shim's way (`shim.c`, `efi_main`): itself, `fb*.efi` if it lies beside, else the second stage.
fn behind_shim(
    facts: &Description,
    volume: &EspFacts,
    loader: &LoaderFacts,
    shim: &ShimFacts,
    keys: Option<&Keys<'_>>,
) -> Judged {
    let own = loader.sbat.as_deref().unwrap_or_default();
    if let (Some((component, has, asks)), true) = (outdated(own, &shim.asks), keys.is_some()) {
        return Err(no(
            format!("a shim that refuses itself: it asks for {component} generation {asks}, and has {has}"),
            "a newer one",
        ));
    }
    let fallback = format!("fb{}.efi", loader.machine);
    if let Some(fallback) = volume.loader(&fallback) {
        return Err(no(
            format!(
                "a shim that starts {} in place of {}, which resets the machine again and again",
                fallback.path, shim.starts
            ),
            format!("an image without {}", fallback.path),
        ));
    }
    let Some(second) = volume.loader(&shim.starts) else {
        return Err(no(
            format!("a shim that does not find /EFI/BOOT/{}", shim.starts),
            "a loader of that name",
        ));
    };
    if second.machine != loader.machine {
        return Err(no(
            format!(
                "a shim that does not start {}, which is not a program for {}: its machine is {}",
                second.path, loader.machine, second.machine
            ),
            format!("a loader for {} of that name", loader.machine),
        ));
    }
    let Some(keys) = keys else {
        return Ok(format!(", which starts {}", second.path));
    };
    let refused = |refused: No| {
        no(
            format!("a shim that does not start {}, {}", second.path, refused.why),
            refused.mend,
        )
    };
    let by = keys.start_by_shim(shim, second).map_err(refused)?;
    is_new_enough(shim, second)?;
    let menu = of_menu(facts, second, Some(shim), Some(keys)).map_err(|refused| {
        no(
            format!("a shim that starts {}, {}", second.path, refused.why),
            refused.mend,
        )
    })?;
    Ok(format!("; it starts {}, {by}{menu}", second.path))
}

/// shim's `verify_sbat_section`: since shim 15.3 everything that it starts has generations.
fn is_new_enough(shim: &ShimFacts, second: &LoaderFacts) -> Result<(), No> {
    let Some(generations) = &second.sbat else {
        return Err(no(
            format!("a shim that does not start {}, which has no section .sbat", second.path),
            "a loader with one",
        ));
    };
    match outdated(generations, &shim.asks) {
        None => Ok(()),
        Some((component, has, asks)) => Err(no(
            format!(
                "a shim that asks for {component} generation {asks}, and {} has {has}",
                second.path
            ),
            "a newer one",
        )),
    }
}
