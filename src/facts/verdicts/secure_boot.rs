//! Whom a machine with Secure Boot trusts, and whether a program is signed by them: EDK2's `DxeImageVerificationHandler`, and shim's
//! `verify_buffer`.

use super::{No, no};
use crate::facts::cell::Firmware;
use crate::facts::secure_boot::{Authority, Generation, REVOKED_X64_DATE, is_revoked_x64};
use crate::facts::{LoaderFacts, ShimFacts, SignatureFacts};
use crate::formats::authenticode::Certificate;

/// The certificates of a machine.
pub(super) struct Keys<'a> {
    /// Which machine it is, in words.
    machine: &'static str,
    /// The authorities that it was sold with.
    authorities: &'static [Authority],
    /// The certificates that its owner has enrolled.
    trusted: &'a [Certificate],
}

impl<'a> Keys<'a> {
    /// The certificates of a machine with this firmware. `None` if it does not ask for signatures.
    pub(super) fn of(firmware: Firmware, trusted: &'a [Certificate]) -> Option<Self> {
        let authorities: &[Authority] = match firmware {
            Firmware::SecureBoot => &[
                Authority::Uefi2011,
                Authority::Uefi2023,
                Authority::Windows2011,
                Authority::Windows2023,
            ],
            Firmware::SecureBoot2011 => &[Authority::Uefi2011, Authority::Windows2011],
            Firmware::SecureBoot2023 => &[Authority::Uefi2023, Authority::Windows2023],
            Firmware::SecureBootOwn => &[],
            _ => return None,
        };
        Some(Self {
            machine: firmware.machine(),
            authorities,
            trusted,
        })
    }

    /// Whether the firmware starts the program: by whose signature.
    pub(super) fn start(&self, program: &LoaderFacts) -> Result<String, No> {
        const MEND: &str = "a signed shim of that name, or a signature of yours (`boot.sign`) and its certificate in the firmware (`--trust`)";
        is_good(program, MEND)?;
        let by = self.signed_under(program, self.trusted.iter());
        by.ok_or_else(|| self.foreign(program, MEND))
    }

    /// Whether shim starts the program: by whose signature.
    pub(super) fn start_by_shim(&self, shim: &ShimFacts, program: &LoaderFacts) -> Result<String, No> {
        const MEND: &str = "one that is signed with a key of the machine's owner or of whoever made the shim";
        is_good(program, MEND)?;
        let hash = program.authenticode_sha256.as_ref();
        if hash.is_some_and(|hash| shim.data.denied_hashes.contains(hash)) {
            return Err(no("which this shim has on its list of revoked programs", "a newer one"));
        }
        if let Some(denied) = shim.data.denied.iter().find(|denied| leads(program, denied)) {
            let why = format!("which is signed under {}, and this shim refuses that", denied.name());
            return Err(no(why, MEND));
        }
        if let Some(vendor) = shim.data.vendors.iter().find(|vendor| leads(program, vendor)) {
            return Ok(format!("signed under the shim's own {}", vendor.name()));
        }
        // shim takes no key for kernel modules, whether it is in db or a Machine Owner Key.
        let trusted = self.trusted.iter().filter(|certificate| !certificate.is_for_modules());
        self.signed_under(program, trusted).ok_or_else(|| {
            let signer = good(program).find_map(|signature| signature.signer.as_deref());
            let signer = signer.unwrap_or("nobody known");
            if self.trusted.iter().any(Certificate::is_for_modules) {
                let why = format!(
                    "which is signed by {signer}: shim takes a certificate whose extended key usage is to sign kernel modules for \
                     nothing else"
                );
                return no(why, "a certificate without that usage");
            }
            let why = format!(
                "which starts only where the key is enrolled (MOK): it is signed by {signer}, not under the shim's own {}",
                shim.vendors.join(", ")
            );
            no(why, MEND)
        })
    }

    /// Under which authorities of this machine the program is signed, or else under which certificate of `trusted`.
    fn signed_under<'c>(
        &self,
        program: &LoaderFacts,
        mut trusted: impl Iterator<Item = &'c Certificate>,
    ) -> Option<String> {
        let has_signed = |one: &&Authority| good(program).any(|signature| signature.authorities.contains(one));
        let authorities: Vec<&str> = self
            .authorities
            .iter()
            .filter(has_signed)
            .map(|one| one.name())
            .collect();
        if !authorities.is_empty() {
            return Some(format!("signed under {}", authorities.join(" and ")));
        }
        let found = trusted.find(|certificate| leads(program, certificate))?;
        Some(format!("signed under {}, which its owner trusts", found.name()))
    }

    /// Why the machine refuses a program with a good signature: it does not know who has signed.
    fn foreign(&self, program: &LoaderFacts, mend: &str) -> No {
        let authorities = good(program).flat_map(|signature| &signature.authorities);
        let mut names: Vec<&str> = authorities.map(|authority| authority.name()).collect();
        names.dedup();
        if !names.is_empty() {
            let mend = match (self.authorities.is_empty(), &program.shim) {
                (true, _) => mend,
                (false, Some(_)) => "a shim with both signatures",
                (false, None) => "one with signatures of both years",
            };
            let alone = if names.len() == 1 { " alone" } else { "" };
            let why = format!(
                "which is signed under {}{alone}, and {} refuses it",
                names.join(" and "),
                self.machine
            );
            return no(why, mend);
        }
        let named = good(program).flat_map(|one| [one.signer.as_deref(), one.issuer.as_deref()]);
        let named: Vec<&str> = named.flatten().collect();
        let is_borrowed = |name: &&&str| Authority::ALL.iter().any(|authority| authority.name() == **name);
        let why = match named.iter().find(is_borrowed) {
            Some(name) => format!("which names {name}, which has not signed it"),
            None => format!(
                "which is signed by {}, and {} refuses it",
                named.first().unwrap_or(&"nobody known"),
                self.machine
            ),
        };
        no(why, mend)
    }
}

/// What makes every machine refuse a program, whomever it trusts. `mend` is for one without any signature.
fn is_good(program: &LoaderFacts, mend: &str) -> Result<(), No> {
    const AS_SIGNED: &str = "the file as its maker has signed it";
    if let Some(fault) = &program.certificate_table {
        return Err(no(format!("which {fault}"), AS_SIGNED));
    }
    if program.signatures.is_empty() {
        return Err(no("which is not signed", mend));
    }
    if good(program).next().is_none() {
        let fault = program
            .signatures
            .iter()
            .find_map(|signature| signature.fault.as_deref());
        return Err(no(format!("which {}", fault.unwrap_or_default()), AS_SIGNED));
    }
    let hash = program.authenticode_sha256.as_deref();
    match hash.is_some_and(is_revoked_x64) {
        true => Err(no(
            format!("which is revoked: machines with the list of {REVOKED_X64_DATE} refuse it"),
            "a newer one",
        )),
        false => Ok(()),
    }
}

/// Whether one of the signatures leads to `anchor`.
fn leads(program: &LoaderFacts, anchor: &Certificate) -> bool {
    let mut signatures = good(program).filter_map(|one| one.signature.as_ref());
    signatures.any(|signature| signature.leads_to(anchor))
}

fn good(program: &LoaderFacts) -> impl Iterator<Item = &SignatureFacts> {
    program
        .signatures
        .iter()
        .filter(|signature| signature.signature.is_some())
}

/// The component of a program that is of an older generation than is asked for: what it is, what it has, what is asked.
pub(super) fn outdated<'a>(program: &'a [Generation], asked: &'a [Generation]) -> Option<(&'a str, u32, u32)> {
    program.iter().find_map(|has| {
        let asks = asked.iter().find(|asks| asks.component == has.component)?;
        (has.generation < asks.generation).then_some((has.component.as_str(), has.generation, asks.generation))
    })
}
