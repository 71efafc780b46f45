//! What the ledger keeps of people: the last sign-in without FastPass, the latest apps, browsers, enrolments.
//!
//! Apps, browsers and other sign-ins matter of users who are stuck, and are loaded of them alone: of a whole company they
//! would take more memory than everything else.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;
use unstuck_domain::{DeviceId, LogFacts, OtherSignIn, Platform, UserId, ledger::APPS_KEPT};

use super::bulk::{BATCH, rows, stamp};
use super::engine::Engine;
use super::rows::{from_word, json, word};
use super::{Store, StoreError, Tx};

#[derive(Serialize)]
struct NewOtherSignInRow<'a> {
    user_id: &'a str,
    last_at: String,
    device_id: Option<&'a str>,
    platform: Option<String>,
    device_session: bool,
}

#[derive(Serialize)]
struct NewAppRow<'a> {
    user_id: &'a str,
    app_id: &'a str,
    last_at: String,
}

#[derive(Serialize)]
struct NewBrowserRow<'a> {
    device_id: &'a str,
    user_id: &'a str,
    browser: &'a str,
    seen_at: String,
}

#[derive(Serialize)]
struct NewEnrolmentRow<'a> {
    serial_number: &'a str,
    enrolled_at: String,
}

#[derive(sqlx::FromRow)]
struct OtherSignInRow {
    user_id: String,
    last_at: DateTime<Utc>,
    device_id: Option<String>,
    platform: Option<String>,
    device_session: bool,
}

/// Both texts of a query over the users in one JSON list.
macro_rules! of_users {
    ($store:expr, $users:expr, $before:literal) => {
        match $store.engine() {
            Engine::Sqlite(executor) => {
                sqlx::query_as(concat!(
                    $before,
                    " WHERE user_id IN (SELECT value FROM json_each($1))"
                ))
                .bind($users)
                .fetch_all(executor)
                .await
            }
            Engine::Postgres(executor) => {
                sqlx::query_as(concat!(
                    $before,
                    " WHERE user_id IN (SELECT json_array_elements_text($1::json))"
                ))
                .bind($users)
                .fetch_all(executor)
                .await
            }
        }
        .map_err(StoreError::from)
    };
}

impl Store {
    /// Adds to a ledger, of these users, the last sign-in without FastPass, the apps opened last and the browsers used.
    pub async fn load_log_details(
        &self,
        users: &[UserId],
        log: &mut LogFacts,
    ) -> Result<(), StoreError> {
        for batch in users.chunks(BATCH) {
            let ids: Vec<&str> = batch.iter().map(UserId::as_str).collect();
            let ids = json(&ids);
            let sign_ins: Vec<OtherSignInRow> = of_users!(
                self,
                &ids,
                "SELECT user_id, last_at, device_id, platform, device_session FROM log_other_sign_ins"
            )?;
            for row in sign_ins {
                let (user, seen) = row.into_entry()?;
                log.add_other_sign_in(user, seen);
            }
            let apps: Vec<(String, String, DateTime<Utc>)> = of_users!(
                self,
                &ids,
                "SELECT user_id, app_id, last_at FROM log_apps_opened"
            )?;
            for (user, app, at) in apps {
                log.add_app(UserId::from(user), app, at);
            }
            let browsers: Vec<(String, String, String)> = of_users!(
                self,
                &ids,
                "SELECT device_id, user_id, browser FROM log_browsers"
            )?;
            for (device, user, browser) in browsers {
                // What was read in this sweep is newer.
                let key = (DeviceId::from(device), UserId::from(user));
                log.browsers.entry(key).or_insert(browser);
            }
        }
        Ok(())
    }
}

impl OtherSignInRow {
    fn into_entry(self) -> Result<(UserId, OtherSignIn), StoreError> {
        let platform = self
            .platform
            .map(|platform| from_word::<Platform>(platform, "log_other_sign_ins.platform"))
            .transpose()?;
        let seen = OtherSignIn {
            at: self.last_at,
            device: self.device_id.map(DeviceId::from),
            platform,
            device_session: self.device_session,
        };
        Ok((UserId::from(self.user_id), seen))
    }
}

impl Tx {
    /// Sign-ins of every kind and what they tell.
    pub(super) async fn add_people(&mut self, page: &LogFacts) -> Result<(), StoreError> {
        self.add_fastpass(page).await?;
        self.add_sign_ins(page).await?;
        self.add_other_sign_ins(&page.other_sign_ins).await?;
        self.add_apps(&page.apps_opened).await?;
        self.add_browsers(page).await
    }

    async fn add_other_sign_ins(
        &mut self,
        page: &HashMap<UserId, OtherSignIn>,
    ) -> Result<(), StoreError> {
        let new = page.iter().map(|(user, seen)| NewOtherSignInRow {
            user_id: user.as_str(),
            last_at: stamp(seen.at),
            device_id: seen.device.as_ref().map(DeviceId::as_str),
            platform: seen.platform.as_ref().map(word),
            device_session: seen.device_session,
        });
        let Some(rows) = rows(new) else { return Ok(()) };
        bulk!(
            self,
            rows,
            "log_other_sign_ins",
            [user_id TEXT, last_at TIMESTAMPTZ, device_id TEXT, platform TEXT, device_session BOOLEAN],
            "ON CONFLICT (user_id) DO UPDATE SET last_at = excluded.last_at, device_id = excluded.device_id, \
             platform = excluded.platform, device_session = excluded.device_session \
             WHERE log_other_sign_ins.last_at <= excluded.last_at"
        )?;
        Ok(())
    }

    /// Only the latest few of each user stay.
    async fn add_apps(
        &mut self,
        page: &HashMap<UserId, BTreeMap<String, DateTime<Utc>>>,
    ) -> Result<(), StoreError> {
        let new = page.iter().flat_map(|(user, apps)| {
            apps.iter().map(|(app, at)| NewAppRow {
                user_id: user.as_str(),
                app_id: app,
                last_at: stamp(*at),
            })
        });
        let Some(rows) = rows(new) else { return Ok(()) };
        bulk!(
            self,
            rows,
            "log_apps_opened",
            [user_id TEXT, app_id TEXT, last_at TIMESTAMPTZ],
            "ON CONFLICT (user_id, app_id) DO UPDATE SET last_at = excluded.last_at \
             WHERE log_apps_opened.last_at < excluded.last_at"
        )?;
        let users: Vec<&str> = page.keys().map(UserId::as_str).collect();
        let kept = i64::try_from(APPS_KEPT).unwrap_or(i64::MAX);
        let pruned = match self.engine() {
            Engine::Sqlite(executor) => sqlx::query(
                "DELETE FROM log_apps_opened WHERE (user_id, app_id) IN (SELECT user_id, app_id FROM \
                 (SELECT user_id, app_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY last_at DESC, app_id) \
                 AS place FROM log_apps_opened WHERE user_id IN (SELECT value FROM json_each($1))) AS placed \
                 WHERE place > $2)",
            )
            .bind(json(&users))
            .bind(kept)
            .execute(executor)
            .await
            .map(|_| ()),
            Engine::Postgres(executor) => sqlx::query(
                "DELETE FROM log_apps_opened WHERE (user_id, app_id) IN (SELECT user_id, app_id FROM \
                 (SELECT user_id, app_id, ROW_NUMBER() OVER (PARTITION BY user_id ORDER BY last_at DESC, app_id) \
                 AS place FROM log_apps_opened WHERE user_id IN (SELECT json_array_elements_text($1::json))) AS placed \
                 WHERE place > $2)",
            )
            .bind(json(&users))
            .bind(kept)
            .execute(executor)
            .await
            .map(|_| ()),
        };
        pruned?;
        Ok(())
    }

    async fn add_browsers(&mut self, page: &LogFacts) -> Result<(), StoreError> {
        let new = page
            .browsers
            .iter()
            .filter_map(|((device, user), browser)| {
                let seen = page.fastpass.get(&(device.clone(), user.clone()))?;
                Some(NewBrowserRow {
                    device_id: device.as_str(),
                    user_id: user.as_str(),
                    browser,
                    seen_at: stamp(seen.last_attempt()?),
                })
            });
        let Some(rows) = rows(new) else { return Ok(()) };
        bulk!(
            self,
            rows,
            "log_browsers",
            [device_id TEXT, user_id TEXT, browser TEXT, seen_at TIMESTAMPTZ],
            "ON CONFLICT (device_id, user_id) DO UPDATE SET browser = excluded.browser, seen_at = excluded.seen_at \
             WHERE log_browsers.seen_at <= excluded.seen_at"
        )?;
        Ok(())
    }

    pub(super) async fn add_enrolments(
        &mut self,
        enrolments: &[(String, DateTime<Utc>)],
    ) -> Result<(), StoreError> {
        let new = enrolments.iter().map(|(serial, at)| NewEnrolmentRow {
            serial_number: serial,
            enrolled_at: stamp(*at),
        });
        let Some(rows) = rows(new) else { return Ok(()) };
        bulk!(
            self,
            rows,
            "log_enrolments",
            [serial_number TEXT, enrolled_at TIMESTAMPTZ],
            "ON CONFLICT (serial_number, enrolled_at) DO NOTHING"
        )?;
        Ok(())
    }
}
