//! End-to-end tests live in `tests/`. This library holds what the process under test shares with them.

use unstuck::{
    domain::VendorCall,
    executor::{CrashPoint, Faults},
};

/// Environment variable that says where the process under test ends: `before_send:set_device_group:2` ends it before
/// the second call of that kind is sent, `after_answer:sync:1` after the first answer and before it is recorded.
pub const CRASH_AT: &str = "UNSTUCK_TEST_CRASH_AT";

/// Ends the process at one point of one call, as a power failure would.
#[derive(Debug)]
pub struct CrashOnce {
    point: CrashPoint,
    call: String,
    nth: usize,
    seen: std::sync::atomic::AtomicUsize,
}

impl CrashOnce {
    /// Reads the value of [`CRASH_AT`].
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let point = match parts.next()? {
            "before_send" => CrashPoint::BeforeSend,
            "after_answer" => CrashPoint::AfterAnswer,
            _ => return None,
        };
        let call = parts.next()?.to_owned();
        let nth = parts.next()?.parse().ok()?;
        Some(Self {
            point,
            call,
            nth,
            seen: std::sync::atomic::AtomicUsize::new(0),
        })
    }
}

/// The word of a call, as [`CRASH_AT`] names it.
pub fn call_word(call: &VendorCall) -> &'static str {
    match call {
        VendorCall::Sync { .. } => "sync",
        VendorCall::FlushFailedCommands { .. } => "flush_failed_commands",
        VendorCall::EnablePush { .. } => "enable_push",
        VendorCall::RefreshInventory { .. } => "refresh_inventory",
        VendorCall::SetDeviceGroup { .. } => "set_device_group",
        VendorCall::SetDeviceCategory { .. } => "set_device_category",
        VendorCall::RunCleanupScript { .. } => "run_cleanup_script",
        VendorCall::SetUserGroup { .. } => "set_user_group",
        VendorCall::DirectMessage { .. } => "direct_message",
    }
}

impl Faults for CrashOnce {
    fn at(&self, point: CrashPoint, call: &VendorCall) {
        if point == self.point && call_word(call) == self.call {
            let before = self.seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if before + 1 == self.nth {
                std::process::abort();
            }
        }
    }
}
