//! From the default loader on: whether Secure Boot starts it, and if it is shim, what comes behind it.

use super::secure_boot::{Keys, outdated};
use super::{Judged, No, no};
use crate::facts::{EspFacts, LoaderFacts, ShimFacts};

/// Whether firmware starts `loader`, which is in `volume`, and shim what is behind it: how, to be read behind the loader's path.
pub(super) fn started(volume: &EspFacts, loader: &LoaderFacts, keys: Option<&Keys<'_>>) -> Judged {
    let by = match keys {
        Some(keys) => format!(", {}", keys.start(loader)?),
        None => String::new(),
    };
    match &loader.shim {
        Some(shim) => behind_shim(volume, loader, shim, keys).map(|behind| by + &behind),
        None => Ok(by),
    }
}

/// shim's way (`shim.c`, `efi_main`): itself, `fb*.efi` if it lies beside, else the second stage.
fn behind_shim(volume: &EspFacts, loader: &LoaderFacts, shim: &ShimFacts, keys: Option<&Keys<'_>>) -> Judged {
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
    Ok(format!("; it starts {}, {by}", second.path))
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
