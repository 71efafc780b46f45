//! Spelling: serial numbers, hardware UUIDs and certificate subjects as they are compared.

/// Values that manufacturers leave in place of a serial number, as [`normalise`] would write them.
/// The list is UNVERIFIED.
const PLACEHOLDERS: [&str; 6] = [
    "NONE",
    "UNKNOWN",
    "SYSTEMSERIALNUMBER",
    "TOBEFILLEDBYO.E.M.",
    "DEFAULTSTRING",
    "NOTSPECIFIED",
];

/// A serial number or hardware UUID as it is compared: upper case, no spaces, dashes or colons, no `VMware-` in front.
/// `None` for a placeholder, which identifies nothing.
pub fn normalise(value: &str) -> Option<String> {
    let mut written = String::with_capacity(value.len());
    normalise_into(value, &mut written).then_some(written)
}

/// [`normalise`] into a buffer that is kept; false for a placeholder.
pub(super) fn normalise_into(value: &str, into: &mut String) -> bool {
    into.clear();
    push_normalised(value, into);
    is_identity(into)
}

fn push_normalised(value: &str, into: &mut String) {
    const VMWARE: &str = "VMWARE-";
    let value = value.trim();
    let value = match value.get(..VMWARE.len()) {
        Some(head) if head.eq_ignore_ascii_case(VMWARE) => &value[VMWARE.len()..],
        _ => value,
    };
    for c in value.chars() {
        match c {
            '-' | ':' => {}
            c if c.is_ascii() && !c.is_ascii_whitespace() => into.push(c.to_ascii_uppercase()),
            c if c.is_whitespace() => {}
            c => into.extend(c.to_uppercase()),
        }
    }
}

/// Neither a placeholder nor all zeros or all Fs, which a nil UUID and an unset serial number are.
fn is_identity(written: &str) -> bool {
    let only = |digit: u8| written.bytes().all(|byte| byte == digit);
    let unset = only(b'0') || (written.len() >= 8 && only(b'F'));
    !(unset || PLACEHOLDERS.contains(&written))
}

/// A UUID whose first three groups are byte-swapped: how an SMBIOS UUID and a virtual machine's serial number
/// of the same bytes differ (the example of Okta's "Devices API"). False if `value` is not 32 hex digits.
pub(super) fn byte_swapped_into(value: &str, into: &mut String) -> bool {
    into.clear();
    if value.len() != 32 || !value.bytes().all(|b| b.is_ascii_hexdigit()) {
        return false;
    }
    const ORDER: [usize; 8] = [3, 2, 1, 0, 5, 4, 7, 6];
    for byte in ORDER {
        into.push_str(&value[byte * 2..byte * 2 + 2]);
    }
    into.push_str(&value[16..]);
    true
}

/// A certificate subject as the ledger keys it: the words of its common name, each spelled as [`normalise`] does,
/// with one space between.
pub fn normalise_subject(subject: &str) -> String {
    let mut written = String::with_capacity(subject.len());
    for word in common_name(subject).split_whitespace() {
        if !written.is_empty() {
            written.push(' ');
        }
        push_normalised(word, &mut written);
    }
    written.truncate(written.trim_end().len());
    written
}

/// The value of `CN=` in a distinguished name, or all of a text that is none.
fn common_name(subject: &str) -> &str {
    let starts_rdn = |at: usize| {
        subject[..at]
            .trim_end()
            .chars()
            .next_back()
            .is_none_or(|c| matches!(c, ',' | '/' | '+' | ';'))
    };
    let value = subject.char_indices().find_map(|(at, _)| {
        let head = subject.get(at..at + 3)?;
        (head.eq_ignore_ascii_case("CN=") && starts_rdn(at)).then(|| &subject[at + 3..])
    });
    let Some(value) = value else { return subject };
    let mut escaped = false;
    let end = value.char_indices().find_map(|(at, c)| {
        let ends = c == ',' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    });
    value[..end.unwrap_or(value.len())].trim_matches(['"', ' '])
}
