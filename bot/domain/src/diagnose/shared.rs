//! Computers with several users.

use crate::{
    Cause, CertificateStore, Confidence, ManagementStatus, OktaDevice, OktaDeviceUser,
    correlate::effective_links,
};

use super::{
    facts::Facts,
    fastpass::CERTIFICATE_SETTLES,
    verdict::{Found, Verdict, not_enough},
};

/// C64: the first user's certificate is in that user's own store; this user has signed in with FastPass, and Okta
/// Verify found none.
pub(super) fn user_store_only(facts: &Facts<'_, '_>) -> Verdict {
    let Some((device, other)) = managed_neighbour(facts) else {
        return Verdict::NoFault("no other user of this computer is managed");
    };
    let view = match facts.usable_certificate() {
        Ok(Some(view)) => view,
        Ok(None) => return Verdict::NoFault("the computer has no usable certificate"),
        Err(gap) => return gap.into(),
    };
    let store = view
        .store
        .or(facts.profile.and_then(|delivery| delivery.store));
    match store {
        Some(CertificateStore::User) => {}
        Some(CertificateStore::Machine) => {
            return Verdict::NoFault("the certificate is in the machine store");
        }
        None => return not_enough("the MDM does not show which store the certificate is in"),
    }
    let Some(issued) = view.issued_at else {
        return not_enough("it is not known when the certificate was issued");
    };
    let refused = facts
        .fastpass
        .and_then(|seen| seen.last_unmanaged)
        .filter(|at| *at > issued + CERTIFICATE_SETTLES);
    let Some(refused) = refused else {
        return Verdict::NoFault("this user has not signed in with FastPass since the certificate");
    };
    let mut evidence = facts.certificate_evidence();
    evidence.push(facts.mdm_says("certificate.store", "user", None));
    evidence.push(facts.okta_says(
        "managed_user_of_same_computer",
        &other.login,
        device.last_updated,
    ));
    evidence.push(facts.okta_says("fastpass.device_managed", "false", Some(refused)));
    // The profile's level only says where the certificate was meant to go.
    let confidence = match view.store {
        Some(_) => view.confidence,
        None => Confidence::Medium,
    };
    Found::new(Cause::SharedUserStoreOnly, confidence, evidence)
        .since(Some(issued))
        .into()
}

/// Another user of the same computer, on this record or another one, who is managed.
fn managed_neighbour<'a>(facts: &Facts<'_, 'a>) -> Option<(&'a OktaDevice, &'a OktaDeviceUser)> {
    std::iter::once(facts.device)
        .chain(facts.subject.twins.iter().copied())
        .flat_map(|device| {
            effective_links(facts.observations(), device).map(move |link| (device, link))
        })
        .find(|(_, link)| {
            link.user_id != facts.link.user_id
                && link.management_status == Some(ManagementStatus::Managed)
        })
}
