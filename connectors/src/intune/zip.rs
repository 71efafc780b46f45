//! The one file inside a report's ZIP archive, as a stream. Only what Intune's exports use: stored or deflated, one
//! entry, no encryption, no ZIP64.

use std::io::{BufReader, Cursor, Read, Take};

use bytes::Bytes;
use flate2::read::DeflateDecoder;

/// No report comes near this; more is a broken or hostile archive.
const LARGEST: u64 = 1024 * 1024 * 1024;

/// The content of the first entry.
pub(super) type Entry = BufReader<Take<Box<dyn Read + Send>>>;

/// Opens the first entry; the error says what is wrong with the archive.
pub(super) fn first_entry(archive: &Bytes) -> Result<Entry, &'static str> {
    let end = find_end(archive).ok_or("no ZIP archive")?;
    let directory = number32(archive, end + 16)?;
    if archive.get(directory..directory + 4) != Some(b"PK\x01\x02".as_slice()) {
        return Err("the ZIP archive has no entry");
    }
    // Sizes are read here and not in the entry's own header, where a streaming writer leaves them 0.
    let method = number16(archive, directory + 10)?;
    let packed = number32(archive, directory + 20)?;
    let header = number32(archive, directory + 42)?;
    if archive.get(header..header + 4) != Some(b"PK\x03\x04".as_slice()) {
        return Err("the ZIP entry is not where the directory says");
    }
    let start = header + 30 + number16(archive, header + 26)? + number16(archive, header + 28)?;
    let end = start
        .checked_add(packed)
        .filter(|end| *end <= archive.len());
    let data = Cursor::new(archive.slice(start..end.ok_or("the ZIP archive is cut off")?));
    let content: Box<dyn Read + Send> = match method {
        0 => Box::new(data),
        8 => Box::new(DeflateDecoder::new(data)),
        _ => return Err("the ZIP entry is packed in an unknown way"),
    };
    Ok(BufReader::new(content.take(LARGEST)))
}

/// The end record lies within the last 64 KiB, before a comment.
fn find_end(archive: &[u8]) -> Option<usize> {
    let from = archive.len().saturating_sub(22 + usize::from(u16::MAX));
    archive[from..]
        .windows(22)
        .rposition(|window| window.starts_with(b"PK\x05\x06"))
        .map(|at| from + at)
}

fn number16(archive: &[u8], at: usize) -> Result<usize, &'static str> {
    match archive.get(at..at + 2) {
        Some(&[a, b]) => Ok(usize::from(u16::from_le_bytes([a, b]))),
        _ => Err("the ZIP archive is cut off"),
    }
}

fn number32(archive: &[u8], at: usize) -> Result<usize, &'static str> {
    match archive.get(at..at + 4) {
        Some(&[a, b, c, d]) => usize::try_from(u32::from_le_bytes([a, b, c, d]))
            .map_err(|_too_large| "the ZIP archive is too large"),
        _ => Err("the ZIP archive is cut off"),
    }
}

/// An archive as Intune makes it, for tests.
#[cfg(test)]
pub(super) fn archive_of(content: &[u8]) -> Bytes {
    use std::io::Write;

    let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(content).unwrap();
    let packed = packer.finish().unwrap();
    let name = b"report.csv";
    let size = |n: usize| u32::try_from(n).unwrap().to_le_bytes();
    let mut out = Vec::new();
    // Local header as a streaming writer leaves it: sizes 0.
    out.extend(b"PK\x03\x04\x14\0\x08\0\x08\0\0\0\0\0\0\0\0\0");
    out.extend([0; 8]);
    out.extend([10, 0, 0, 0]);
    out.extend(name);
    out.extend(&packed);
    let directory = out.len();
    out.extend(b"PK\x01\x02\x14\0\x14\0\x08\0\x08\0\0\0\0\0\0\0\0\0");
    out.extend(size(packed.len()));
    out.extend(size(content.len()));
    out.extend([10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.extend(size(0));
    out.extend(name);
    let length = out.len() - directory;
    out.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    out.extend(size(length));
    out.extend(size(directory));
    out.extend([0, 0]);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deflated_entry_is_read_with_the_directorys_sizes() {
        let mut text = String::new();
        let archive = archive_of(b"a,b\r\n1,2\r\n");
        first_entry(&archive)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, "a,b\r\n1,2\r\n");
    }

    #[test]
    fn broken_archives_are_refused_not_read_past() {
        let archive = archive_of(b"a,b");
        assert!(first_entry(&Bytes::new()).is_err());
        assert!(first_entry(&Bytes::from_static(b"<html>no</html>")).is_err());
        assert!(first_entry(&archive.slice(40..)).is_err());
        assert!(first_entry(&archive.slice(..archive.len() - 30)).is_err());
        let mut bent = archive.to_vec();
        let end = bent.len();
        bent[end - 6..end - 2].copy_from_slice(&[0xff; 4]);
        assert!(first_entry(&Bytes::from(bent)).is_err());
    }
}
