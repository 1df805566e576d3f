//! `[boot.sign]`: a key and its certificate, or a command.

use super::Checks;
use crate::manifest::{Manifest, Sign};

impl Checks<'_> {
    pub(super) fn sign(&mut self, manifest: &Manifest) {
        let Some(at) = &manifest.boot.sign else { return };
        let Sign { key, cert, command } = at.get_ref();
        for path in key.iter().chain(cert) {
            self.not_empty(path, "a host path");
        }
        match (key, command) {
            (Some(_), None) if cert.is_none() => {
                self.error(at, "`sign` needs the certificate of the key (`cert`)", "a key alone");
            }
            (Some(_), None) => {}
            (None, Some(command)) => {
                for place in ["{in}", "{out}"] {
                    if !command
                        .get_ref()
                        .iter()
                        .skip(1)
                        .any(|word| word.get_ref().contains(place))
                    {
                        let message = format!("the command needs {place:?} where the name of a file is to stand");
                        self.error(command, message, "has no such word");
                    }
                }
            }
            (Some(_), Some(command)) => self.error(command, "`sign` has a `key` already", "one too many"),
            (None, None) => self.error(
                at,
                "`sign` needs a `key` and its `cert`, or a `command`",
                "signs nothing",
            ),
        }
        if manifest.menu.is_empty() && !manifest.has_uki() {
            let message = "`sign` is for the loader, which is there with a [[menu]], and for unified kernel images";
            self.error(at, message, "nothing to sign");
        }
    }
}
