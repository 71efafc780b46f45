//! The people that a visitor of the page can be.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use simulator::{Simulator, slack::SlackWorkspace};

use crate::report::SweepDocument;

/// The channel's name on the page.
const CHANNEL_NAME: &str = "fleet-repairs";
/// The helpdesk's member, who may not approve.
const BOB: (&str, &str) = ("bob@acme.example", "Bob Helpdesk");

/// Somebody on the page's switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Person {
    /// Slack id.
    pub(super) id: String,
    /// `Kim`
    pub(super) name: String,
    /// `on-call`
    pub(super) role: &'static str,
}

/// Two approvers, one who is none, and the owner of a computer.
pub(super) struct Cast {
    /// Channel of the cards.
    pub(super) channel: String,
    people: Mutex<Vec<Person>>,
}

impl Cast {
    /// Names the channel, and adds the one person that the company lacks.
    pub(super) fn prepare(simulator: &Simulator) -> Self {
        let slack = simulator.slack();
        let connection = &simulator.connection().slack;
        slack.change_channel(&connection.channel, |channel| {
            channel.name = CHANNEL_NAME.into()
        });
        let groups = slack.usergroups();
        let approvers = groups
            .iter()
            .find(|group| group.id == connection.approvers_usergroup);
        let mut people: Vec<Person> = approvers
            .iter()
            .flat_map(|group| &group.users)
            .take(2)
            .map(|id| Person {
                id: id.clone(),
                name: first_name(slack, id),
                role: "on-call, may approve",
            })
            .collect();
        let bob = slack.add_person(BOB.0, BOB.1);
        slack.change_channel(&connection.channel, |channel| {
            channel.members.insert(bob.clone());
        });
        people.push(Person {
            name: first_name(slack, &bob),
            id: bob,
            role: "helpdesk, no approver",
        });
        Self {
            channel: connection.channel.clone(),
            people: Mutex::new(people),
        }
    }

    /// Adds the owner of a computer that a card is about, once.
    pub(super) fn choose_owner(&self, document: &SweepDocument, slack: &SlackWorkspace) {
        let mut people = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if people.iter().any(|person| person.role.starts_with("owns")) {
            return;
        }
        let mut proposed = document
            .findings
            .iter()
            .filter(|finding| finding.why_not.is_none());
        let owner = proposed.find_map(|finding| slack.user_by_email(finding.login.as_deref()?));
        if let Some(owner) = owner {
            slack.change_channel(&self.channel, |channel| {
                channel.members.insert(owner.id.clone());
            });
            people.push(Person {
                name: first(&owner.real_name),
                id: owner.id,
                role: "owns a stuck computer",
            });
        }
    }

    /// Everybody on the switch.
    pub(super) fn people(&self) -> Vec<Person> {
        self.people
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The approver who clicks when nobody is there.
    pub(super) fn approver(&self) -> Option<String> {
        self.people().first().map(|person| person.id.clone())
    }
}

/// `Kim`, for the person as decisions name them: a Slack id, perhaps with a prefix.
pub(super) fn first_name(slack: &SlackWorkspace, person: &str) -> String {
    let id = person.rsplit(':').next().unwrap_or(person);
    slack
        .user(id)
        .map_or_else(|| person.to_owned(), |user| first(&user.real_name))
}

fn first(name: &str) -> String {
    name.split(' ').next().unwrap_or(name).to_owned()
}
