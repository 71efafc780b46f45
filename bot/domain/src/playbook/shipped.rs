//! The playbooks in the binary.

macro_rules! playbooks {
    ($($name:literal,)*) => {
        &[$(($name, include_str!(concat!("../../../../playbooks/", $name, "/playbook.yaml"))),)*]
    };
}

const SHIPPED: &[(&str, &str)] = playbooks![
    "assign-fastpass-policy",
    "assign-scep-profile",
    "move-to-machine-store",
    "redeliver-scep-profile",
    "request-fastpass-sign-in",
    "resend-failed-profile",
    "sync-silent-device",
];

/// Name and text of every playbook in the binary, by name.
pub fn shipped() -> &'static [(&'static str, &'static str)] {
    SHIPPED
}

#[cfg(test)]
mod tests;
