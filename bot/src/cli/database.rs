//! How commands open the database: to read only, and for a dry run, which leaves nothing behind.

use std::{
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::{
    ids::IdSource,
    settings::Settings,
    store::{OpenMode, Store},
};

/// Opens the database for a command that only reads it; no file beside it is left behind.
pub(super) async fn for_reading(settings: &Settings) -> anyhow::Result<Store> {
    let mut url = settings.database_url();
    if let Some(file) = sqlite_file(&url).map(Path::to_path_buf) {
        if !file.exists() {
            anyhow::bail!(
                "there is no database {} yet; run `unstuck sweep` first",
                file.display()
            );
        }
        // Whoever has the database open keeps a log beside it. Without one nobody writes, and a plain reader would
        // create the log and leave it there. Should a writer come meanwhile, this command fails or sees the old state.
        let mut log = file.into_os_string();
        log.push("-wal");
        if !Path::new(&log).exists() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("immutable=1");
        }
    }
    let store = Store::open(&url, OpenMode::ReadOnly)
        .await
        .context("cannot open the database")?;
    store.check_schema().await?;
    Ok(store)
}

/// The database of a dry run; a temporary one is removed by [`DryRunStore::close`], and on drop.
pub(super) struct DryRunStore {
    /// The database, read only.
    pub(super) store: Store,
    temporary: Option<TemporaryFolder>,
}

impl DryRunStore {
    /// Opens what is there for reading; where there is nothing yet, an empty temporary database.
    pub(super) async fn open(settings: &Settings, ids: &dyn IdSource) -> anyhow::Result<Self> {
        let missing = sqlite_file(&settings.database_url()).is_some_and(|file| !file.exists());
        if !missing {
            return Ok(Self {
                store: for_reading(settings).await?,
                temporary: None,
            });
        }
        let folder =
            TemporaryFolder::new(&ids.unique()).context("cannot make a temporary folder")?;
        let url = format!("sqlite://{}", folder.0.join("empty.db").display());
        let writable = Store::open(&url, OpenMode::ReadWrite)
            .await
            .context("cannot open a temporary database")?;
        writable
            .migrate()
            .await
            .context("cannot make a temporary database")?;
        writable.close().await;
        let store = Store::open(&url, OpenMode::ReadOnly)
            .await
            .context("cannot open a temporary database")?;
        Ok(Self {
            store,
            temporary: Some(folder),
        })
    }

    /// Closes the database and removes a temporary one.
    pub(super) async fn close(self) {
        self.store.close().await;
        drop(self.temporary);
    }
}

struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new(unique: &str) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("unstuck-dry-run-{unique}"));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), error = %error, "cannot remove a temporary folder");
        }
    }
}

pub(super) fn sqlite_file(url: &str) -> Option<&Path> {
    let file = url.strip_prefix("sqlite://")?;
    Some(Path::new(file.split('?').next().unwrap_or(file)))
}
