//! How fast a sweep is decided on one core: correlate, detect, diagnose, match, plan, guard. No I/O, no store.
//!
//! Two fleets: one as companies have them, 5 % not managed, and one of nothing but findings. Each is printed against
//! its budget as a ratio; 1.00 or more is within it.

use std::{
    collections::{BTreeMap, HashMap},
    hint::black_box,
    io::Write,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{Criterion, Throughput};
use unstuck_domain::{
    AccessPolicy, AccessRule, AttestationProfile, CertificateStore, ConfirmedUser, Coverage,
    DeviceConfirmation, Enrolment, EventClass, FastPassSeen, GroupId, LogFacts, ManagementStatus,
    MdmCertificate, MdmDevice, MdmKind, MdmObservation, Observations, OktaDevice, OktaDeviceStatus,
    OktaDeviceUser, OktaObservation, Platform, PolicyFacts, ProfileDelivery, ProfileScope,
    ProfileState, RepairTargets, Seen, Shows, UserDetail, UserStatus, Visibility,
    correlate::normalise_subject,
    decide::{DecideInput, Decided, decide},
    detect::DetectSettings,
    fleet_gate::FleetState,
    guard::{GuardState, Mode, SafetySettings},
    playbook::{Playbook, load, shipped},
};

/// Device-users of the mixed fleet.
const FLEET: usize = 100_000;
/// Device-users of the fleet that consists of findings.
const FINDINGS: usize = 20_000;
/// Subjects per second on the mixed fleet.
const SUBJECTS_BUDGET: f64 = 300_000.0;
/// Findings per second where nobody is managed.
const FINDINGS_BUDGET: f64 = 40_000.0;

fn main() {
    let playbooks: Vec<Playbook> = shipped()
        .iter()
        .map(|(name, text)| load(name, text).expect("shipped playbooks are valid"))
        .collect();
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    let mixed = measure(&mut criterion, "one_in_twenty", FLEET, 20, &playbooks);
    let stuck = measure(&mut criterion, "findings_only", FINDINGS, 1, &playbooks);
    criterion.final_summary();

    let mut out = std::io::stdout();
    for (measured, unit, budget) in [
        (&mixed, "subjects/s", SUBJECTS_BUDGET),
        (&stuck, "findings/s", FINDINGS_BUDGET),
    ] {
        // `--test` and a filter measure nothing.
        let Some(rate) = measured.rate() else {
            continue;
        };
        writeln!(
            out,
            "decide, {}: {rate:.0} {unit}, budget {budget:.0}, ratio {:.2}; {} findings, {} proposals, {} playbooks",
            measured.name,
            rate / budget,
            measured.findings,
            measured.proposals,
            playbooks.len(),
        )
        .expect("stdout is open");
    }
}

/// Result of one fleet.
struct Measured {
    name: &'static str,
    subjects: usize,
    findings: usize,
    proposals: usize,
    passes: Vec<Duration>,
}

impl Measured {
    /// Subjects per second of the median sample.
    fn rate(&self) -> Option<f64> {
        let mut passes = self.passes.clone();
        passes.sort();
        let median = passes.get(passes.len() / 2)?;
        Some(self.subjects as f64 / median.as_secs_f64())
    }
}

/// Decides over and over about a fleet in which one device-user in `one_in` is not managed.
fn measure(
    criterion: &mut Criterion,
    name: &'static str,
    subjects: usize,
    one_in: usize,
    playbooks: &[Playbook],
) -> Measured {
    let bench = Bench::new(subjects, one_in, playbooks);
    let first = bench.decide(playbooks);
    assert_eq!(
        first.counts.device_users, subjects,
        "every computer is a subject"
    );
    assert_eq!(
        first.findings.len(),
        subjects / one_in,
        "every fault is found"
    );
    assert!(!first.guard.changes.is_empty(), "faults lead to proposals");
    let mut passes = Vec::new();
    let mut group = criterion.benchmark_group("decide");
    group.throughput(Throughput::Elements(subjects as u64));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|times| {
            let begun = Instant::now();
            for _ in 0..times {
                black_box(bench.decide(black_box(playbooks)));
            }
            let taken = begun.elapsed();
            passes.push(taken / u32::try_from(times).unwrap_or(u32::MAX));
            taken
        });
    });
    group.finish();
    Measured {
        name,
        subjects,
        findings: first.findings.len(),
        proposals: first.guard.changes.len(),
        passes,
    }
}

/// What one decision rests on.
struct Bench {
    now: DateTime<Utc>,
    observations: Observations,
    detect: DetectSettings,
    safety: SafetySettings,
    state: GuardState,
    fastpass_group: GroupId,
}

impl Bench {
    fn new(subjects: usize, one_in: usize, playbooks: &[Playbook]) -> Self {
        let now = "2026-11-24T09:00:00Z".parse().expect("a valid time");
        let causes = playbooks
            .iter()
            .flat_map(|playbook| playbook.applies.causes.iter());
        Self {
            now,
            observations: Fleet::of(now, subjects, one_in).observations,
            detect: DetectSettings {
                playbook_causes: causes.copied().collect(),
                ..DetectSettings::default()
            },
            safety: SafetySettings {
                mode: Mode::Approve,
                ..SafetySettings::default()
            },
            state: GuardState {
                in_scope: subjects,
                ..GuardState::default()
            },
            fastpass_group: "00gfastpass".into(),
        }
    }

    fn decide(&self, playbooks: &[Playbook]) -> Decided {
        decide(&DecideInput {
            now: self.now,
            next_look: self.now + TimeDelta::days(1),
            tomorrow: self.now + TimeDelta::hours(15),
            observations: &self.observations,
            links: &[],
            detect: &self.detect,
            playbooks,
            fastpass_group: Some(&self.fastpass_group),
            sign_in_app: Some("0oasignin"),
            safety: &self.safety,
            state: &self.state,
            incomplete: &BTreeMap::new(),
            stuck_since: &HashMap::new(),
            agreed: None,
            denied: &|_, _, _| None,
            fleet: &FleetState::default(),
        })
    }
}

/// What is wrong with a computer that is not managed; one after the other.
#[derive(Clone, Copy)]
enum Fault {
    Expired,
    Missing,
    NoSignIn,
    ProfileFailed,
    ProfilePending,
    Silent,
    NotAssigned,
    Suspended,
}

const FAULTS: [Fault; 8] = [
    Fault::Expired,
    Fault::Missing,
    Fault::NoSignIn,
    Fault::ProfileFailed,
    Fault::ProfilePending,
    Fault::Silent,
    Fault::NotAssigned,
    Fault::Suspended,
];

/// Writes down a fleet: every other computer a Mac in Jamf, the others Windows in Intune.
struct Fleet {
    now: DateTime<Utc>,
    observations: Observations,
}

impl Fleet {
    fn of(now: DateTime<Utc>, subjects: usize, one_in: usize) -> Self {
        let coverage = Coverage {
            covered_from: Some(now - TimeDelta::days(400)),
            last_seen: Some(now - TimeDelta::hours(1)),
        };
        let classes = [
            EventClass::FastPass,
            EventClass::CertificateIssued,
            EventClass::CertificateBound,
            EventClass::CertificateRevoked,
            EventClass::DeviceLifecycle,
        ];
        let mut fleet = Self {
            now,
            observations: Observations {
                taken_at: now,
                okta: OktaObservation {
                    authorities: None,
                    now,
                    policies: policies(),
                    ..OktaObservation::default()
                },
                mdms: vec![
                    mdm(now, "jamf", MdmKind::Jamf, Platform::Macos),
                    mdm(now, "intune", MdmKind::Intune, Platform::Windows),
                ],
                log: LogFacts {
                    coverage: classes.into_iter().map(|class| (class, coverage)).collect(),
                    ..LogFacts::default()
                },
            },
        };
        for number in 0..subjects {
            let stuck = number % one_in == 0;
            fleet.add(
                number,
                stuck.then(|| FAULTS[number / one_in % FAULTS.len()]),
            );
        }
        fleet
    }

    fn days_ago(&self, days: i64) -> DateTime<Utc> {
        self.now - TimeDelta::days(days)
    }

    fn add(&mut self, number: usize, fault: Option<Fault>) {
        // Faults and platforms must not keep step, or each fault would know one platform only.
        let mdm = (number / 3) % 2;
        let serial = format!("C02{number:09}");
        let login = format!("user{number}@example.com");
        self.add_okta(mdm, number, &serial, &login, fault);
        let record = self.record(mdm, number, &serial, &login, fault);
        self.observations.mdms[mdm].devices.push(record);
    }

    fn add_okta(
        &mut self,
        mdm: usize,
        number: usize,
        serial: &str,
        login: &str,
        fault: Option<Fault>,
    ) {
        let (now, used) = (self.now, self.now - TimeDelta::hours(30));
        let device = format!("guo{number:09}");
        let user = format!("00u{number:09}");
        let link = OktaDeviceUser {
            user_id: user.as_str().into(),
            login: login.to_owned(),
            email: Some(login.to_owned()),
            name: Some(format!("User {number}")),
            management_status: Some(match fault {
                None => ManagementStatus::Managed,
                Some(_) => ManagementStatus::NotManaged,
            }),
            created: Some(self.days_ago(200)),
        };
        let log = &mut self.observations.log;
        let signed_in = match fault {
            Some(Fault::NoSignIn) => now - TimeDelta::days(60),
            _ => now - TimeDelta::days(2),
        };
        let seen = FastPassSeen {
            last_resistant: None,
            last_not_resistant: None,
            success: Some(Seen {
                first: now - TimeDelta::days(190),
                last: signed_in,
            }),
            last_managed: fault.is_none().then_some(signed_in),
            last_unmanaged: fault.is_some().then_some(signed_in),
            last_failure: None,
        };
        log.fastpass
            .insert((device.as_str().into(), user.as_str().into()), seen);
        log.sign_ins
            .insert(user.as_str().into(), now - TimeDelta::days(1));
        log.binds.insert(
            device.as_str().into(),
            Seen::once(now - TimeDelta::days(39)),
        );
        log.issued.insert(
            normalise_subject(&subject_of(serial)),
            Seen::once(now - TimeDelta::days(40)),
        );
        let okta = &mut self.observations.okta;
        if fault.is_some() {
            okta.confirmed.insert(
                device.as_str().into(),
                DeviceConfirmation {
                    read_at: now,
                    last_updated: Some(used),
                    users: Some(vec![ConfirmedUser {
                        link: link.clone(),
                        status: UserStatus::Active,
                        last_login: Some(now - TimeDelta::days(1)),
                    }]),
                },
            );
            okta.users.insert(
                user.as_str().into(),
                UserDetail {
                    groups: Some(vec!["00geverybody".into()]),
                    fastpass_enrolled: Some(true),
                    log_covered_from: None,
                },
            );
        }
        okta.devices.push(OktaDevice {
            okta_verify_version: None,
            id: device.into(),
            status: match fault {
                Some(Fault::Suspended) => OktaDeviceStatus::Suspended,
                _ => OktaDeviceStatus::Active,
            },
            created: Some(now - TimeDelta::days(200)),
            last_updated: Some(used),
            platform: self.observations.mdms[mdm].platforms[0],
            display_name: format!("PC-{number:06}"),
            serial_number: Some(serial.to_owned()),
            udid: None,
            model: Some("Model".to_owned()),
            manufacturer: None,
            os_version: Some("15.7".to_owned()),
            registered: true,
            users: Some(vec![link]),
        });
    }

    fn record(
        &self,
        mdm: usize,
        number: usize,
        serial: &str,
        login: &str,
        fault: Option<Fault>,
    ) -> MdmDevice {
        let observed = &self.observations.mdms[mdm];
        let state = match fault {
            Some(Fault::ProfileFailed) => ProfileState::Failed {
                error: "The operation timed out".to_owned(),
            },
            Some(Fault::ProfilePending) => ProfileState::Pending,
            Some(Fault::NotAssigned) => ProfileState::NotAssigned,
            _ => ProfileState::Installed,
        };
        let without = matches!(
            fault,
            Some(
                Fault::Missing | Fault::ProfileFailed | Fault::ProfilePending | Fault::NotAssigned
            )
        );
        let issued_at = match fault {
            Some(Fault::Expired) => self.days_ago(400),
            _ => self.days_ago(40),
        };
        let certificate = MdmCertificate {
            subject_matches: true,
            subject: subject_of(serial),
            issuer: None,
            serial_number: Some(format!("{number:x}")),
            thumbprint: None,
            issued_at: Some(issued_at),
            expires_at: Some(issued_at + TimeDelta::days(365)),
            store: Some(CertificateStore::User),
            username: None,
            has_private_key: Some(true),
            revoked: None,
        };
        MdmDevice {
            okta_verify_version: None,
            intermediate_present: None,
            trust_profile: None,
            sso_extensions: None,
            command_pending_since: None,
            issuance: None,
            site: None,
            id: format!("{}-{number}", observed.name).into(),
            management_id: Some(format!("management-{number}")),
            name: format!("PC-{number:06}"),
            platform: observed.platforms[0],
            serial_number: Some(serial.to_owned()),
            udid: None,
            model: Some("Model".to_owned()),
            os_version: Some("15.7".to_owned()),
            user: Some(login.to_owned()),
            enrolment: Enrolment::Works,
            enrolled_at: Some(self.days_ago(200)),
            last_check_in: Some(match fault {
                Some(Fault::Silent) => self.days_ago(20),
                _ => self.now - TimeDelta::hours(1),
            }),
            inventory_at: Some(match fault {
                Some(Fault::Silent) => self.days_ago(20),
                _ => self.now - TimeDelta::hours(2),
            }),
            profiles: Some(vec![ProfileDelivery {
                profile_id: format!("{}-scep", observed.name).into(),
                state,
                since: Some(self.days_ago(10)),
                store: Some(CertificateStore::User),
            }]),
            certificates: Some(match without {
                true => Vec::new(),
                false => vec![certificate],
            }),
            okta_verify_installed: Some(true),
            local_users: Some(1),
            groups: Some(vec!["everybody".into()]),
            push_enabled: Some(true),
            category: None,
        }
    }
}

fn subject_of(serial: &str) -> String {
    format!("CN=name managementAttestation {serial}")
}

/// One policy with one rule, which asks everybody for a managed device.
fn policies() -> PolicyFacts {
    PolicyFacts {
        fastpass_button: None,
        complete: true,
        fastpass_active: Some(true),
        access_policies: vec![AccessPolicy {
            id: "rst1".to_owned(),
            name: "Any app".to_owned(),
            app_ids: vec!["0oasignin".to_owned()],
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
        }],
    }
}

fn mdm(now: DateTime<Utc>, name: &str, kind: MdmKind, platform: Platform) -> MdmObservation {
    MdmObservation {
        sso_extensions: None,
        push_certificate_expires_at: None,
        name: name.into(),
        kind,
        platforms: vec![platform],
        complete: true,
        now,
        shows: Shows {
            certificates: match kind {
                MdmKind::Jamf => Visibility::Always,
                MdmKind::Intune => Visibility::PresenceOnly,
            },
            issuer: false,
            store: true,
            profile_state: true,
            assignment: true,
            applications: true,
        },
        devices: Vec::new(),
        profiles: vec![AttestationProfile {
            scep: unstuck_domain::ScepSettings::default(),
            trust: None,
            id: format!("{name}-scep").into(),
            name: "Okta SCEP".to_owned(),
            identifier: None,
            platform,
            store: Some(CertificateStore::User),
            other_payloads: Some(Vec::new()),
            network_uses: Some(Vec::new()),
            scope: ProfileScope {
                device_groups: vec!["everybody".into(), "target".into()],
                excluded_groups: vec!["hold".into()],
                ..ProfileScope::default()
            },
            modified_at: Some(now - TimeDelta::days(300)),
        }],
        targets: RepairTargets {
            hold_group: Some("hold".into()),
            target_group: Some("target".into()),
            ..RepairTargets::default()
        },
    }
}
