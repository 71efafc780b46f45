//! What is done through Jamf, to one computer at a time.

use async_trait::async_trait;
use unstuck_domain::GroupId;

use super::{
    JamfClient, computers, endpoints,
    wire::{self, ListCommand},
};
use crate::{MdmActions, MdmDeviceRef, WritePermit, error::ErrorKind, http::Call, traits::Result};

#[async_trait]
impl MdmActions for JamfClient {
    /// A blank push to the computer and to the channels of its users. It delivers nothing itself: it wakes the device.
    async fn sync(&self, permit: &WritePermit, device: &MdmDeviceRef) -> Result<()> {
        let attempt = format!("push to computer {}", device.id);
        // A user-level profile waits in the user's own channel, which only the record names.
        let channels = match self.computer(&device.id, false).await? {
            Some(computer) => computers::channels(&computer.general.unwrap_or_default()),
            None => return Err(self.error(&attempt, ErrorKind::NotFound)),
        };
        let Some(own) = channels.first() else {
            return Err(self.rejected(&attempt, "the computer has no management id"));
        };
        if let Some(planned) = &device.management_id
            && !planned.eq_ignore_ascii_case(own)
        {
            return Err(self.rejected(&attempt, "the computer enrolled again under another id"));
        }
        let call = Call::new(&endpoints::BLANK_PUSH).json(&wire::BlankPush {
            client_management_ids: &channels,
        });
        let answer: wire::BlankPushAnswer = self.http.write(permit, &call).await?.json().await?;
        // 200 is not success: a client in the list got no push.
        let refused = |id: &String| {
            answer
                .error_uuids
                .iter()
                .any(|e| e.eq_ignore_ascii_case(id))
        };
        if refused(own) {
            return Err(self.rejected(&attempt, "Jamf sent no push to this client"));
        }
        Ok(())
    }

    async fn refresh_inventory(&self, permit: &WritePermit, device: &MdmDeviceRef) -> Result<()> {
        let attempt = format!("ask computer {} for its lists", device.id);
        let management_id = self.management_id(&attempt, device)?;
        self.send(permit, management_id, ListCommand::CertificateList)
            .await?;
        match self
            .send(permit, management_id, ListCommand::ProfileList)
            .await
        {
            // Servers before 11.26 refuse it; the certificates are what counts.
            Err(error) if matches!(error.kind, ErrorKind::Rejected { .. }) => Ok(()),
            answer => answer,
        }
    }

    async fn flush_failed_commands(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
    ) -> Result<()> {
        let attempt = format!("flush failed commands of computer {}", device.id);
        let id = self.number(&attempt, device.id.as_str())?;
        let call = Call::new(&endpoints::FLUSH_FAILED).param(id);
        self.http.write(permit, &call).await?;
        Ok(())
    }

    async fn enable_push(&self, permit: &WritePermit, device: &MdmDeviceRef) -> Result<()> {
        let attempt = format!("enable push for computer {}", device.id);
        let call = Call::new(&endpoints::ENABLE_PUSH).json(&wire::EnablePush {
            management_id: self.management_id(&attempt, device)?,
        });
        self.http.write(permit, &call).await?;
        Ok(())
    }

    async fn set_group(
        &self,
        permit: &WritePermit,
        device: &MdmDeviceRef,
        group: &GroupId,
        present: bool,
    ) -> Result<()> {
        let attempt = format!("change computer {} in group {group}", device.id);
        let group = self.number(&attempt, group.as_str())?;
        let computer = self.number(&attempt, device.id.as_str())?;
        let call = Call::new(&endpoints::CHANGE_GROUP)
            .param(group)
            .raw("application/xml", membership_change(computer, present));
        self.http.write(permit, &call).await?;
        Ok(())
    }

    async fn set_category(&self, _: &WritePermit, _: &MdmDeviceRef, _: Option<&str>) -> Result<()> {
        Err(self.unsupported("set a category", "device categories"))
    }

    async fn run_script(&self, _: &WritePermit, _: &MdmDeviceRef, _: &str) -> Result<()> {
        Err(self.unsupported("run a script", "clean-up scripts"))
    }
}

impl JamfClient {
    async fn send(
        &self,
        permit: &WritePermit,
        management_id: &str,
        command_type: ListCommand,
    ) -> Result<()> {
        let call = Call::new(&endpoints::SEND_COMMAND).json(&wire::SendCommand {
            client_data: [wire::CommandTarget { management_id }],
            command_data: wire::CommandData { command_type },
        });
        self.http.write(permit, &call).await?;
        Ok(())
    }

    fn management_id<'a>(&self, attempt: &str, device: &'a MdmDeviceRef) -> Result<&'a str> {
        let id = device.management_id.as_deref();
        id.ok_or_else(|| self.rejected(attempt, "the plan names no management id"))
    }

    /// A Classic id is a number. Anything else (a list, a range, a name) could widen the call.
    fn number<'a>(&self, attempt: &str, id: &'a str) -> Result<&'a str> {
        let is_number = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some(id).ok_or_else(|| {
            self.error(
                attempt,
                ErrorKind::NotSent {
                    reason: "the id is not a number".to_owned(),
                },
            )
        })
    }

    fn rejected(&self, attempt: &str, reason: &str) -> crate::ConnectorError {
        self.error(
            attempt,
            ErrorKind::Rejected {
                reason: reason.to_owned(),
            },
        )
    }

    fn unsupported(&self, attempt: &str, what: &'static str) -> crate::ConnectorError {
        self.error(attempt, ErrorKind::Unsupported { what })
    }
}

/// The Classic body that adds or removes one computer. `<computers>` would replace all members; it is never written.
fn membership_change(computer: &str, present: bool) -> String {
    let list = if present {
        "computer_additions"
    } else {
        "computer_deletions"
    };
    format!(
        "<computer_group><{list}><computer><id>{computer}</id></computer></{list}></computer_group>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership_changes_name_one_computer_and_never_the_whole_list() {
        assert_eq!(
            membership_change("42", true),
            "<computer_group><computer_additions><computer><id>42</id></computer></computer_additions></computer_group>"
        );
        assert_eq!(
            membership_change("42", false),
            "<computer_group><computer_deletions><computer><id>42</id></computer></computer_deletions></computer_group>"
        );
    }
}
