//! Who calls a command: the user of the operating system.

use std::process::Command;

use crate::settings::Environment;

/// `cli:ann`. The account that the process runs under has the word; `$USER` only where that cannot be read.
pub(super) fn person(environment: &Environment) -> String {
    format!("cli:{}", name(environment))
}

/// `ann`
pub(super) fn name(environment: &Environment) -> String {
    let asked = Command::new("id")
        .arg("-un")
        .output()
        .ok()
        .filter(|output| output.status.success());
    let account = asked.and_then(|output| String::from_utf8(output.stdout).ok());
    account
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .or_else(|| {
            environment
                .get("LOGNAME")
                .or_else(|| environment.get("USER"))
                .map(str::to_owned)
        })
        .unwrap_or_else(|| "unknown".into())
}
