//! From the default loader on: whether Secure Boot starts it, and if it is shim, what comes behind it.

use super::secure_boot::{Keys, outdated};
use super::{Judged, No, no};
use crate::facts::{Common, EspFacts, LoaderFacts, MenuLoader, MenuProgram, ShimFacts};

/// A machine, and the volume that it has found.
pub(super) struct Start<'a> {
    pub(super) facts: &'a Common,
    pub(super) volume: &'a EspFacts,
    /// Whom the machine trusts, if it has Secure Boot.
    pub(super) keys: Option<&'a Keys<'a>>,
}

impl Start<'_> {
    /// Whether firmware starts `loader`, shim starts the loader behind it, and that loader starts what its menu names. The text says how, and
    /// follows the loader's path.
    pub(super) fn by_firmware(&self, loader: &LoaderFacts) -> Judged {
        let by = match self.keys {
            Some(keys) => format!(", {}", keys.start(loader)?),
            None => String::new(),
        };
        match &loader.shim {
            Some(shim) => self.by_shim(loader, shim).map(|behind| by + &behind),
            None => self.of_menu(loader, None).map(|menu| by + &menu),
        }
    }

    /// shim's way (`shim.c`, `efi_main`): itself, in the default directory `fb*.efi` if it lies beside, else the second stage.
    fn by_shim(&self, loader: &LoaderFacts, shim: &ShimFacts) -> Judged {
        let own = loader.sbat.as_deref().unwrap_or_default();
        if let (Some((component, has, asks)), true) = (outdated(own, &shim.asks), self.keys.is_some()) {
            return Err(no(
                format!("a shim that refuses itself: it asks for {component} generation {asks}, and has {has}"),
                "a newer one",
            ));
        }
        let is_default = loader.path.to_ascii_uppercase().starts_with("/EFI/BOOT/");
        let fallback = self.volume.beside(loader, &format!("fb{}.efi", loader.machine_word()));
        if let Some(fallback) = fallback.filter(|_| is_default) {
            return self.by_fallback(shim, fallback);
        }
        let Some(second) = self.volume.beside(loader, &shim.starts) else {
            return Err(no(
                format!("a shim that does not find {} beside it", shim.starts),
                "a loader of that name",
            ));
        };
        if second.machine != loader.machine {
            return Err(no(
                format!(
                    "a shim that does not start {}, which is not a program for {}: its machine is {}",
                    second.path,
                    loader.machine_word(),
                    second.machine_word()
                ),
                format!("a loader for {} of that name", loader.machine_word()),
            ));
        }
        let Some(by) = self.lets_start(shim, second)? else {
            return Ok(format!(", which starts {}", second.path));
        };
        let menu = self.of_menu(second, Some(shim)).map_err(|refused| {
            no(
                format!("a shim that starts {}, {}", second.path, refused.why),
                refused.mend,
            )
        })?;
        Ok(format!("; it starts {}, {by}{menu}", second.path))
    }

    /// Whether shim starts a program: by whose signature, if it asks for one.
    fn lets_start(&self, shim: &ShimFacts, program: &LoaderFacts) -> Result<Option<String>, No> {
        let Some(keys) = self.keys else { return Ok(None) };
        let refused = |refused: No| {
            let why = format!("a shim that does not start {}, {}", program.path, refused.why);
            no(why, refused.mend)
        };
        let by = keys.start_by_shim(shim, program).map_err(refused)?;
        is_new_enough(shim, program)?;
        Ok(Some(by))
    }

    /// `fallback.c`: it enters what the lists in the volume name into the firmware's own list, and starts the first. Without a list it resets
    /// the machine.
    fn by_fallback(&self, shim: &ShimFacts, fallback: &LoaderFacts) -> Judged {
        self.lets_start(shim, fallback)?;
        let Some(first) = fallback.listed.first() else {
            return Err(no(
                format!(
                    "a shim that starts {} in place of {}, which resets the machine again and again",
                    fallback.path, shim.starts
                ),
                format!("an image without {}", fallback.path),
            ));
        };
        let way = format!("a shim that starts {}, which starts {first}", fallback.path);
        let Some(program) = self.volume.program(first) else {
            let why = format!("{way} by a list (BOOT*.CSV), and that is not there");
            return Err(no(why, "the list without it, or the file"));
        };
        match self.by_firmware(program) {
            Ok(behind) => Ok(format!(
                "; it starts {}, which enters {first} into the firmware's list and starts it{behind}",
                fallback.path
            )),
            Err(refused) => Err(no(format!("{way}, {}", refused.why), refused.mend)),
        }
    }

    /// Whether Secure Boot lets a loader start what its menu names.
    ///
    /// The built-in loader asks the firmware to load a program. Since version 16, shim answers in the firmware's place. GRUB and systemd-boot
    /// ask shim directly. Without a shim, GRUB refuses to start a kernel (measured with 2.06).
    fn of_menu(&self, loader: &LoaderFacts, shim: Option<&ShimFacts>) -> Judged {
        const TAKES_OVER: (u32, u32) = (16, 0);
        let (Some(menu), Some(keys)) = (loader.menu(), self.keys) else {
            return Ok(String::new());
        };
        let takes_over = |shim: &&ShimFacts| shim.data.version.is_some_and(|version| version >= TAKES_OVER);
        let shim = shim.filter(|shim| menu != MenuLoader::Builtin || takes_over(shim));
        let judge = |program: &LoaderFacts, is_kernel: bool| match shim {
            Some(shim) => keys.start_by_shim(shim, program),
            None if is_kernel && menu == MenuLoader::Grub => Err(no(
                "which GRUB has shim verify, and there is no shim",
                "a shim that starts GRUB",
            )),
            None => keys.start(program),
        };
        let mut said = String::new();
        let mut refused = Vec::new();
        let programs = self.facts.menu_programs.iter().filter(|program| program.menu == menu);
        for MenuProgram {
            title,
            is_default,
            program,
            is_kernel,
            ..
        } in programs
        {
            match judge(program, *is_kernel) {
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
