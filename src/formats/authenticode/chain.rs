//! From a signer's certificate to an anchor, as OpenSSL 1.1.1 goes with X509_V_FLAG_PARTIAL_CHAIN, X509_V_FLAG_NO_CHECK_TIME and
//! X509_PURPOSE_ANY.

use super::Certificate;

/// Whether a chain of certificates leads from `signer` by `embedded` ones to `anchor`. If the signer itself is the anchor, what is embedded
/// counts all the same: OVMF refuses a program whose signer is trusted and has an issuer beside it that is no authority.
pub(super) fn leads(signer: &Certificate, embedded: &[Certificate], anchor: &Certificate) -> bool {
    let mut chain = vec![signer];
    // Each certificate stands in a chain once, so that this ends.
    while let Some(&last) = chain.last() {
        if last.names(last) {
            break;
        }
        if last.names(anchor) {
            chain.push(anchor);
            return is_whole(&chain);
        }
        let is_issuer = |candidate: &&Certificate| last.names(candidate) && !chain.contains(candidate);
        match embedded.iter().find(is_issuer) {
            Some(issuer) => chain.push(issuer),
            None => break,
        }
    }
    let is_anchor = |end: Option<&&Certificate>| end.is_some_and(|end| *end == anchor);
    (is_anchor(chain.first()) || is_anchor(chain.last())) && is_whole(&chain)
}

/// Whether each has signed the one before it, and may.
fn is_whole(chain: &[&Certificate]) -> bool {
    let mut authorities = 0;
    for (index, pair) in chain.windows(2).enumerate() {
        let [subject, issuer] = pair else { return false };
        if !issuer.may_issue(index + 2 == chain.len(), authorities) || !subject.is_signed_by(issuer) {
            return false;
        }
        // RFC 5280 §4.2.1.9: certificates whose subject is their issuer do not count.
        authorities += usize::from(!issuer.is_self_issued());
    }
    chain.iter().all(|certificate| certificate.has_known_extensions_only())
}
