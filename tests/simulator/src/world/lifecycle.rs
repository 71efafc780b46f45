//! The lifecycle of Okta's device records, and what it costs: links, enrolments, certificates.

use super::{Actor, DeviceStatus, Id, State, Target};

/// Why a lifecycle call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LifecycleError {
    NotFound,
    /// The record's status does not allow it.
    WrongStatus,
}

impl State {
    /// Moves a record to another status, or deletes nothing; the same status again changes nothing.
    pub(crate) fn move_device(&mut self, id: &str, to: DeviceStatus) -> Result<(), LifecycleError> {
        let record = self.devices.get(id).ok_or(LifecycleError::NotFound)?;
        let from = record.status;
        let allowed = match to {
            DeviceStatus::Active => true,
            DeviceStatus::Suspended => {
                from != DeviceStatus::Created && from != DeviceStatus::Deactivated
            }
            DeviceStatus::Deactivated => from != DeviceStatus::Created,
            DeviceStatus::Created => false,
        };
        if !allowed {
            return Err(LifecycleError::WrongStatus);
        }
        if from != to {
            self.set_device_status(id, to);
        }
        Ok(())
    }

    /// Sets the status of a record with all consequences and the event.
    pub(crate) fn set_device_status(&mut self, id: &str, to: DeviceStatus) {
        let Some(record) = self.devices.get(id) else {
            return;
        };
        let (id, from) = (record.id.clone(), record.status);
        self.touch_device(&id);
        let kind = match (from, to) {
            (_, DeviceStatus::Suspended) => "device.lifecycle.suspend",
            (_, DeviceStatus::Deactivated) => "device.lifecycle.deactivate",
            (DeviceStatus::Suspended, _) => "device.lifecycle.unsuspend",
            _ => "device.lifecycle.activate",
        };
        let event = self.event(kind, Actor::Admin, vec![Target::Device(id.clone())]);
        self.log(event);
        if to == DeviceStatus::Deactivated {
            self.end_certificates_of(&id, "pki.cert.lifecycle.suspend");
        }
        let mut lost = Vec::new();
        if let Some(record) = self.devices.get_mut(&id) {
            record.status = to;
            if to == DeviceStatus::Deactivated {
                lost = std::mem::take(&mut record.links);
            }
        }
        for link in lost {
            self.forget_link(&link.user, &id);
        }
    }

    /// Deletes a deactivated record; its certificate is revoked for good.
    pub(crate) fn delete_device(&mut self, id: &str) -> Result<(), LifecycleError> {
        let record = self.devices.get(id).ok_or(LifecycleError::NotFound)?;
        if record.status != DeviceStatus::Deactivated {
            return Err(LifecycleError::WrongStatus);
        }
        let id = record.id.clone();
        let event = self.event(
            "device.lifecycle.delete",
            Actor::Admin,
            vec![Target::Device(id.clone())],
        );
        self.log(event);
        self.end_certificates_of(&id, "pki.cert.lifecycle.delete");
        if let Some(record) = self.devices.remove(&id) {
            self.deleted_devices.insert(id, record);
        }
        Ok(())
    }

    fn end_certificates_of(&mut self, device: &Id, kind: &'static str) {
        let bound: Vec<Id> = self
            .certificates
            .values()
            .filter(|certificate| certificate.bound.as_ref() == Some(device))
            .map(|certificate| certificate.serial.clone())
            .collect();
        for serial in bound {
            self.revoke(&serial, kind);
        }
    }

    fn forget_link(&mut self, user: &Id, device: &Id) {
        if let Some(devices) = self.devices_of.get_mut(user) {
            devices.retain(|id| id != device);
        }
    }
}
