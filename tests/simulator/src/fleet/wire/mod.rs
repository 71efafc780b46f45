//! Each fault, seen from outside: what the label says must stand on the wire, through the HTTP servers.

mod certificates;
mod incidents;
mod profiles;
mod sign_in;

use chrono::{Duration, TimeZone, Utc};
use serde_json::Value;

use crate::wire_client::WireClient;
use crate::{
    FleetOptions, Incident, Mdm, Ports, ScriptedDevice, SimClock, Simulator, SimulatorConfig, Truth,
};

/// A running company and its one case.
struct Company {
    simulator: Simulator,
    truth: Truth,
}

impl Company {
    /// One machine with this fault beside a healthy one.
    async fn with(cause: &str, mdm: Mdm) -> Self {
        let scripted = vec![
            ScriptedDevice::new("healthy", mdm),
            ScriptedDevice::new(cause, mdm),
        ];
        Self::start(0, FleetOptions::scripted(scripted), |truth| {
            truth.cause == cause
        })
        .await
    }

    /// Twenty machines, and what befell some of them.
    async fn struck_by(incident: Incident) -> Self {
        let options = FleetOptions {
            stuck_share: 0.0,
            incidents: vec![incident],
            ..FleetOptions::default()
        };
        let name = Some(incident.kind.name());
        Self::start(20, options, |truth| truth.incident == name).await
    }

    async fn start(devices: usize, fleet: FleetOptions, wanted: impl Fn(&Truth) -> bool) -> Self {
        let clock = SimClock::manual(Utc.with_ymd_and_hms(2026, 11, 2, 9, 0, 0).unwrap());
        let config = SimulatorConfig {
            devices,
            seed: 11,
            ports: Ports::Ephemeral,
            clock,
            fleet,
        };
        let simulator = Simulator::start(config).await.unwrap();
        let mut truths = simulator.truth().iter();
        let truth = truths.find(|truth| wanted(truth)).unwrap().clone();
        Self { simulator, truth }
    }

    async fn okta(&self, path: &str) -> Value {
        let client = WireClient::new(&self.simulator).await;
        let reply = client.okta(path).await;
        assert_eq!(reply.status, 200, "{path} {}", reply.text());
        reply.json()
    }

    async fn graph(&self, path: &str) -> Value {
        let client = WireClient::new(&self.simulator).await;
        let reply = client.graph(path).await;
        assert_eq!(reply.status, 200, "{path} {}", reply.text());
        reply.json()
    }

    async fn jamf(&self, path: &str) -> Value {
        let client = WireClient::new(&self.simulator).await;
        let reply = client.jamf(path).await;
        assert_eq!(reply.status, 200, "{path} {}", reply.text());
        reply.json()
    }

    /// Okta's record of the case.
    async fn record(&self) -> Value {
        let id = self.truth.device_id.as_deref().unwrap();
        self.okta(&format!("/api/v1/devices/{id}")).await
    }

    /// The case's managed state, read by id.
    async fn managed(&self) -> Value {
        let id = self.truth.device_id.as_deref().unwrap();
        let users = self.okta(&format!("/api/v1/devices/{id}/users")).await;
        users[0]["managementStatus"].clone()
    }

    /// The log of the last weeks: the events that name one of the case's ids, oldest first.
    async fn events(&self) -> Vec<Value> {
        let ids = [&self.truth.device_id, &self.truth.user_id];
        let ids: Vec<&str> = ids.into_iter().filter_map(|id| id.as_deref()).collect();
        let mut events = self.log().await;
        events.retain(|event| {
            let text = event.to_string();
            ids.iter().any(|id| text.contains(id)) || text.contains(&self.truth.serial)
        });
        events
    }

    /// The whole log of the last weeks.
    async fn log(&self) -> Vec<Value> {
        let now = self.simulator.clock().now();
        let time = |at: chrono::DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let path = format!(
            "/api/v1/logs?limit=1000&since={}&until={}",
            time(now - Duration::days(85)),
            time(now)
        );
        self.okta(&path).await.as_array().unwrap().clone()
    }

    /// The case's Mac, every section.
    async fn computer(&self) -> Value {
        let sections = [
            "GENERAL",
            "HARDWARE",
            "APPLICATIONS",
            "CERTIFICATES",
            "CONFIGURATION_PROFILES",
            "LOCAL_USER_ACCOUNTS",
            "OPERATING_SYSTEM",
        ];
        let sections: Vec<String> = sections.map(|name| format!("section={name}")).to_vec();
        let path = format!("/api/v3/computers-inventory?{}", sections.join("&"));
        let page = self.jamf(&path).await;
        let mut rows = page["results"].as_array().unwrap().iter();
        let mine = rows.find(|row| row["hardware"]["serialNumber"] == self.truth.serial.as_str());
        mine.unwrap().clone()
    }

    /// The attestation certificates in the case's inventory.
    async fn listed(&self) -> Vec<Value> {
        let computer = self.computer().await;
        let rows = computer["certificates"].as_array().unwrap();
        let identities = rows.iter().filter(|row| {
            row["identity"] == true && row["subjectName"].as_str().unwrap().contains(' ')
        });
        identities.cloned().collect()
    }

    /// The payloads of the case's profiles whose names begin like this.
    async fn payloads(&self, name: &str) -> Vec<String> {
        let computer = self.computer().await;
        let mut payloads = Vec::new();
        for profile in computer["configurationProfiles"].as_array().unwrap() {
            if profile["displayName"].as_str().unwrap().starts_with(name) {
                let path = format!(
                    "/JSSResource/osxconfigurationprofiles/id/{}",
                    profile["id"].as_str().unwrap()
                );
                let whole = self.jamf(&path).await;
                let general = &whole["os_x_configuration_profile"]["general"];
                payloads.push(general["payloads"].as_str().unwrap().to_owned());
            }
        }
        payloads
    }

    /// The case's PC.
    async fn device(&self) -> Value {
        let page = self.graph("/beta/deviceManagement/managedDevices").await;
        let mut rows = page["value"].as_array().unwrap().iter();
        let mine = rows.find(|row| row["serialNumber"] == self.truth.serial.as_str());
        mine.unwrap().clone()
    }

    /// What Intune says of the case's attestation and trust profiles: name, state, error text.
    async fn states(&self) -> Vec<(String, String, String)> {
        let id = self.device().await["id"].as_str().unwrap().to_owned();
        let path = format!("/beta/deviceManagement/managedDevices/{id}/deviceConfigurationStates");
        let page = self.graph(&path).await;
        let rows = page["value"].as_array().unwrap().iter();
        rows.map(|row| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (
                text(&row["displayName"]),
                text(&row["state"]),
                text(&row["settingStates"][0]["errorDescription"]),
            )
        })
        .filter(|(name, ..)| name.starts_with("Okta"))
        .collect()
    }

    /// A profile of Intune by name, with its assignments and trusted certificate.
    async fn profile(&self, name: &str) -> Value {
        let base = "/beta/deviceManagement/deviceConfigurations";
        let page = self.graph(base).await;
        let mut rows = page["value"].as_array().unwrap().iter();
        let found = rows.find(|row| row["displayName"] == name).unwrap();
        let id = found["id"].as_str().unwrap();
        self.graph(&format!("{base}/{id}?$expand=assignments,rootCertificate"))
            .await
    }

    /// The certificate states of a profile of Intune, on this case's device.
    async fn issuance(&self, name: &str, cast: &str) -> Vec<Value> {
        let id = self.profile(name).await["id"].as_str().unwrap().to_owned();
        let path = format!(
            "/beta/deviceManagement/deviceConfigurations/{id}/microsoft.graph.{cast}/managedDeviceCertificateStates"
        );
        let page = self.graph(&path).await;
        let device = self.device().await["deviceName"].clone();
        let rows = page["value"].as_array().unwrap().iter();
        rows.filter(|row| row["deviceDisplayName"] == device)
            .cloned()
            .collect()
    }
}

/// The events of this type.
fn of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["eventType"] == kind)
        .collect()
}

const SCEP_CAST: &str = "windows81SCEPCertificateProfile";
const FACTOR: &str = "user.authentication.auth_via_mfa";
