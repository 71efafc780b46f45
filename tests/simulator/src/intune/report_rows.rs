//! The reports that can be exported: their columns, the filters they take, and their rows.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::answer::Refusal;
use super::odata::Filter;
use super::zip::csv_row;
use crate::scalar::Scalar;
use crate::world::{Certificate, IntuneDevice, Mdm, Profile, State};

/// One report.
#[derive(Clone, Copy)]
pub(super) struct Report {
    columns: &'static [&'static str],
    filters: &'static [&'static str],
    kind: Kind,
    /// Answers 400 where a `_loc` column is named.
    refuses_localized: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Certificates,
    Statuses,
    Devices,
    /// Its headings are others than those asked for.
    DevicesRenamed,
}

const CERTIFICATES: &[&str] = &[
    "CertificateStatus",
    "DeviceId",
    "DeviceName",
    "EnhancedKeyUsage",
    "IssuerName",
    "KeyUsage",
    "PolicyId",
    "SerialNumber",
    "SubjectName",
    "Thumbprint",
    "UPN",
    "UserId",
    "ValidFrom",
    "ValidTo",
];
const CERTIFICATES_BY_AUTHORITY: &[&str] = &[
    "CaConfiguration",
    "CertificateStatus",
    "DeviceId",
    "DeviceName",
    "EnhancedKeyUsage",
    "IssuerName",
    "KeyUsage",
    "PolicyId",
    "SerialNumber",
    "SubjectName",
    "Thumbprint",
    "UPN",
    "UserId",
    "ValidFrom",
    "ValidTo",
];
const STATUSES: &[&str] = &[
    "PolicyId",
    "PolicyName",
    "IntuneDeviceId",
    "DeviceName",
    "Manufacturer",
    "Model",
    "UPN",
    "PolicyStatus",
    "ReportStatus",
    "UnifiedPolicyType",
    "UnifiedPolicyPlatformType",
    "TemplateVersion",
    "PspdpuLastModifiedTimeUtc",
    "AssignmentFilterIds",
];
const ASSIGNMENT_STATUSES: &[&str] = &[
    "PolicyId",
    "PolicyName",
    "IntuneDeviceId",
    "DeviceName",
    "AadDeviceId",
    "UPN",
    "AssignmentStatus",
    "PspdpuLastModifiedTimeUtc",
    "ReportStatus",
];
const DEVICES: &[&str] = &[
    "DeviceId",
    "DeviceName",
    "OSVersion",
    "SerialNumber",
    "UPN",
    "LastContact",
    "CreatedDate",
    "ReferenceId",
    "JoinType",
    "ManagementState",
    "ManagementAgents",
    "CategoryName",
    "CompliantState",
    "EnrollmentType",
    "OwnerType",
    "CertExpirationDate",
    "IsManaged",
    "UserId",
];

/// Columns of `DevicesWithInventory` that come only when selected.
const ONLY_SELECTED: [&str; 4] = [
    "EnrollmentType",
    "ManagementAgents",
    "CertExpirationDate",
    "IsManaged",
];

impl Report {
    /// The report of this name, else 400.
    pub(super) fn named(name: &str) -> Result<Self, Refusal> {
        let statuses = |filters, refuses_localized| Self {
            columns: STATUSES,
            filters,
            kind: Kind::Statuses,
            refuses_localized,
        };
        let plain = |columns, kind, filters| Self {
            columns,
            filters,
            kind,
            refuses_localized: false,
        };
        let by_profile = &[
            "PolicyId",
            "PolicyBaseTypeName",
            "PolicyStatus",
            "PolicyTypeName",
        ];
        let devices = &[
            "CategoryName",
            "CompliantState",
            "CreatedDate",
            "DeviceType",
            "EnrollmentType",
            "JailBroken",
            "LastContact",
            "ManagementAgents",
            "ManagementState",
            "OwnerType",
        ];
        Ok(match name {
            "AllDeviceCertificates" => plain(CERTIFICATES, Kind::Certificates, &[]),
            "CertificatesByRAPolicy" => plain(CERTIFICATES_BY_AUTHORITY, Kind::Certificates, &[]),
            "DeviceConfigurationPolicyStatuses" | "DeviceConfigurationPolicyStatusesV3" => {
                statuses(&["IntuneDeviceId", "PolicyBaseTypeName"], false)
            }
            "DeviceStatusesByConfigurationProfile" | "DeviceStatusesByConfigurationProfileV3" => {
                statuses(by_profile, true)
            }
            "DeviceAssignmentStatusByConfigurationPolicy" => Self {
                columns: ASSIGNMENT_STATUSES,
                filters: &[
                    "AssignmentStatus",
                    "PolicyBaseTypeName",
                    "PolicyId",
                    "UnifiedPolicyPlatformType",
                ],
                kind: Kind::Statuses,
                refuses_localized: true,
            },
            "Devices" => plain(DEVICES, Kind::Devices, devices),
            "DevicesWithInventory" => plain(DEVICES, Kind::DevicesRenamed, devices),
            other => {
                let message = format!("Unknown report name {other}.");
                return Err(Refusal::bad_request(message));
            }
        })
    }

    fn chosen(self, select: &[String], adds_columns: bool) -> Result<Vec<String>, Refusal> {
        let known = |column: &str| {
            let plain = column.strip_suffix("_loc");
            match plain {
                Some(_) if self.refuses_localized => false,
                Some(plain) => is_enum(plain) && self.columns.contains(&plain),
                None => self.columns.contains(&column),
            }
        };
        if let Some(unknown) = select.iter().find(|column| !known(column)) {
            return Err(Refusal::bad_request(format!(
                "Invalid column {unknown} in select."
            )));
        }
        if !select.is_empty() {
            return Ok(select.to_vec());
        }
        let mut columns = Vec::new();
        for column in self.columns {
            if self.kind == Kind::DevicesRenamed && ONLY_SELECTED.contains(column) {
                continue;
            }
            columns.push((*column).to_owned());
            if adds_columns && self.kind == Kind::Statuses && is_enum(column) {
                columns.push(format!("{column}_loc"));
            }
        }
        Ok(columns)
    }
}

fn is_enum(column: &str) -> bool {
    matches!(
        column,
        "PolicyStatus" | "AssignmentStatus" | "UnifiedPolicyType" | "UnifiedPolicyPlatformType"
    )
}

/// The CSV, with the byte-order mark that the service puts in front.
pub(super) fn render(
    state: &State,
    report: Report,
    select: &[String],
    filter: Option<&str>,
    adds_columns: bool,
) -> Result<String, Refusal> {
    let columns = report.chosen(select, adds_columns)?;
    let filter = filter
        .filter(|text| !text.trim().is_empty())
        .map(Filter::parse)
        .transpose()
        .map_err(Refusal::bad_request)?;
    let named = filter.iter().flat_map(Filter::fields);
    if let Some(field) = named
        .into_iter()
        .find(|field| !report.filters.contains(field))
    {
        return Err(Refusal::bad_request(format!("Invalid filter on {field}.")));
    }
    let mut out = String::from('\u{feff}');
    csv_row(
        &mut out,
        columns.iter().map(|column| heading(report.kind, column)),
    );
    let mut write = |cell: &dyn Fn(&str) -> String| {
        let field = |name: &str| Scalar::Text(cell(name));
        if filter
            .as_ref()
            .is_none_or(|filter| filter.matches(&field, ""))
        {
            let cells: Vec<String> = columns.iter().map(|column| cell(column)).collect();
            csv_row(&mut out, cells.iter().map(String::as_str));
        }
    };
    match report.kind {
        Kind::Certificates if !state.org.intune_certificate_rows => {}
        Kind::Certificates => {
            for device in state.intune.values() {
                for (certificate, profile) in state.inventoried(device) {
                    write(&|name| certificate_cell(state, device, certificate, profile, name));
                }
            }
        }
        Kind::Statuses => {
            let wanted = filter
                .as_ref()
                .and_then(|filter| filter.required("PolicyId"));
            let profiles = state.profiles.iter().filter(|profile| {
                profile.mdm == Mdm::Intune
                    && wanted
                        .as_ref()
                        .is_none_or(|ids| ids.contains(&&*profile.id))
            });
            for profile in profiles {
                for device in state.intune.values() {
                    if let Some(word) = state.reported_word(profile.key, device) {
                        write(&|name| status_cell(state, device, profile, word, name));
                    }
                }
            }
        }
        Kind::Devices | Kind::DevicesRenamed => {
            for device in state.intune.values() {
                write(&|name| device_cell(state, device, name));
            }
        }
    }
    Ok(out)
}

fn heading(kind: Kind, column: &str) -> &str {
    if kind != Kind::DevicesRenamed {
        return column;
    }
    match column {
        "DeviceId" => "Device ID",
        "DeviceName" => "Device name",
        "ReferenceId" => "Microsoft Entra Device ID",
        "LastContact" => "Last check-in",
        "SerialNumber" => "Serial number",
        "UPN" => "Primary user UPN",
        other => other,
    }
}

/// Times in exports: ISO with seven digits. The exact form is UNVERIFIED.
fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S.0000000Z").to_string()
}

fn upn(state: &State, device: &IntuneDevice) -> String {
    let user = state.primary_user(device);
    user.map(|person| person.login.clone()).unwrap_or_default()
}

fn certificate_cell(
    state: &State,
    device: &IntuneDevice,
    certificate: &Certificate,
    profile: Option<&Profile>,
    name: &str,
) -> String {
    match name {
        "CaConfiguration" => "Okta".to_owned(),
        // The one live value that is known; what else comes here is UNVERIFIED.
        "CertificateStatus" => "Issued".to_owned(),
        "DeviceId" => device.id.clone(),
        "DeviceName" => state.machine(device.machine).name.clone(),
        "EnhancedKeyUsage" => "1.3.6.1.5.5.7.3.2".to_owned(),
        "IssuerName" => state.org.issuer_name(certificate.issuer),
        "KeyUsage" => "128".to_owned(),
        "PolicyId" => profile
            .map(|profile| profile.id.clone())
            .unwrap_or_default(),
        "SerialNumber" => certificate.serial.to_string(),
        "SubjectName" => format!("CN={}", certificate.common_name),
        "Thumbprint" => certificate.thumbprint.to_uppercase(),
        "UPN" => upn(state, device),
        "UserId" => user_id(state, device),
        "ValidFrom" => time(certificate.valid_from),
        "ValidTo" => time(certificate.expires),
        _ => String::new(),
    }
}

fn user_id(state: &State, device: &IntuneDevice) -> String {
    let user = state.primary_user(device);
    user.map(|person| person.entra_id.clone())
        .unwrap_or_default()
}

/// The numbers and words beyond `2` and `Succeeded` are UNVERIFIED.
fn status_cell(
    state: &State,
    device: &IntuneDevice,
    profile: &Profile,
    word: &str,
    name: &str,
) -> String {
    let (number, text) = match word {
        "compliant" => ("2", "Succeeded"),
        "error" => ("5", "Error"),
        "conflict" => ("6", "Conflict"),
        "notApplicable" => ("1", "NotApplicable"),
        _ => ("0", "Pending"),
    };
    let cell: Cow<'_, str> = match name {
        "PolicyId" => (&*profile.id).into(),
        "PolicyName" => (&*profile.name).into(),
        "PolicyBaseTypeName" => "Microsoft.Management.Services.Api.DeviceConfiguration".into(),
        "IntuneDeviceId" => (&*device.id).into(),
        "DeviceName" => (&*state.machine(device.machine).name).into(),
        "AadDeviceId" => (&*device.entra_device_id).into(),
        "Manufacturer" => state.machine(device.machine).manufacturer.into(),
        "Model" => state.machine(device.machine).model.into(),
        "UPN" => upn(state, device).into(),
        "PolicyStatus" | "AssignmentStatus" => number.into(),
        "PolicyStatus_loc" | "AssignmentStatus_loc" | "ReportStatus" => text.into(),
        "UnifiedPolicyType" => "17".into(),
        "UnifiedPolicyType_loc" | "PolicyTypeName" => "SCEP certificate".into(),
        "UnifiedPolicyPlatformType" => "6".into(),
        "UnifiedPolicyPlatformType_loc" => "Windows 10 and later".into(),
        "PspdpuLastModifiedTimeUtc" => time(state.reported_at(profile.key, device)).into(),
        _ => "".into(),
    };
    cell.into_owned()
}

fn device_cell(state: &State, device: &IntuneDevice, name: &str) -> String {
    let category = device.category.as_ref();
    let category = category.and_then(|id| state.categories.get(id));
    match name {
        "DeviceId" => device.id.clone(),
        "DeviceName" => state.machine(device.machine).name.clone(),
        "OSVersion" => device.inventory.os_version.clone(),
        "SerialNumber" => device.serial.clone(),
        "UPN" => upn(state, device),
        "UserId" => user_id(state, device),
        "LastContact" => time(device.last_sync),
        "CreatedDate" => time(device.enrolled),
        "ReferenceId" => device.entra_device_id.clone(),
        "JoinType" => "Microsoft Entra joined".to_owned(),
        "ManagementState" => device.management_state.to_owned(),
        "ManagementAgents" => device.management_agent.to_owned(),
        "CategoryName" => category
            .map(|category| category.name.clone())
            .unwrap_or_default(),
        "CompliantState" => "Compliant".to_owned(),
        "EnrollmentType" => "WindowsAzureADJoin".to_owned(),
        "OwnerType" => "Company".to_owned(),
        "CertExpirationDate" => time(device.mdm_certificate_expires),
        "IsManaged" => "True".to_owned(),
        _ => String::new(),
    }
}
