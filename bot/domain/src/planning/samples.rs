//! A small org for tests: one Mac in Jamf Pro, one Windows computer in Intune, each with a bad certificate.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};

use super::{Candidate, NotPlanned, PlanContext, assemble, plan_repair};
use crate::correlate::{Correlated, correlate};
use crate::playbook::{Playbook, load};
use crate::*;

/// "Now" of every source.
pub(crate) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 24, 9, 0, 0).unwrap()
}

pub(crate) fn hours(count: i64) -> TimeDelta {
    TimeDelta::hours(count)
}

/// The org; tests change what they are about.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) observations: Observations,
    pub(crate) fastpass_group: Option<GroupId>,
    pub(crate) cause: Cause,
}

pub(crate) const MAC: &str = "guoMac";
pub(crate) const PC: &str = "guoPc";

impl World {
    pub(crate) fn new() -> Self {
        let mut world = Self {
            observations: Observations {
                taken_at: now(),
                okta: OktaObservation {
                    authorities: None,
                    now: now(),
                    ..OktaObservation::default()
                },
                mdms: vec![jamf(), intune()],
                log: LogFacts::default(),
            },
            fastpass_group: Some("00gFastpass".into()),
            cause: Cause::CertExpired,
        };
        world.add_device(
            MAC,
            Platform::Macos,
            "C02MAC",
            &[("00uAnn", ManagementStatus::NotManaged)],
        );
        world.add_device(
            PC,
            Platform::Windows,
            "5CG1PC",
            &[("00uBob", ManagementStatus::NotManaged)],
        );
        world
    }

    pub(crate) fn add_device(
        &mut self,
        id: &str,
        platform: Platform,
        serial: &str,
        users: &[(&str, ManagementStatus)],
    ) {
        let users: Vec<ConfirmedUser> = users
            .iter()
            .map(|(user, status)| confirmed_user(user, *status))
            .collect();
        // Nobody would lose an app by joining the FastPass group.
        let kept = users
            .iter()
            .map(|user| (user.link.user_id.clone(), AccessCheck::Kept));
        self.observations.okta.fastpass_access.extend(kept);
        self.observations.okta.devices.push(OktaDevice {
            okta_verify_version: None,
            id: id.into(),
            status: OktaDeviceStatus::Active,
            created: Some(now() - hours(2000)),
            last_updated: Some(now() - hours(5)),
            platform,
            display_name: format!("{id} in Okta"),
            serial_number: Some(serial.to_owned()),
            udid: None,
            model: None,
            manufacturer: None,
            os_version: None,
            registered: true,
            users: Some(users.iter().map(|user| user.link.clone()).collect()),
        });
        self.observations.okta.confirmed.insert(
            id.into(),
            DeviceConfirmation {
                read_at: now(),
                last_updated: Some(now() - hours(5)),
                users: Some(users),
            },
        );
    }

    pub(crate) fn jamf(&mut self) -> &mut MdmObservation {
        &mut self.observations.mdms[0]
    }

    pub(crate) fn intune(&mut self) -> &mut MdmObservation {
        &mut self.observations.mdms[1]
    }

    pub(crate) fn mac(&mut self) -> &mut MdmDevice {
        &mut self.jamf().devices[0]
    }

    pub(crate) fn pc(&mut self) -> &mut MdmDevice {
        &mut self.intune().devices[0]
    }

    pub(crate) fn user_of(&mut self, device: &str) -> &mut ConfirmedUser {
        let confirmation = self
            .observations
            .okta
            .confirmed
            .get_mut(&DeviceId::from(device))
            .unwrap();
        &mut confirmation.users.as_mut().unwrap()[0]
    }

    /// Makes a certificate good again.
    pub(crate) fn renew(device: &mut MdmDevice) {
        for certificate in device.certificates.iter_mut().flatten() {
            certificate.issued_at = Some(now() - hours(240));
            certificate.expires_at = Some(now() + hours(8000));
        }
    }

    pub(crate) fn correlated(&self) -> Correlated<'_> {
        correlate(&self.observations, &[])
    }

    /// Plans the repair of one device's computer.
    pub(crate) fn plan(
        &self,
        playbook: &Playbook,
        device: &str,
    ) -> Result<PlannedRepair, NotPlanned> {
        let correlated = self.correlated();
        let of_device =
            |subject: &&Subject<'_>| subject.device.is_some_and(|one| one.id.as_str() == device);
        let hardware = correlated
            .subjects
            .iter()
            .find(of_device)
            .expect("the device is stuck")
            .hardware
            .clone();
        let subjects: Vec<Subject<'_>> = correlated
            .subjects
            .iter()
            .filter(|subject| subject.hardware == hardware)
            .cloned()
            .collect();
        let context = PlanContext {
            cause: self.cause,
            fastpass_group: self.fastpass_group.as_ref(),
            sign_in_app: Some("0oaApp"),
            fleet: &correlated.fleet,
        };
        plan_repair(playbook, &subjects, &context)
    }
}

fn confirmed_user(id: &str, status: ManagementStatus) -> ConfirmedUser {
    ConfirmedUser {
        link: OktaDeviceUser {
            user_id: id.into(),
            login: format!("{id}@acme.com"),
            email: Some(format!("{id}@acme.com")),
            name: Some(id.to_owned()),
            management_status: Some(status),
            created: Some(now() - hours(2000)),
        },
        status: UserStatus::Active,
        last_login: Some(now() - hours(30)),
    }
}

fn record(
    id: &str,
    platform: Platform,
    serial: &str,
    profile: &str,
    store: CertificateStore,
) -> MdmDevice {
    MdmDevice {
        okta_verify_version: None,
        intermediate_present: None,
        trust_profile: None,
        sso_extensions: None,
        command_pending_since: None,
        issuance: None,
        site: None,
        id: id.into(),
        management_id: Some(format!("second-key-{id}")),
        name: format!("NAME-{id}"),
        platform,
        serial_number: Some(serial.to_owned()),
        udid: None,
        model: None,
        os_version: None,
        user: None,
        enrolment: Enrolment::Works,
        enrolled_at: Some(now() - hours(3000)),
        last_check_in: Some(now() - hours(2)),
        inventory_at: Some(now() - hours(2)),
        profiles: Some(vec![ProfileDelivery {
            profile_id: profile.into(),
            state: ProfileState::Installed,
            since: Some(now() - hours(2500)),
            store: Some(store),
        }]),
        certificates: Some(vec![MdmCertificate {
            subject_matches: true,
            subject: format!("{serial} managementAttestation"),
            issuer: None,
            serial_number: Some(format!("0A{id}")),
            thumbprint: None,
            issued_at: Some(now() - hours(9000)),
            expires_at: Some(now() - hours(100)),
            store: Some(store),
            username: None,
            has_private_key: None,
            revoked: None,
        }]),
        okta_verify_installed: Some(true),
        local_users: None,
        groups: Some(Vec::new()),
        push_enabled: Some(true),
        category: Some("office".to_owned()),
    }
}

fn profile(id: &str, platform: Platform, store: CertificateStore) -> AttestationProfile {
    AttestationProfile {
        scep: crate::ScepSettings::default(),
        trust: None,
        id: id.into(),
        name: format!("Okta SCEP {id}"),
        identifier: None,
        platform,
        store: Some(store),
        other_payloads: Some(Vec::new()),
        network_uses: Some(Vec::new()),
        scope: ProfileScope {
            device_groups: vec!["staff".into()],
            excluded_groups: vec!["hold".into(), "machines".into()],
            excluded_categories: vec!["reissue".to_owned()],
            ..ProfileScope::default()
        },
        modified_at: None,
    }
}

fn machine_twin(platform: Platform) -> AttestationProfile {
    AttestationProfile {
        scep: crate::ScepSettings::default(),
        trust: None,
        scope: ProfileScope {
            device_groups: vec!["machines".into()],
            ..ProfileScope::default()
        },
        ..profile("machine", platform, CertificateStore::Machine)
    }
}

fn targets() -> RepairTargets {
    RepairTargets {
        hold_group: Some("hold".into()),
        target_group: Some("staff".into()),
        hold_category: Some("reissue".to_owned()),
        machine_profile: Some("machine".into()),
        machine_group: Some("machines".into()),
        cleanup_script: Some("script-1".to_owned()),
    }
}

fn shows(certificates: Visibility) -> Shows {
    Shows {
        certificates,
        issuer: false,
        store: true,
        profile_state: true,
        assignment: true,
        applications: true,
    }
}

fn jamf() -> MdmObservation {
    MdmObservation {
        sso_extensions: None,
        push_certificate_expires_at: None,
        name: "jamf".into(),
        kind: MdmKind::Jamf,
        complete: true,
        platforms: vec![Platform::Macos],
        now: now(),
        shows: shows(Visibility::Always),
        devices: vec![record(
            "42",
            Platform::Macos,
            "C02MAC",
            "12",
            CertificateStore::User,
        )],
        profiles: vec![
            profile("12", Platform::Macos, CertificateStore::User),
            machine_twin(Platform::Macos),
        ],
        targets: targets(),
    }
}

fn intune() -> MdmObservation {
    MdmObservation {
        sso_extensions: None,
        push_certificate_expires_at: None,
        name: "intune".into(),
        kind: MdmKind::Intune,
        complete: true,
        platforms: vec![Platform::Windows],
        now: now(),
        shows: shows(Visibility::PresenceOnly),
        devices: vec![record(
            "7f",
            Platform::Windows,
            "5CG1PC",
            "aa",
            CertificateStore::User,
        )],
        profiles: vec![
            profile("aa", Platform::Windows, CertificateStore::User),
            machine_twin(Platform::Windows),
        ],
        targets: targets(),
    }
}

/// A shipped playbook.
pub(crate) fn shipped(name: &str) -> Playbook {
    let (name, text) = crate::playbook::shipped()
        .iter()
        .find(|(known, _)| *known == name)
        .expect("it is shipped");
    load(name, text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A playbook of one action, which ends with the question for a sign-in.
pub(crate) fn one_action(action: &str) -> Playbook {
    let text = format!(
        "name: one\ntitle: One\nsummary: One action.\nrisk: low\nmatch:\n  causes: [cert_expired]\nsteps:\n  - {{ id: push, action: {action} }}\n  - {{ id: ask_user, action: user.request_fastpass_sign_in }}\n"
    );
    load("one", &text).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A plan with every kind of field filled.
pub(crate) fn sample_plan() -> Plan {
    let mut world = World::new();
    world.add_device(
        "guoPhone",
        Platform::Other,
        "PHONE",
        &[("00uAnn", ManagementStatus::Managed)],
    );
    let playbook = shipped("redeliver-scep-profile");
    let candidates = [MAC, PC].map(|device| candidate(world.plan(&playbook, device).unwrap()));
    assemble(&playbook, Cause::CertExpired, candidates.into())
}

pub(crate) fn candidate(repair: PlannedRepair) -> Candidate {
    Candidate {
        repair,
        blocked: false,
        stuck_since: Some(now() - hours(100)),
    }
}

/// A plan of `count` computers with one user each, for tests that are about numbers.
pub(crate) fn plan_of(count: usize) -> Plan {
    let playbook = shipped("redeliver-scep-profile");
    let candidates = (0..count).map(numbered).map(candidate).collect();
    assemble(&playbook, Cause::CertExpired, candidates)
}

/// Planned once: compiling conditions is slow without optimisation.
static ONE: LazyLock<PlannedRepair> = LazyLock::new(|| {
    let playbook = shipped("redeliver-scep-profile");
    World::new().plan(&playbook, MAC).unwrap()
});

/// The `index`-th computer of many.
pub(crate) fn numbered(index: usize) -> PlannedRepair {
    let mut repair = ONE.clone();
    repair.hardware = HardwareKey::from(format!("mdm:jamf:{index:04}"));
    repair.subjects[0].device_id = format!("guo{index:04}").into();
    repair.subjects[0].user_id = format!("00u{index:04}").into();
    for affected in &mut repair.affected {
        affected.device_id = format!("guo{index:04}").into();
        affected.user_id = format!("00u{index:04}").into();
    }
    repair
}

/// One line per micro-step, for snapshots.
pub(crate) fn outline(repair: &PlannedRepair) -> String {
    let mut lines = Vec::new();
    if let Some(rung) = &repair.rung {
        lines.push(format!(
            "rung {}{}",
            rung.name,
            if rung.removes { " (removes)" } else { "" }
        ));
    }
    for step in &repair.steps {
        let what = match &step.kind {
            MicroStepKind::Call(call) => call_outline(call),
            MicroStepKind::Wait(wait) => {
                let until = serde_json::to_value(&wait.until).unwrap();
                let detail = match &wait.until {
                    WaitUntil::Expression { cel } => cel.clone(),
                    WaitUntil::ProfileRemoved { profile, .. }
                    | WaitUntil::ProfileInstalled { profile, .. } => profile.to_string(),
                    _ => String::new(),
                };
                let then = serde_json::to_value(wait.on_timeout).unwrap();
                format!(
                    "wait {} {detail} {}s else {}",
                    until["until"].as_str().unwrap(),
                    wait.within_seconds,
                    then.as_str().unwrap()
                )
            }
        };
        lines.push(format!(
            "{} {}",
            step.id,
            what.split_whitespace().collect::<Vec<_>>().join(" ")
        ));
    }
    lines.join("\n")
}

fn call_outline(call: &VendorCall) -> String {
    let value = serde_json::to_value(call).unwrap();
    let fields: BTreeMap<String, serde_json::Value> = serde_json::from_value(value).unwrap();
    let detail: Vec<String> = fields
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "call" | "mdm" | "device" | "management_id"))
        .map(|(name, value)| {
            format!(
                "{name}={}",
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            )
        })
        .collect();
    format!("{} {}", fields["call"].as_str().unwrap(), detail.join(" "))
}
