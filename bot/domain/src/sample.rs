//! A small org for tests: every computer in it is in order but for the FastPass sign-in since its certificate.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};

use crate::{
    AccessPolicy, AccessRule, AttestationProfile, CertificateStore, ConfirmedUser, Coverage,
    DeviceConfirmation, Diagnosis, Enrolment, EventClass, FastPassSeen, LogFacts, ManagementStatus,
    MdmCertificate, MdmDevice, MdmKind, MdmObservation, Observations, OktaDevice, OktaDeviceStatus,
    OktaDeviceUser, OktaObservation, Platform, PolicyFacts, ProfileDelivery, ProfileScope,
    ProfileState, RepairTargets, Seen, Shows, Subject, UserDetail, UserStatus, Visibility,
    correlate::{self, ManualLink},
    detect::DetectSettings,
    diagnose,
    findings::{self, Findings},
};

pub(crate) const JAMF: usize = 0;
pub(crate) const INTUNE: usize = 1;

/// "Now" of every source.
pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 24, 9, 0, 0).unwrap()
}

pub(crate) fn days_ago(days: i64) -> DateTime<Utc> {
    now() - TimeDelta::days(days)
}

pub(crate) fn hours_ago(hours: i64) -> DateTime<Utc> {
    now() - TimeDelta::hours(hours)
}

/// The org and what detection is told.
#[derive(Debug, Clone)]
pub(crate) struct Org {
    pub(crate) seen: Observations,
    pub(crate) settings: DetectSettings,
    pub(crate) links: Vec<ManualLink>,
}

/// Where a computer of the org is: index of its Okta record, its MDM and its MDM record.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) okta: usize,
    pub(crate) mdm: usize,
    pub(crate) record: usize,
}

impl Org {
    /// An org with a Jamf Pro and an Intune, nobody in it.
    pub(crate) fn empty() -> Self {
        let coverage = Coverage {
            covered_from: Some(days_ago(400)),
            last_seen: Some(hours_ago(1)),
        };
        let classes = [
            EventClass::FastPass,
            EventClass::CertificateIssued,
            EventClass::CertificateBound,
            EventClass::CertificateRevoked,
            EventClass::DeviceLifecycle,
        ];
        let log = LogFacts {
            coverage: classes.into_iter().map(|class| (class, coverage)).collect(),
            ..LogFacts::default()
        };
        let okta = OktaObservation {
            authorities: None,
            now: now(),
            policies: PolicyFacts {
                fastpass_button: None,
                complete: true,
                fastpass_active: Some(true),
                access_policies: vec![policy()],
            },
            ..OktaObservation::default()
        };
        Self {
            seen: Observations {
                taken_at: now(),
                okta,
                mdms: vec![
                    mdm("jamf", MdmKind::Jamf, Platform::Macos),
                    mdm("intune", MdmKind::Intune, Platform::Windows),
                ],
                log,
            },
            settings: DetectSettings::default(),
            links: Vec::new(),
        }
    }

    /// An org with one Mac.
    pub(crate) fn with_mac() -> (Self, At) {
        let mut org = Self::empty();
        let at = org.add(JAMF, "C02MAC001", "ann");
        (org, at)
    }

    /// An org with one Windows computer.
    pub(crate) fn with_pc() -> (Self, At) {
        let mut org = Self::empty();
        let at = org.add(INTUNE, "5CG0000001", "bob");
        (org, at)
    }

    /// Adds a computer to Okta and to an MDM.
    pub(crate) fn add(&mut self, mdm: usize, serial: &str, user: &str) -> At {
        let okta = self.add_okta(self.seen.mdms[mdm].platforms[0], serial, user);
        let record = self.add_record(mdm, serial, user);
        At { okta, mdm, record }
    }

    /// Adds a computer to Okta only.
    pub(crate) fn add_okta(&mut self, platform: Platform, serial: &str, user: &str) -> usize {
        let at = self.seen.okta.devices.len();
        self.seen.okta.devices.push(OktaDevice {
            okta_verify_version: None,
            id: format!("guo{at:03}").into(),
            status: OktaDeviceStatus::Active,
            created: Some(days_ago(60)),
            last_updated: Some(hours_ago(30)),
            platform,
            display_name: format!("{serial} of {user}"),
            serial_number: Some(serial.to_owned()),
            udid: None,
            model: Some("Model".to_owned()),
            manufacturer: None,
            os_version: None,
            registered: true,
            users: Some(Vec::new()),
        });
        self.link(at, user, ManagementStatus::NotManaged);
        at
    }

    /// Adds a computer to an MDM only.
    pub(crate) fn add_record(&mut self, mdm: usize, serial: &str, user: &str) -> usize {
        let observed = &mut self.seen.mdms[mdm];
        let at = observed.devices.len();
        observed.devices.push(MdmDevice {
            okta_verify_version: None,
            intermediate_present: None,
            trust_profile: None,
            sso_extensions: None,
            command_pending_since: None,
            issuance: None,
            site: None,
            id: format!("{}-{at:04}", observed.name).into(),
            management_id: Some(format!("management-{}-{at}", observed.name)),
            name: format!("{serial} of {user}"),
            platform: observed.platforms[0],
            serial_number: Some(serial.to_owned()),
            udid: None,
            model: Some("Model".to_owned()),
            os_version: None,
            user: Some(format!("{user}@example.com")),
            enrolment: Enrolment::Works,
            enrolled_at: Some(days_ago(60)),
            last_check_in: Some(hours_ago(1)),
            inventory_at: Some(hours_ago(2)),
            profiles: Some(vec![ProfileDelivery {
                profile_id: format!("{}-scep", observed.name).into(),
                state: ProfileState::Installed,
                since: Some(days_ago(10)),
                store: Some(CertificateStore::User),
            }]),
            certificates: Some(vec![certificate(serial, days_ago(10))]),
            okta_verify_installed: Some(true),
            local_users: None,
            groups: None,
            push_enabled: None,
            category: None,
        });
        at
    }

    /// Links a user to an Okta record, listed and read by id.
    pub(crate) fn link(&mut self, okta: usize, user: &str, status: ManagementStatus) {
        let device = &mut self.seen.okta.devices[okta];
        let link = OktaDeviceUser {
            user_id: format!("00u{user}").into(),
            login: format!("{user}@example.com"),
            email: Some(format!("{user}@example.com")),
            name: Some(user.to_owned()),
            management_status: Some(status),
            created: Some(days_ago(60)),
        };
        device.users.get_or_insert_default().push(link.clone());
        let read = self
            .seen
            .okta
            .confirmed
            .entry(device.id.clone())
            .or_insert_with(|| DeviceConfirmation {
                read_at: now(),
                last_updated: None,
                users: Some(Vec::new()),
            });
        read.last_updated = device.last_updated;
        read.users.get_or_insert_default().push(ConfirmedUser {
            link,
            status: UserStatus::Active,
            last_login: Some(hours_ago(5)),
        });
        let seen = FastPassSeen {
            last_resistant: None,
            last_not_resistant: None,
            success: Some(Seen::once(days_ago(20))),
            last_unmanaged: Some(days_ago(20)),
            ..FastPassSeen::default()
        };
        self.sign_in(okta, user, seen);
    }

    /// Sets the FastPass history of a device-user.
    pub(crate) fn sign_in(&mut self, okta: usize, user: &str, seen: FastPassSeen) {
        let device = self.seen.okta.devices[okta].id.clone();
        let user = format!("00u{user}").into();
        self.seen.log.fastpass.insert((device, user), seen);
    }

    /// A FastPass sign-in after the certificate that still said "not managed".
    pub(crate) fn refuse(&mut self, okta: usize, user: &str) {
        self.sign_in(
            okta,
            user,
            FastPassSeen {
                last_resistant: None,
                last_not_resistant: None,
                success: Some(Seen {
                    first: days_ago(20),
                    last: days_ago(2),
                }),
                last_unmanaged: Some(days_ago(2)),
                ..FastPassSeen::default()
            },
        );
    }

    pub(crate) fn device(&mut self, at: At) -> &mut OktaDevice {
        &mut self.seen.okta.devices[at.okta]
    }

    pub(crate) fn record(&mut self, at: At) -> &mut MdmDevice {
        &mut self.seen.mdms[at.mdm].devices[at.record]
    }

    pub(crate) fn certificate(&mut self, at: At) -> &mut MdmCertificate {
        &mut self.record(at).certificates.as_mut().unwrap()[0]
    }

    pub(crate) fn profile(&mut self, at: At) -> &mut ProfileDelivery {
        &mut self.record(at).profiles.as_mut().unwrap()[0]
    }

    /// The profile that brings the computer's certificate.
    pub(crate) fn attestation_profile(&mut self, at: At) -> &mut AttestationProfile {
        &mut self.seen.mdms[at.mdm].profiles[0]
    }

    /// What that profile's SCEP payload asks for.
    pub(crate) fn scep(&mut self, at: At) -> &mut crate::ScepSettings {
        &mut self.attestation_profile(at).scep
    }

    /// An org-wide change in Okta's log.
    pub(crate) fn change(&mut self, event_type: &str, at: DateTime<Utc>) {
        self.seen.log.org_changes.push(crate::OrgChangeSeen {
            at,
            event_type: event_type.to_owned(),
            actor: Some("admin".to_owned()),
            target: None,
        });
    }

    pub(crate) fn rule(&mut self) -> &mut AccessRule {
        &mut self.seen.okta.policies.access_policies[0].rules[0]
    }

    /// What was read of a user because a diagnosis asked.
    pub(crate) fn detail(&mut self, user: &str) -> &mut UserDetail {
        let user = format!("00u{user}").into();
        self.seen.okta.users.entry(user).or_default()
    }

    /// Sets when an Okta record was last used, keeping its by-id read alive.
    pub(crate) fn used(&mut self, okta: usize, at: DateTime<Utc>) {
        let device = &mut self.seen.okta.devices[okta];
        device.last_updated = Some(at);
        if let Some(read) = self.seen.okta.confirmed.get_mut(&device.id) {
            read.last_updated = Some(at);
        }
    }

    /// Takes the certificate away and leaves a fresh, empty listing.
    pub(crate) fn remove_certificate(&mut self, at: At) {
        self.record(at).certificates = Some(Vec::new());
    }

    /// Lets Okta's log show the issue of a certificate for this serial number.
    pub(crate) fn issue(&mut self, serial: &str, at: DateTime<Utc>) {
        let subject = correlate::normalise_subject(&subject_of(serial));
        self.seen.log.issued.insert(subject, Seen::once(at));
    }

    pub(crate) fn cover(&mut self, class: EventClass, from: Option<DateTime<Utc>>) {
        self.seen
            .log
            .coverage
            .entry(class)
            .or_default()
            .covered_from = from;
    }

    pub(crate) fn findings(&self) -> Findings<'_> {
        findings::findings(&self.seen, &self.links, &self.settings)
    }

    /// The subject of one device-user.
    pub(crate) fn subject(&self, okta: usize, user: &str) -> Subject<'_> {
        let device = &self.seen.okta.devices[okta].id;
        let user = format!("00u{user}").into();
        correlate::correlate(&self.seen, &self.links)
            .subject(device, &user)
            .expect("the link is there")
    }

    pub(crate) fn diagnosis(&self, okta: usize, user: &str) -> Diagnosis {
        diagnose::diagnose(&self.subject(okta, user), &self.settings)
    }
}

fn subject_of(serial: &str) -> String {
    format!("CN=name managementAttestation {serial}")
}

/// A good certificate in the user store.
pub(crate) fn certificate(serial: &str, issued_at: DateTime<Utc>) -> MdmCertificate {
    MdmCertificate {
        subject_matches: true,
        subject: subject_of(serial),
        issuer: None,
        serial_number: Some(format!("{:x}", issued_at.timestamp())),
        thumbprint: None,
        issued_at: Some(issued_at),
        expires_at: Some(issued_at + TimeDelta::days(365)),
        store: Some(CertificateStore::User),
        username: Some("local".to_owned()),
        has_private_key: Some(true),
        revoked: None,
    }
}

fn policy() -> AccessPolicy {
    AccessPolicy {
        id: "rst1".to_owned(),
        name: "Any app".to_owned(),
        app_ids: vec!["0oa1".to_owned()],
        rules: vec![AccessRule {
            id: "rul1".to_owned(),
            name: "Managed devices".to_owned(),
            priority: 1,
            registered: Some(true),
            managed: Some(true),
            other_device_condition: false,
            platforms: Vec::new(),
            groups_include: Vec::new(),
            groups_exclude: Vec::new(),
            users_include: Vec::new(),
            users_exclude: Vec::new(),
            denies: false,
        }],
    }
}

fn mdm(name: &str, kind: MdmKind, platform: Platform) -> MdmObservation {
    MdmObservation {
        sso_extensions: None,
        push_certificate_expires_at: None,
        name: name.into(),
        kind,
        platforms: vec![platform],
        complete: true,
        now: now(),
        shows: Shows {
            certificates: match kind {
                MdmKind::Jamf => Visibility::Always,
                MdmKind::Intune => Visibility::PresenceOnly,
            },
            issuer: kind == MdmKind::Intune,
            store: true,
            profile_state: true,
            assignment: true,
            applications: true,
        },
        devices: Vec::new(),
        profiles: vec![AttestationProfile {
            scep: crate::ScepSettings::default(),
            trust: None,
            id: format!("{name}-scep").into(),
            name: "Okta SCEP".to_owned(),
            identifier: None,
            platform,
            store: Some(CertificateStore::User),
            other_payloads: Some(Vec::new()),
            network_uses: Some(Vec::new()),
            scope: ProfileScope::default(),
            modified_at: None,
        }],
        targets: RepairTargets::default(),
    }
}
