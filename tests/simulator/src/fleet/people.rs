//! The people of the company: their accounts, groups and habits.

use chrono::Duration;
use rand::RngExt;
use rand::rngs::StdRng;

use super::ScriptedDevice;
use super::assemble::Builder;
use super::blueprint::Blueprint;
use super::names;
use crate::world::{Id, Person, Persona, UserStatus};

impl Builder {
    pub(super) fn put_people(&mut self, blueprint: &Blueprint) {
        for account in &blueprint.accounts {
            let groups = &mut self.state.okta_groups;
            if !account.in_fastpass_group
                && let Some(group) = groups.get_mut(&self.landscape.fastpass_group)
            {
                group.members.remove(&account.person);
            }
            for group in &account.groups {
                if let Some(group) = groups.get_mut(group) {
                    group.members.insert(account.person.clone());
                }
            }
            if account.contractor
                && let Some(group) = groups.get_mut(&self.landscape.contractors)
            {
                group.members.insert(account.person.clone());
            }
            let last = account.fastpass.iter().chain(&account.push).max().copied();
            // Without a sign-in on this machine, people still sign in elsewhere.
            let elsewhere = self.state.now - Duration::hours(self.rng.random_range(4..60));
            if let Some(person) = self.state.people.get_mut(&account.person) {
                if account.app.is_some() {
                    person.habit_app.clone_from(&account.app);
                }
                if account.status != UserStatus::Active {
                    person.status = account.status;
                }
                let stale = account.cause == "okta_record_stale";
                let seen = if stale {
                    last
                } else {
                    Some(elsewhere.max(last.unwrap_or(elsewhere)))
                };
                person.last_login = person.last_login.max(seen);
            }
        }
    }

    pub(super) fn scripted_owner(&mut self, script: &ScriptedDevice) -> Id {
        let known = script
            .owner
            .as_ref()
            .and_then(|login| self.state.person(login))
            .map(|person| person.id.clone());
        let id = known.unwrap_or_else(|| self.new_person());
        let Some(person) = self.state.people.get_mut(&id) else {
            return id;
        };
        person.persona = script.persona;
        person.on_slack = true;
        if let Some(login) = &script.owner {
            self.state.logins.remove(&person.login);
            person.login.clone_from(login);
            person.email.clone_from(login);
            self.state.logins.insert(login.to_lowercase(), id.clone());
        }
        id
    }

    pub(super) fn new_person(&mut self) -> Id {
        let first = names::FIRST[self.rng.random_range(0..names::FIRST.len())];
        let last = names::LAST[self.rng.random_range(0..names::LAST.len())];
        let plain = format!("{first}.{last}").to_lowercase();
        let mut login = format!("{plain}@acme.example");
        let mut number = 2;
        while self.state.logins.contains_key(&login) {
            login = format!("{plain}{number}@acme.example");
            // Steps grow, so that a hundred thousand namesakes do not take for ever.
            number += 1 + number / 8;
        }
        let id = self.state.ids.okta("00u");
        let created = self.state.now - Duration::days(self.rng.random_range(60..800));
        let person = Person {
            id: id.clone(),
            entra_id: self.state.ids.guid(),
            login: login.clone(),
            email: login.clone(),
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            department: names::DEPARTMENTS[self.rng.random_range(0..names::DEPARTMENTS.len())],
            status: UserStatus::Active,
            created,
            last_login: None,
            push_factor: Some(created + Duration::days(1)),
            persona: self.persona(),
            on_slack: self.rng.random_bool(0.97),
            habit_app: None,
            times_asked: 0,
        };
        self.state.people.insert(id.clone(), person);
        self.state.logins.insert(login, id.clone());
        let groups = [
            &self.landscape.everyone,
            &self.landscape.employees,
            &self.landscape.fastpass_group,
        ];
        for group in groups {
            if let Some(group) = self.state.okta_groups.get_mut(group) {
                group.members.insert(id.clone());
            }
        }
        id
    }

    /// How people react, in the shares that the catalogue's time constants guess.
    fn persona(&mut self) -> Persona {
        let minutes = |rng: &mut StdRng, from, to| {
            Persona::AnswersAfter(Duration::minutes(rng.random_range(from..to)))
        };
        match self.rng.random_range(0..100) {
            0..40 => minutes(&mut self.rng, 2, 60),
            40..75 => minutes(&mut self.rng, 60, 24 * 60),
            75..85 => minutes(&mut self.rng, 24 * 60, 7 * 24 * 60),
            85..90 => Persona::AnswersReminder(2),
            _ => Persona::Never,
        }
    }
}
