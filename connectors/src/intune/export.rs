//! Reports: a job is created, polled, and its ZIP fetched from the blob store without the token.

use std::{
    io::{self, BufRead},
    time::Duration,
};

use bytes::Bytes;

use super::{
    IntuneClient,
    csv::{Row, Rows},
    endpoints, wire, zip,
};
use crate::{error::ErrorKind, http::Call, traits::Result};

/// The export API takes about 48 requests a minute, polls included, so polling slows down.
const FIRST_PAUSE: Duration = Duration::from_secs(3);
const LONGEST_PAUSE: Duration = Duration::from_secs(45);
/// A report that is not there after some 10 minutes is given up.
const MOST_POLLS: usize = 18;

impl IntuneClient {
    /// Asks for a report; the answer is its job's id.
    pub(super) async fn start_export(
        &self,
        report: &str,
        filter: Option<String>,
        select: &[&str],
    ) -> Result<String> {
        let call = Call::new(&endpoints::EXPORT).json(&wire::NewExport {
            report_name: report,
            filter,
            select,
            format: "csv",
        });
        let job: wire::Export = self.http.read(&call).await?.json().await?;
        Ok(job.id)
    }

    /// Waits for a report and reads its rows with `read`, off the async threads.
    pub(super) async fn finish_export<T, F>(
        &self,
        job: &str,
        column: &'static str,
        read: F,
    ) -> Result<Vec<T>>
    where
        T: Send + 'static,
        F: Fn(&Row<'_>) -> Option<T> + Send + 'static,
    {
        let archive = self.export_file(job).await?;
        let rows = tokio::task::spawn_blocking(move || {
            let entry = zip::first_entry(&archive).map_err(str::to_owned)?;
            rows(entry, column, &read)
        });
        let rows = rows
            .await
            .unwrap_or_else(|_cut| Err("decoding was cut off".to_owned()));
        rows.map_err(|detail| self.unreadable("read a report", detail))
    }

    async fn export_file(&self, job: &str) -> Result<Bytes> {
        let attempt = "wait for a report";
        let mut pause = FIRST_PAUSE;
        for _ in 0..MOST_POLLS {
            tokio::time::sleep(pause.div_f64(self.speed.max(1.0))).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            let call = Call::new(&endpoints::EXPORT_STATE).param(job);
            let state: wire::Export = self.http.read(&call).await?.json().await?;
            match (state.status.as_deref(), state.url) {
                (Some("failed"), _) => {
                    return Err(self.rejected(attempt, "Intune could not make the report"));
                }
                // "completed" may come before the address.
                (Some("completed"), Some(url)) => {
                    let call = Call::link(&endpoints::EXPORT_FILE, url);
                    return Ok(self.http.read(&call).await?.body);
                }
                _ => {}
            }
        }
        Err(self.error(
            attempt,
            ErrorKind::Transient {
                detail: "the report did not get ready".to_owned(),
                maybe_sent: false,
            },
        ))
    }
}

/// The rows of a report. A report without the column that names its device is not the report that was asked for.
fn rows<T>(
    input: impl BufRead,
    column: &str,
    read: impl Fn(&Row<'_>) -> Option<T>,
) -> std::result::Result<Vec<T>, String> {
    let broken = |error: io::Error| format!("the report does not unpack: {:?}", error.kind());
    let mut rows = Rows::new(input).map_err(broken)?;
    if !rows.has(column) {
        return Err(format!("the report has no column {column}"));
    }
    let mut all = Vec::new();
    while let Some(row) = rows.next_row().map_err(broken)? {
        all.extend(read(&row));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_without_its_column_is_unreadable() {
        let id = |row: &Row<'_>| row.get("DeviceId").map(str::to_owned);
        assert!(rows("Other\n1\n".as_bytes(), "DeviceId", id).is_err());
        assert!(rows("".as_bytes(), "DeviceId", id).is_err());
        assert_eq!(
            rows("DeviceId\n1\n\n2\n".as_bytes(), "DeviceId", id).unwrap(),
            ["1", "2"]
        );
    }
}
