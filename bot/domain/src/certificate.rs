//! Which client certificate Okta Verify would take on a computer, and whether it can still prove management.
//!
//! Nothing here concludes from silence: a source that cannot list certificates, an inventory older than the last
//! change, a log without coverage each give [`CertificateState::Unknown`] with the reason.

#[cfg(test)]
mod tests;

use chrono::{DateTime, TimeDelta, Utc};

use crate::{
    CertificateStore, Confidence, Coverage, DeviceId, EventClass, LogFacts, ManagementStatus,
    MdmCertificate, ProfileState, RevocationSeen, Subject, Visibility,
    correlate::{effective_links, normalise, normalise_subject},
};

/// Validity of a certificate of Okta's CA, for an MDM that shows no end (one year; the MDM's own profile may say less).
pub const VALIDITY: TimeDelta = TimeDelta::days(365);

/// Okta's CA revokes a certificate on the day after its first 90 unused ones.
pub const UNUSED_DIES_AFTER: TimeDelta = TimeDelta::days(91);

/// An inventory older than this is a sign that a certificate is missing, and no proof; and not even that where nobody
/// knows when the profile was delivered.
const INVENTORY_SPEAKS_FOR: TimeDelta = TimeDelta::days(7);

/// Issuers that Okta accepts, by `[attestation] issuers` and the org's id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Issuers {
    /// Parts of the issuer's name, in any letter case; empty: every issuer is unknown.
    pub names: Vec<String>,
    /// The org's id, which an `OU` in the issuer's name must equal.
    pub org_id: Option<String>,
}

/// Whether a certificate's issuer is one that Okta accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerMatch {
    /// It is.
    Right,
    /// It is another CA, or another org's.
    Wrong,
    /// Not shown, or no issuers are configured.
    Unknown,
}

impl Issuers {
    /// Judges one issuer.
    pub fn judge(&self, issuer: Option<&str>) -> IssuerMatch {
        let Some(issuer) = issuer.filter(|issuer| !issuer.trim().is_empty()) else {
            return IssuerMatch::Unknown;
        };
        if self.names.is_empty() {
            return IssuerMatch::Unknown;
        }
        if !self
            .names
            .iter()
            .any(|name| contains_ignoring_case(issuer, name))
        {
            return IssuerMatch::Wrong;
        }
        let mut units = issuer
            .split([',', '+'])
            .filter_map(|part| part.trim().split_once('='))
            .filter(|(key, _)| key.trim().eq_ignore_ascii_case("OU"))
            .map(|(_, value)| value.trim())
            .peekable();
        match &self.org_id {
            Some(org) if units.peek().is_some() && !units.any(|unit| unit == org) => {
                IssuerMatch::Wrong
            }
            _ => IssuerMatch::Right,
        }
    }
}

/// Whether a text holds a part, in any letter case of ASCII.
pub(crate) fn contains_ignoring_case(text: &str, part: &str) -> bool {
    part.is_empty()
        || text
            .as_bytes()
            .windows(part.len())
            .any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

/// State of the certificate that Okta Verify would take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateState {
    /// In its time, not known to be revoked.
    Valid,
    /// Past its end.
    Expired,
    /// Never usable again.
    Revoked(RevokedBy),
    /// A source that lists what is there, lists none.
    Missing,
    /// Not provable here, and why.
    Unknown(UnknownBecause),
}

impl CertificateState {
    /// The word of conditions and JSON; `None` where the state is not provable.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Valid => Some("valid"),
            Self::Expired => Some("expired"),
            Self::Revoked(_) => Some("revoked"),
            Self::Missing => Some("missing"),
            Self::Unknown(_) => None,
        }
    }
}

/// Who says that a certificate is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokedBy {
    /// The MDM's record.
    Mdm,
    /// An event of the System Log.
    Ledger,
    /// Nobody: it is so old and unused that Okta's CA has revoked it.
    Disuse,
}

/// Why a state is not provable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "`reason` says each in a sentence")]
pub enum UnknownBecause {
    NoRecord,
    NotShown,
    NotReported,
    InventoryStale,
    InventoryUndated,
    NoEnd,
    NotYetValid,
    NoUsableKey,
    WrongIssuer,
    OtherSubject,
    PerhapsUnused,
}

impl UnknownBecause {
    /// One sentence for people.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoRecord => "no MDM record shows this computer's certificates",
            Self::NotShown => "this MDM does not show certificates for this computer",
            Self::NotReported => {
                "this MDM lists a certificate only if the CA reports it, and the log shows no issue for this computer"
            }
            Self::InventoryStale => {
                "the MDM's inventory is older than the last change it would have to show"
            }
            Self::InventoryUndated => "the MDM does not say how old its inventory is",
            Self::NoEnd => "the MDM does not show when the certificate ends",
            Self::NotYetValid => "the certificate begins in the future: a clock is wrong",
            Self::NoUsableKey => "no certificate listed has its private key",
            Self::WrongIssuer => {
                "every certificate listed is from an issuer that Okta does not trust"
            }
            Self::OtherSubject => {
                "the certificates listed do not carry the subject of an attestation certificate"
            }
            Self::PerhapsUnused => {
                "the certificate is older than 90 days and no use of it is known, nor is the log whole since its issue: Okta may have revoked it"
            }
        }
    }
}

/// What is known of the certificate that Okta Verify would take.
#[derive(Debug, Clone)]
pub struct CertificateView<'a> {
    /// State.
    pub state: CertificateState,
    /// The row of the MDM, where it lists one.
    pub certificate: Option<&'a MdmCertificate>,
    /// Issue, by the row or by the log.
    pub issued_at: Option<DateTime<Utc>>,
    /// End, by the row, or issue and validity.
    pub expires_at: Option<DateTime<Utc>>,
    /// High where a listing says so that is newer than the profile; medium where that is open, or issue and validity tell.
    pub confidence: Confidence,
    /// Store.
    pub store: Option<CertificateStore>,
    /// The issuer's standing.
    pub issuer: IssuerMatch,
    /// The event that revoked it.
    pub revocation: Option<&'a RevocationSeen>,
    /// The device that the log saw this certificate bound to.
    pub bound_to: Option<&'a DeviceId>,
    /// Whether the log shows that it was used on this device.
    pub used: bool,
    /// Another listed certificate that is in its time while this one is not: this one hides it.
    pub hidden: Option<&'a MdmCertificate>,
}

impl CertificateView<'_> {
    /// Whether the log saw the certificate bound to another device record than the subject's.
    pub fn is_bound_elsewhere(&self, subject: &Subject<'_>) -> bool {
        self.bound_to
            .is_some_and(|bound| subject.device.is_none_or(|device| device.id != *bound))
    }
}

/// Judges the certificate without knowing which issuers Okta accepts: none is wrong.
pub fn judge<'a>(subject: &Subject<'a>) -> CertificateView<'a> {
    judge_with(subject, &Issuers::default())
}

/// Judges the certificate that Okta Verify would take.
pub fn judge_with<'a>(subject: &Subject<'a>, issuers: &Issuers) -> CertificateView<'a> {
    let (Some(mdm), Some(record)) = (subject.mdm, subject.record) else {
        return unknown(UnknownBecause::NoRecord);
    };
    let listed = match mdm.shows.certificates {
        Visibility::Never => None,
        Visibility::Always | Visibility::PresenceOnly => record.certificates.as_deref(),
    };
    match (listed, mdm.shows.certificates) {
        (Some(rows), _) if !rows.is_empty() => judge_rows(subject, rows, issuers, mdm.now),
        (Some(_), Visibility::Always) => judge_absence(subject, mdm.now),
        (Some(_), _) => judge_by_log(subject, UnknownBecause::NotReported),
        (None, _) => judge_by_log(subject, UnknownBecause::NotShown),
    }
}

/// The certificate that Okta Verify would take of those listed: of accepted issuers, with a key that can sign; the
/// machine store only if the user store has none; the one issued last.
pub fn chosen<'c>(rows: &'c [MdmCertificate], issuers: &Issuers) -> Option<&'c MdmCertificate> {
    rows.iter()
        .filter(|row| is_candidate(row, issuers))
        .max_by_key(|row| {
            let in_user_store = row.store != Some(CertificateStore::Machine);
            (in_user_store, issue_of(row), row.expires_at)
        })
}

fn is_candidate(row: &MdmCertificate, issuers: &Issuers) -> bool {
    row.has_private_key != Some(false)
        && may_attest(row)
        && issuers.judge(row.issuer.as_deref()) != IssuerMatch::Wrong
}

/// Okta takes any subject. One that does not match is some other certificate of the same issuer, unless the profile's
/// own variables stand in it unresolved.
fn may_attest(row: &MdmCertificate) -> bool {
    row.subject_matches || has_unresolved_variable(&row.subject)
}

/// Whether a subject holds a variable that its MDM did not fill in.
pub(crate) fn has_unresolved_variable(subject: &str) -> bool {
    subject.contains(['$', '{', '%'])
}

/// Whether a certificate is shown to be of a CA of the company's own.
pub(crate) fn is_of_own_ca(row: &MdmCertificate) -> bool {
    row.issuer.as_deref().is_some_and(|issuer| {
        !issuer.trim().is_empty() && !contains_ignoring_case(issuer, OKTAS_CA)
    })
}

/// Common name of the intermediate that issues, in every org.
const OKTAS_CA: &str = "Organization Intermediate Authority";

fn issue_of(row: &MdmCertificate) -> Option<DateTime<Utc>> {
    row.issued_at.or_else(|| Some(row.expires_at? - VALIDITY))
}

fn unknown<'a>(because: UnknownBecause) -> CertificateView<'a> {
    CertificateView {
        state: CertificateState::Unknown(because),
        certificate: None,
        issued_at: None,
        expires_at: None,
        confidence: Confidence::Low,
        store: None,
        issuer: IssuerMatch::Unknown,
        revocation: None,
        bound_to: None,
        used: false,
        hidden: None,
    }
}

fn judge_rows<'a>(
    subject: &Subject<'a>,
    rows: &'a [MdmCertificate],
    issuers: &Issuers,
    now: DateTime<Utc>,
) -> CertificateView<'a> {
    if let Some(because) = inventory_is_behind(subject) {
        return unknown(because);
    }
    let Some(row) = chosen(rows, issuers) else {
        let keyless = rows.iter().all(|row| row.has_private_key == Some(false));
        let others = !rows.iter().any(may_attest);
        return unknown(match (keyless, others) {
            (true, _) => UnknownBecause::NoUsableKey,
            (false, true) => UnknownBecause::OtherSubject,
            (false, false) => UnknownBecause::WrongIssuer,
        });
    };
    let log = &subject.observations.log;
    let serial = row.serial_number.as_deref().and_then(normalise);
    let issued = row.issued_at.or_else(|| log_issue(log, row));
    let bound_to = serial.as_ref().and_then(|serial| log.bound_to.get(serial));
    let mut view = CertificateView {
        state: CertificateState::Valid,
        certificate: Some(row),
        issued_at: issued,
        expires_at: row.expires_at,
        // The log's issue of the same subject may be another certificate's.
        confidence: match row.issued_at {
            Some(_) => listed_confidence(subject),
            None => Confidence::Medium,
        },
        store: row.store,
        issuer: issuers.judge(row.issuer.as_deref()),
        revocation: revocation(log, serial.as_deref(), &row.subject, issued),
        bound_to,
        used: was_used(subject, issued, bound_to),
        hidden: None,
    };
    view.state = match () {
        () if row.expires_at.is_some_and(|end| end <= now) => CertificateState::Expired,
        () if row.revoked == Some(true) => CertificateState::Revoked(RevokedBy::Mdm),
        () if view.revocation.is_some() => CertificateState::Revoked(RevokedBy::Ledger),
        () if row
            .issued_at
            .is_some_and(|begin| begin > now + TimeDelta::hours(1)) =>
        {
            CertificateState::Unknown(UnknownBecause::NotYetValid)
        }
        () if row.expires_at.is_none() => CertificateState::Unknown(UnknownBecause::NoEnd),
        () => by_use(subject, &view),
    };
    if view.state != CertificateState::Valid {
        view.hidden = rows.iter().find(|other| {
            !std::ptr::eq(*other, row)
                && is_candidate(other, issuers)
                && other.revoked != Some(true)
                && other.expires_at.is_some_and(|end| end > now)
        });
    }
    view
}

/// A source that lists what is there, lists none.
fn judge_absence<'a>(subject: &Subject<'a>, now: DateTime<Utc>) -> CertificateView<'a> {
    if let Some(because) = inventory_is_behind(subject) {
        return unknown(because);
    }
    match subject.record.and_then(|record| record.inventory_at) {
        None => unknown(UnknownBecause::InventoryUndated),
        Some(at) if at + INVENTORY_SPEAKS_FOR < now && !is_dated(subject) => {
            unknown(UnknownBecause::InventoryStale)
        }
        Some(at) => CertificateView {
            state: CertificateState::Missing,
            confidence: match at + INVENTORY_SPEAKS_FOR < now {
                true => Confidence::Medium,
                false => listed_confidence(subject),
            },
            issued_at: subject.issued.map(|issued| issued.seen.last),
            ..unknown(UnknownBecause::NotShown)
        },
    }
}

/// The MDM shows no row: the issue in Okta's log and the usual validity tell, at medium confidence.
fn judge_by_log<'a>(subject: &Subject<'a>, otherwise: UnknownBecause) -> CertificateView<'a> {
    let Some(issued) = subject.issued else {
        return unknown(otherwise);
    };
    let log = &subject.observations.log;
    let at = issued.seen.last;
    let end = at + VALIDITY;
    let mut view = CertificateView {
        state: CertificateState::Valid,
        issued_at: Some(at),
        expires_at: Some(end),
        confidence: Confidence::Medium,
        revocation: log
            .revoked_subjects
            .get(issued.subject)
            .filter(|revocation| revocation.at >= at),
        used: was_used(subject, Some(at), None),
        ..unknown(otherwise)
    };
    view.state = match () {
        () if end <= subject.observations.okta.now => CertificateState::Expired,
        () if view.revocation.is_some() => CertificateState::Revoked(RevokedBy::Ledger),
        () => by_use(subject, &view),
    };
    view
}

/// The inventory must be newer than the last thing that happened to the profile or the certificate.
fn inventory_is_behind(subject: &Subject<'_>) -> Option<UnknownBecause> {
    let record = subject.record?;
    let installed = record
        .profiles
        .iter()
        .flatten()
        .filter(|delivery| delivery.state == ProfileState::Installed)
        .filter_map(|delivery| delivery.since)
        .max();
    let issued = subject.issued.map(|issued| issued.seen.last);
    let changed = installed.max(issued)?;
    match record.inventory_at {
        Some(at) if at < changed => Some(UnknownBecause::InventoryStale),
        Some(_) => None,
        None => Some(UnknownBecause::InventoryUndated),
    }
}

/// A listing is proof only if it is known to be newer than the last delivery of the profile.
fn listed_confidence(subject: &Subject<'_>) -> Confidence {
    match is_dated(subject) {
        true => Confidence::High,
        false => Confidence::Medium,
    }
}

/// Whether the time of every delivery is known, so that an inventory can be told to be newer.
fn is_dated(subject: &Subject<'_>) -> bool {
    subject.record.is_some_and(|record| {
        let deliveries = record.profiles.as_deref();
        deliveries.is_some_and(|deliveries| {
            deliveries
                .iter()
                .filter(|delivery| delivery.state == ProfileState::Installed)
                .all(|delivery| delivery.since.is_some())
        })
    })
}

fn log_issue(log: &LogFacts, row: &MdmCertificate) -> Option<DateTime<Utc>> {
    log.issued
        .get(&normalise_subject(&row.subject))
        .map(|seen| seen.last)
}

/// A revocation of this certificate. By subject it must be later than the issue: a renewal keeps the subject.
fn revocation<'a>(
    log: &'a LogFacts,
    serial: Option<&str>,
    subject: &str,
    issued: Option<DateTime<Utc>>,
) -> Option<&'a RevocationSeen> {
    if let Some(revocation) = serial.and_then(|serial| log.revoked.get(serial)) {
        return Some(revocation);
    }
    if log.revoked_subjects.is_empty() {
        return None;
    }
    log.revoked_subjects
        .get(&normalise_subject(subject))
        .filter(|revocation| issued.is_some_and(|issued| revocation.at >= issued))
}

/// Whether the log, or Okta's own word, shows a successful attestation with a certificate issued then.
fn was_used(
    subject: &Subject<'_>,
    issued: Option<DateTime<Utc>>,
    bound_to: Option<&DeviceId>,
) -> bool {
    let (Some(device), log) = (subject.device, &subject.observations.log) else {
        return false;
    };
    if bound_to == Some(&device.id) {
        return true;
    }
    let Some(issued) = issued else { return false };
    let bound = log.binds.get(&device.id).map(|seen| seen.last);
    // The certificate is bound to the device, so that any of its users proves the use.
    let attested = effective_links(subject.observations, device)
        .filter_map(|link| log.fastpass.get(&(device.id.clone(), link.user_id.clone())))
        .filter_map(|seen| seen.last_managed)
        .max();
    let managed = subject
        .link
        .is_some_and(|link| link.management_status == Some(ManagementStatus::Managed));
    managed || bound.max(attested).is_some_and(|at| at >= issued)
}

/// Okta's CA revokes what is not used for 90 days.
fn by_use(subject: &Subject<'_>, view: &CertificateView<'_>) -> CertificateState {
    let observations = subject.observations;
    let log = &observations.log;
    if view.used || !is_of_oktas_ca(log, view.certificate) {
        return CertificateState::Valid;
    }
    let binds: Coverage = log.coverage(EventClass::CertificateBound);
    match view.issued_at {
        Some(issued) if issued + UNUSED_DIES_AFTER > observations.okta.now => {
            CertificateState::Valid
        }
        Some(issued) if binds.proves_absence_since(issued) => {
            CertificateState::Revoked(RevokedBy::Disuse)
        }
        _ => CertificateState::Unknown(UnknownBecause::PerhapsUnused),
    }
}

/// Whether the 90 days apply: Okta's CA by name, or an org that was seen to issue. An own CA has its own rules.
fn is_of_oktas_ca(log: &LogFacts, row: Option<&MdmCertificate>) -> bool {
    match row.and_then(|row| row.issuer.as_deref()) {
        Some(issuer) => contains_ignoring_case(issuer, OKTAS_CA),
        None => log
            .coverage(EventClass::CertificateIssued)
            .last_seen
            .is_some(),
    }
}
