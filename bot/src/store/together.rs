//! What is written in the same transaction as a change of state: messages to people and audit entries.

use super::{NewAuditEntry, NewMessage, StoreError, Tx};

/// Messages and audit entries that belong to a change; they are stored if and only if it is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Together<'a> {
    /// What people shall read.
    pub messages: &'a [NewMessage],
    /// What the auditor shall read.
    pub audit: &'a [NewAuditEntry],
}

impl Tx {
    pub(super) async fn write_together(
        &mut self,
        together: Together<'_>,
    ) -> Result<(), StoreError> {
        for message in together.messages {
            self.put_message(message).await?;
        }
        for entry in together.audit {
            self.add_audit_entry(entry).await?;
        }
        Ok(())
    }
}
