//! From a signer's certificate to an anchor, as OpenSSL 1.1.1 goes with X509_V_FLAG_PARTIAL_CHAIN, X509_V_FLAG_NO_CHECK_TIME and
//! X509_PURPOSE_ANY.

use super::Certificate;

/// Whether `signer` is `anchor`, or a chain of certificates among `embedded` leads from it to there.
pub(super) fn leads(signer: &Certificate, embedded: &[Certificate], anchor: &Certificate) -> bool {
    if signer == anchor {
        return anchor.has_known_extensions_only();
    }
    let mut chain = vec![signer];
    // Each certificate stands in a chain once, so that this ends.
    while let Some(&last) = chain.last() {
        if last.names(anchor) {
            chain.push(anchor);
            return is_whole(&chain);
        }
        let is_issuer = |candidate: &&Certificate| last.names(candidate) && !chain.contains(candidate);
        match embedded.iter().find(is_issuer) {
            Some(issuer) if !last.is_self_issued() => chain.push(issuer),
            _ => return false,
        }
    }
    false
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
