//! Signing in with FastPass: which certificate Okta Verify picks, what the server checks, and what
//! changes because of it. The management status changes here and nowhere else.

use chrono::Duration;

use super::{
    Actor, DeviceStatus, Effect, HeldCertificate, Id, Issuer, Link, LogDevice, LogEvent,
    MachineKey, Method, OktaDevice, OwnAuthority, Persona, Policy, Probe, ProfileKind, Rule,
    SignInOutcome, State, Store, Target, UserStatus,
};

impl State {
    /// The user opens the app for checks on this device and chooses FastPass.
    pub(crate) fn fastpass_sign_in(&mut self, user: &Id, device: &Id) -> SignInOutcome {
        let app = self.targets.sign_in_app.as_str().into();
        self.fastpass_sign_in_to(user, device, &app)
    }

    /// The user opens this app on this device and chooses FastPass.
    pub(crate) fn fastpass_sign_in_to(
        &mut self,
        user: &Id,
        device: &Id,
        app: &Id,
    ) -> SignInOutcome {
        if let Some(refused) = self.refusal(user, device) {
            if refused == SignInOutcome::ProbeBlocked {
                self.log_failed_probe(user, device);
            }
            return refused;
        }
        let used = self.fastpass_method(device);
        let asked = used == Method::FastPass && self.management_is_asked(user, device, app);
        let certificate = asked.then(|| self.pick_certificate(user, device)).flatten();
        let attested = certificate
            .as_ref()
            .is_some_and(|serial| self.server_accepts(serial, device));
        self.log_fastpass(user, device, attested, app, used);
        if let Some(serial) = certificate.filter(|_| attested) {
            self.bind(&serial, user, device);
        }
        self.store_status(user, device, attested);
        if attested {
            SignInOutcome::Managed
        } else {
            SignInOutcome::NotManaged
        }
    }

    fn refusal(&self, user: &Id, device: &Id) -> Option<SignInOutcome> {
        let Some(person) = self.people.get(user) else {
            return Some(SignInOutcome::NotEnrolled);
        };
        let Some(record) = self.devices.get(device) else {
            return Some(SignInOutcome::NotEnrolled);
        };
        if person.status != UserStatus::Active || record.status == DeviceStatus::Suspended {
            return Some(SignInOutcome::Refused);
        }
        let enrolled = record.status == DeviceStatus::Active
            && self.okta_verify.active
            && self.okta_verify.fastpass_active
            && record
                .link(user)
                .and_then(|link| link.enrolment.as_ref())
                .is_some_and(|enrolment| enrolment.active);
        if !enrolled {
            return Some(SignInOutcome::NotEnrolled);
        }
        let blocked = record.machine.is_some_and(|key| {
            self.machine(key).probe == Probe::Blocked || !self.sso_extension_serves(key)
        });
        blocked.then_some(SignInOutcome::ProbeBlocked)
    }

    /// How FastPass would prove itself on this device.
    fn fastpass_method(&self, device: &Id) -> Method {
        let machine = self.devices.get(device).and_then(|record| record.machine);
        match machine.map(|key| self.machine(key).probe) {
            Some(Probe::LinkOnly) => Method::FastPassByLink,
            _ => Method::FastPass,
        }
    }

    /// Whether the policy of an app, for this user on this device at its best, comes to a rule that asks
    /// for the managed state. The first rule that matches decides, so an earlier one hides the others.
    fn management_is_asked(&self, user: &Id, device: &Id, app: &Id) -> bool {
        let policy = self
            .apps
            .get(app)
            .and_then(|app| self.policies.get(&app.policy));
        let (Some(policy), Some(record)) = (policy, self.devices.get(device)) else {
            return false;
        };
        policy.active
            && self
                .matching_rule(policy, user, record, true, true)
                .is_some_and(|rule| rule.managed == Some(true))
    }

    /// Whether the people and platform conditions of a rule take in this user on this device.
    pub(crate) fn rule_covers(&self, rule: &Rule, user: &Id, device: &OktaDevice) -> bool {
        let platform = rule.platforms.is_empty() || rule.platforms.contains(&device.platform);
        platform && self.rule_covers_user(rule, user)
    }

    pub(crate) fn rule_covers_user(&self, rule: &Rule, user: &Id) -> bool {
        let member_of = |groups: &[Id]| {
            groups.iter().any(|group| {
                self.okta_groups
                    .get(group)
                    .is_some_and(|group| group.members.contains(user))
            })
        };
        let unconditional = rule.include_groups.is_empty() && rule.include_users.is_empty();
        let included =
            unconditional || rule.include_users.contains(user) || member_of(&rule.include_groups);
        included && !rule.exclude_users.contains(user) && !member_of(&rule.exclude_groups)
    }

    /// Okta Verify's choice: the user's store first, the machine's only if the user's has none of the
    /// trusted issuer; among those with a usable key the one issued last. It does not check revocation.
    fn pick_certificate(&self, user: &Id, device: &Id) -> Option<Id> {
        let key = self.devices.get(device)?.machine?;
        let machine = self.machine(key);
        if !self.okta_verify_can_attest(key) {
            return None;
        }
        let trusted = |store: &Store| {
            machine
                .certificates
                .iter()
                .filter(|held| held.store == *store)
                .filter_map(|held| Some((held, self.certificates.get(&held.serial)?)))
                .filter(|(_, certificate)| self.trusts(certificate.issuer))
                .collect::<Vec<_>>()
        };
        let own = match machine.enrolled_in_other_os_profile {
            true => Vec::new(),
            false => trusted(&Store::User(user.clone())),
        };
        let candidates = if own.is_empty() {
            trusted(&Store::Machine)
        } else {
            own
        };
        candidates
            .into_iter()
            .filter(|(held, certificate)| {
                held.key_usable
                    && self.has_chain(key, held)
                    && machine
                        .ov_blind_until
                        .is_none_or(|until| certificate.issued > until)
            })
            .max_by_key(|(_, certificate)| certificate.issued)
            .map(|(_, certificate)| certificate.serial.clone())
    }

    /// A PC builds the chain to the issuer and needs the intermediate for it; a Mac signs without.
    fn has_chain(&self, key: MachineKey, held: &HeldCertificate) -> bool {
        let profile = held.profile.map(|profile| &self.profile(profile).kind);
        match profile {
            Some(ProfileKind::Scep {
                trusted: Some(trusted),
                ..
            }) => self.machine(key).has_profile(*trusted, &Store::Machine),
            _ => true,
        }
    }

    /// Whether the list of issuers that the server sends has this one.
    fn trusts(&self, issuer: Issuer) -> bool {
        match issuer {
            Issuer::Org => true,
            Issuer::OwnAuthority => self.org.own_authority != OwnAuthority::Deleted,
            Issuer::DeviceAccess | Issuer::OtherOrg => false,
        }
    }

    fn server_accepts(&self, serial: &Id, device: &Id) -> bool {
        self.certificates.get(serial).is_some_and(|certificate| {
            let unchecked = certificate.issuer == Issuer::OwnAuthority
                && self.org.own_authority == OwnAuthority::RevocationUnknown;
            !unchecked
                && certificate.valid_at(self.now)
                && certificate
                    .bound
                    .as_ref()
                    .is_none_or(|bound| bound == device)
        })
    }

    fn bind(&mut self, serial: &Id, user: &Id, device: &Id) {
        let Some(certificate) = self.certificates.get_mut(serial) else {
            return;
        };
        if certificate.bound.is_some() {
            return;
        }
        certificate.bound = Some(device.clone());
        let targets = vec![
            Target::Device(device.clone()),
            Target::Certificate(serial.clone()),
        ];
        let mut event = self.event("pki.cert.bind", Actor::User(user.clone()), targets);
        event.device = Some(LogDevice {
            id: device.clone(),
            managed: true,
            registered: true,
        });
        self.log(event);
    }

    fn store_status(&mut self, user: &Id, device: &Id, managed: bool) {
        let now = self.now;
        self.touch_device(device);
        if let Some(person) = self.people.get_mut(user) {
            person.last_login = Some(now);
        }
        let Some(link) = self
            .devices
            .get_mut(device)
            .and_then(|record| record.link_mut(user))
        else {
            return;
        };
        link.managed = managed;
        if let Some(enrolment) = &mut link.enrolment {
            enrolment.last_verified = Some(now);
        }
    }

    fn log_fastpass(&mut self, user: &Id, device: &Id, managed: bool, app: &Id, used: Method) {
        for event in self.fastpass_events(user, device, managed, app, used) {
            self.log(event);
        }
    }

    /// The events of one successful FastPass sign-in: the factor, the policy decision, the app.
    pub(crate) fn fastpass_events(
        &mut self,
        user: &Id,
        device: &Id,
        managed: bool,
        app: &Id,
        used: Method,
    ) -> [LogEvent; 3] {
        let enrolment = self
            .devices
            .get(device)
            .and_then(|record| record.link(user))
            .and_then(|link| link.enrolment.as_ref())
            .map(|enrolment| enrolment.id.clone());
        let context = LogDevice {
            id: device.clone(),
            managed,
            registered: true,
        };
        let session = Some(rand::RngExt::random(&mut self.ids.rng));
        let rule = self.winning_rule(user, device, managed, app);
        let rule = rule.map(Target::Rule);
        let app = Target::App(app.clone());
        let client = self.client_of(device);
        let actor = Actor::User(user.clone());

        let mut targets = vec![Target::User(user.clone())];
        targets.extend(enrolment.map(|id| Target::Enrolment { id, used }));
        let mut factor = self.event("user.authentication.auth_via_mfa", actor.clone(), targets);
        factor.factor = Some("SIGNED_NONCE");
        let mut decision_targets = vec![app.clone()];
        decision_targets.extend(rule);
        let mut decision = self.event("policy.evaluate_sign_on", actor.clone(), decision_targets);
        decision.outcome = "ALLOW";
        decision.reason = Some("Sign-on policy evaluation resulted in AUTHENTICATED");
        let sso = self.event("user.authentication.sso", actor, vec![app]);
        [factor, decision, sso].map(|mut event| {
            event.device = Some(context.clone());
            event.session = session;
            event.client = client;
            event
        })
    }

    /// The rule of this app's policy that matches first.
    fn winning_rule(&self, user: &Id, device: &Id, managed: bool, app: &Id) -> Option<Id> {
        let app = self.apps.get(app)?;
        let policy = self.policies.get(&app.policy)?;
        let record = self.devices.get(device)?;
        self.matching_rule(policy, user, record, true, managed)
            .map(|rule| rule.id.clone())
    }

    /// The first active rule, by priority, whose conditions all hold.
    pub(crate) fn matching_rule<'a>(
        &self,
        policy: &'a Policy,
        user: &Id,
        device: &OktaDevice,
        registered: bool,
        managed: bool,
    ) -> Option<&'a Rule> {
        let mut rules: Vec<&Rule> = policy.rules.iter().filter(|rule| rule.active).collect();
        rules.sort_by_key(|rule| rule.priority);
        rules.into_iter().find(|rule| {
            rule.registered.is_none_or(|wanted| wanted == registered)
                && rule.managed.is_none_or(|wanted| wanted == managed)
                && self.rule_covers(rule, user, device)
        })
    }

    fn log_failed_probe(&mut self, user: &Id, device: &Id) {
        let mut event = self.event(
            "user.authentication.auth_via_mfa",
            Actor::User(user.clone()),
            vec![Target::User(user.clone())],
        );
        event.outcome = "FAILURE";
        event.reason = Some("INVALID_CREDENTIALS");
        event.factor = Some("SIGNED_NONCE");
        event.client = self.client_of(device);
        event.device = Some(LogDevice {
            id: device.clone(),
            managed: false,
            registered: true,
        });
        self.log(event);
    }

    /// A request reached the person; schedule what the persona does about it.
    pub(crate) fn person_asked(&mut self, person: &Id) {
        let now = self.now;
        let Some(asked) = self.people.get_mut(person) else {
            return;
        };
        asked.times_asked += 1;
        let answer = match asked.persona {
            Persona::AnswersAfter(delay) => Some(now + delay),
            Persona::AnswersReminder(times) if asked.times_asked >= times => {
                Some(now + Duration::hours(1))
            }
            Persona::AnswersReminder(_) | Persona::Never => None,
        };
        if let Some(at) = answer {
            let person = person.clone();
            self.schedule(at, Effect::AnswerRequest { person });
        }
    }

    pub(crate) fn answer_request(&mut self, person: &Id) {
        for device in self.desktops_of(person) {
            self.fastpass_sign_in(person, &device);
        }
    }

    pub(crate) fn daily_sign_in(&mut self, person: &Id, device: &Id) {
        let habit = self
            .people
            .get(person)
            .and_then(|person| person.habit_app.clone());
        match habit {
            Some(app) => self.fastpass_sign_in_to(person, device, &app),
            None => self.fastpass_sign_in(person, device),
        };
        let (person, device) = (person.clone(), device.clone());
        self.schedule(
            self.now + Duration::days(1),
            Effect::DailySignIn { person, device },
        );
    }

    /// The desktop records this person has an account on, that are not deactivated.
    pub(crate) fn desktops_of(&self, person: &str) -> Vec<Id> {
        self.devices_of
            .get(person)
            .into_iter()
            .flatten()
            .filter(|id| {
                self.devices.get(*id).is_some_and(|record| {
                    record.platform.is_desktop() && record.link(person).is_some()
                })
            })
            .cloned()
            .collect()
    }

    /// The user's link on a device.
    pub(crate) fn link(&self, user: &str, device: &str) -> Option<&Link> {
        self.devices.get(device)?.link(user)
    }
}
