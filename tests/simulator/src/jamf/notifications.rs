//! What Jamf Pro tells its admins in the console.

use axum::extract::State;
use chrono::Duration;
use serde_json::{Value, json};

use super::Api;
use super::answer::{Answer, ok};

/// From so many days on Jamf Pro warns of a push certificate's end. UNVERIFIED
const WARNS_DAYS_BEFORE: i64 = 30;

/// `GET /api/v1/notifications`. What stands in `params` is UNVERIFIED.
pub(super) async fn list(State(api): State<Api>) -> Answer {
    let rows: Vec<Value> = api.app.world.with(|state| {
        let ends = state.mdm.jamf.push_certificate_expires;
        let left = ends.map(|ends| ends - state.now);
        let warns = left.filter(|left| *left < Duration::days(WARNS_DAYS_BEFORE));
        let warning = warns.map(|left| match left > Duration::zero() {
            true => json!({"type": "PUSH_CERT_WILL_EXPIRE", "id": "-1",
                "params": {"days": left.num_days()}}),
            false => json!({"type": "PUSH_CERT_EXPIRED", "id": "-1", "params": {}}),
        });
        warning.into_iter().collect()
    });
    ok(&json!(rows))
}
