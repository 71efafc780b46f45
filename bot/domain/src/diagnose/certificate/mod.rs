//! Section 3 of the article: the certificate on the device. Which one counts, and its state, is judged in
//! [`crate::certificate`].

pub(super) mod ends;
pub(super) mod key;
pub(super) mod missing;
pub(super) mod revoked;
pub(super) mod which;

use super::{facts::Facts, verdict::Verdict};

/// Another certificate is good: its own entries (C37, C38) have the word.
fn another_is_good(facts: &Facts<'_, '_>) -> Option<Verdict> {
    let hidden = facts.certificate.hidden;
    hidden.map(|_| Verdict::NoFault("another certificate on the device is good"))
}
