//! Everything that the page draws, for the person that the visitor is.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    Json,
    extract::{Query, State},
};
use serde::{Deserialize, Serialize};
use simulator::slack::{ChannelKind, Message, SlackWorkspace, View};

use super::{
    super::{
        Demo,
        cast::Person,
        funnel::{self, Funnel},
        story::{self, Line},
        time::Shown,
        troubles::Broken,
    },
    Page,
};

/// Lines of the story that are drawn.
const LINES: usize = 200;
/// Messages of a conversation that are drawn.
const MESSAGES: usize = 150;

#[derive(Deserialize)]
pub(super) struct Viewer {
    /// Whom the visitor plays in the channel.
    #[serde(rename = "as", default)]
    person: String,
    /// Whose direct messages are open.
    #[serde(default)]
    dm: String,
}

/// The document.
#[derive(Serialize)]
pub(super) struct Document {
    clock: Shown,
    up: bool,
    sweeping: bool,
    people: Vec<Person>,
    you: String,
    bot: String,
    channel: Conversation,
    /// Who has direct messages of the bot, and how many.
    dms: Vec<Correspondent>,
    dm: Option<Conversation>,
    views: Vec<View>,
    /// Names by id: people, groups, channels.
    names: BTreeMap<String, String>,
    funnel: Option<Funnel>,
    lines: Vec<Line>,
    summary: Vec<String>,
    broken: Broken,
}

#[derive(Serialize)]
struct Conversation {
    id: String,
    name: String,
    person: String,
    messages: Vec<Message>,
    /// Only for the person.
    ephemerals: Vec<Message>,
}

#[derive(Serialize)]
struct Correspondent {
    id: String,
    name: String,
    messages: usize,
}

pub(super) async fn state(
    State(page): State<Page>,
    Query(viewer): Query<Viewer>,
) -> Json<Document> {
    let demo = &page.demo;
    let slack = demo.simulator.slack();
    let people = demo.cast.people();
    let you = people
        .iter()
        .find(|person| person.id == viewer.person)
        .or(people.first());
    let you = you.map_or_else(String::new, |person| person.id.clone());
    let channel = Conversation {
        name: "fleet-repairs".into(),
        messages: newest(slack.messages(&demo.cast.channel)),
        ephemerals: newest(slack.ephemerals(&you))
            .into_iter()
            .filter(|message| message.channel == demo.cast.channel)
            .collect(),
        id: demo.cast.channel.clone(),
        person: you.clone(),
    };
    let dms = correspondents(slack);
    let dm = slack.im_channel(&viewer.dm).map(|im| Conversation {
        name: slack
            .user(&viewer.dm)
            .map(|user| user.real_name)
            .unwrap_or_default(),
        messages: newest(slack.messages(&im.id)),
        ephemerals: newest(slack.ephemerals(&viewer.dm))
            .into_iter()
            .filter(|message| message.channel == im.id)
            .collect(),
        id: im.id,
        person: viewer.dm.clone(),
    });
    let shown = dm.as_ref().map_or(&you, |dm| &dm.person);
    let views = slack.views(shown);
    let picture = demo.picture.borrow().clone();
    let names = names(demo, &channel, dm.as_ref());
    let lines = demo.story.borrow().clone();
    Json(Document {
        clock: demo.time.shown(),
        up: demo.host.is_up().await,
        sweeping: picture.sweeping.is_some(),
        you,
        people,
        bot: slack.config().bot_user_id.clone(),
        channel,
        dms,
        dm,
        views,
        names,
        funnel: funnel::funnel(&picture),
        lines: last(&lines),
        summary: story::summary(&picture),
        broken: demo.troubles.broken(),
    })
}

fn last(lines: &Arc<Vec<Line>>) -> Vec<Line> {
    lines[lines.len().saturating_sub(LINES)..].to_vec()
}

fn newest(mut messages: Vec<Message>) -> Vec<Message> {
    let old = messages.len().saturating_sub(MESSAGES);
    messages.drain(..old);
    messages
}

fn correspondents(slack: &SlackWorkspace) -> Vec<Correspondent> {
    let mut people: Vec<Correspondent> = slack
        .channels()
        .into_iter()
        .filter_map(|channel| {
            let ChannelKind::Im { user } = &channel.kind else {
                return None;
            };
            let name = slack.user(user)?.real_name;
            Some(Correspondent {
                id: user.clone(),
                name,
                messages: slack.messages(&channel.id).len(),
            })
        })
        .filter(|person| person.messages > 0)
        .collect();
    people.sort_by(|a, b| a.name.cmp(&b.name));
    people
}

/// Names of whoever is drawn; a company has too many people to send them all each time.
fn names(
    demo: &Demo,
    channel: &Conversation,
    dm: Option<&Conversation>,
) -> BTreeMap<String, String> {
    let slack = demo.simulator.slack();
    let conversations = [Some(channel), dm];
    let messages = conversations
        .iter()
        .flatten()
        .flat_map(|one| one.messages.iter().chain(&one.ephemerals));
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    for message in messages {
        wanted.insert(message.user.clone());
        mentioned(&message.text, &mut wanted);
        mentioned(
            &serde_json::Value::from(message.blocks.clone()).to_string(),
            &mut wanted,
        );
    }
    let groups = slack
        .usergroups()
        .into_iter()
        .map(|group| (group.id, group.handle));
    let channels = slack
        .channels()
        .into_iter()
        .filter(|channel| !channel.name.is_empty())
        .map(|channel| (channel.id, channel.name));
    let people = wanted
        .into_iter()
        .filter_map(|id| Some((id.clone(), slack.user(&id)?.real_name)));
    groups.chain(channels).chain(people).collect()
}

/// Ids in `<@U…>`.
fn mentioned(text: &str, into: &mut BTreeSet<String>) {
    for rest in text.split("<@").skip(1) {
        into.extend(rest.split(['>', '|']).next().map(str::to_owned));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_found_with_and_without_a_name() {
        let mut ids = BTreeSet::new();
        mentioned("by <@U1> and <@U2|ann>", &mut ids);
        assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["U1", "U2"]);
    }
}
