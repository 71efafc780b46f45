//! The stop file: while it exists, everything is stopped, as if somebody had said so. Whoever removes it resumes.

use std::{io::ErrorKind, path::Path};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::stops;
use crate::{
    chat::{Deps, messages, mrkdwn},
    pass::Pass,
    store::{NewStop, Stop, StopScope, Store, StoreError},
};

/// Who stopped, where the file did.
const BY: &str = "the stop file";

/// Every stop that holds now: that of the file first, then those that people set.
pub async fn in_force(store: &Store, file: &Path) -> Result<Vec<Stop>, StoreError> {
    let mut stops: Vec<Stop> = of_file(file).await.into_iter().collect();
    stops.extend(store.active_stops().await?);
    Ok(stops)
}

/// The stop that the file is. One that cannot be looked at may be there: then everything is stopped.
async fn of_file(file: &Path) -> Option<Stop> {
    let found = tokio::fs::metadata(file).await;
    let (what, at) = match found.as_ref().map(std::fs::Metadata::modified) {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => (format!("cannot be looked at ({error})"), None),
        Ok(modified) => ("is there".to_owned(), modified.ok()),
    };
    Some(Stop {
        id: 0,
        stop: NewStop {
            scope: StopScope::All,
            freeze: false,
            reason: format!("the file {} {what}", file.display()),
            by: BY.into(),
            at: at.map_or(DateTime::UNIX_EPOCH, DateTime::from),
        },
        resumed: None,
    })
}

/// Tells the channel when the file comes and goes, and draws the cards anew.
pub struct StopFilePass {
    deps: Deps,
    /// Whether it was there at the last look.
    before: Mutex<Option<bool>>,
}

impl StopFilePass {
    /// Has not looked yet.
    pub fn new(deps: Deps) -> Self {
        Self {
            deps,
            before: Mutex::new(None),
        }
    }
}

#[async_trait]
impl Pass for StopFilePass {
    fn name(&self) -> &'static str {
        "stop-file"
    }

    async fn run(&self, now: DateTime<Utc>) -> anyhow::Result<Option<DateTime<Utc>>> {
        let store = &self.deps.store;
        let mut before = self.before.lock().await;
        let stop = of_file(&self.deps.settings.stop_file()).await;
        if *before == Some(stop.is_some()) {
            return Ok(None);
        }
        // After a start the cards may be of a time when the file was, or was not, there.
        let cards = stops::cards_of(store, &StopScope::All).await?;
        let mut letters: Vec<_> = cards.iter().map(|id| messages::card(id, now)).collect();
        match &stop {
            // The file's own time keeps a restart from saying it again.
            Some(stop) => letters.push(messages::notice_marked(
                &format!("stop-file:{}", stop.stop.at.timestamp_millis()),
                &format!(
                    ":octagonal_sign: *Everything is stopped*: {}\nNothing new starts. Steps already sent finish, and \
                     what was taken away from a computer is given back. Remove the file to go on.",
                    mrkdwn::escape(&stop.stop.reason)
                ),
                now,
            )),
            None if *before == Some(true) => letters.push(messages::notice_marked(
                &format!("stop-file-gone:{}", now.timestamp_millis()),
                ":arrow_forward: *Everything goes on*: the stop file was removed.",
                now,
            )),
            None => {}
        }
        store.put_messages(&letters).await?;
        *before = Some(stop.is_some());
        Ok(None)
    }
}
