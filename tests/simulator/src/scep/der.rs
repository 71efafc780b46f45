//! The few DER elements that certificates are made of (X.690, distinguished encoding).

use chrono::{DateTime, Utc};

/// One element: tag, length, content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    let significant = &length[content.len().leading_zeros() as usize / 8..];
    match significant {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | long.len() as u8);
            out.extend(long);
        }
    }
    out.extend(content);
    out
}

pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

pub(super) fn set(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x31, &parts.concat())
}

/// A context-specific constructed element.
pub(super) fn context(number: u8, content: &[u8]) -> Vec<u8> {
    element(0xa0 | number, content)
}

/// A number that is not negative, from its big-endian bytes.
pub(super) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let leading = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut content = bytes[leading.min(bytes.len().saturating_sub(1))..].to_vec();
    if content.first().is_none_or(|first| first & 0x80 != 0) {
        content.insert(0, 0);
    }
    element(0x02, &content)
}

pub(super) fn truth() -> Vec<u8> {
    element(0x01, &[0xff])
}

pub(super) fn null() -> Vec<u8> {
    element(0x05, &[])
}

pub(super) fn octets(content: &[u8]) -> Vec<u8> {
    element(0x04, content)
}

/// A bit string whose last byte leaves so many bits unused.
pub(super) fn bits(unused: u8, content: &[u8]) -> Vec<u8> {
    element(0x03, &[&[unused], content].concat())
}

pub(super) fn utf8(text: &str) -> Vec<u8> {
    element(0x0c, text.as_bytes())
}

pub(super) fn ia5(text: &str) -> Vec<u8> {
    element(0x16, text.as_bytes())
}

/// An object identifier from its arcs.
pub(super) fn oid(arcs: &[u32]) -> Vec<u8> {
    let mut content = Vec::new();
    let (head, rest) = arcs.split_at(2);
    for arc in std::iter::once(head[0] * 40 + head[1]).chain(rest.iter().copied()) {
        let groups = (1..5).take_while(|index| arc >> (7 * index) > 0).count();
        for index in (1..=groups).rev() {
            content.push(0x80 | (arc >> (7 * index)) as u8 & 0x7f);
        }
        content.push(arc as u8 & 0x7f);
    }
    element(0x06, &content)
}

/// A time between 1950 and 2049, to the second.
pub(super) fn utc_time(at: DateTime<Utc>) -> Vec<u8> {
    element(0x17, at.format("%y%m%d%H%M%SZ").to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_numbers_and_identifiers_are_encoded_distinctly() {
        assert_eq!(element(0x04, &[]), [0x04, 0]);
        assert_eq!(element(0x04, &[7; 127])[..2], [0x04, 127]);
        assert_eq!(element(0x04, &[7; 128])[..3], [0x04, 0x81, 128]);
        assert_eq!(element(0x04, &[7; 300])[..4], [0x04, 0x82, 1, 44]);
        assert_eq!(unsigned(&[0]), [0x02, 1, 0]);
        assert_eq!(unsigned(&[0, 0, 0x7f]), [0x02, 1, 0x7f]);
        assert_eq!(unsigned(&[0x80]), [0x02, 2, 0, 0x80]);
        assert_eq!(
            oid(&[1, 2, 840, 113_549, 1, 1, 11]),
            hex::decode("06092a864886f70d01010b").unwrap()
        );
    }
}
