//! A ZIP archive with one stored file, as an export job's download delivers it.

/// Packs `content` under `name`, without compression.
pub(super) fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    let checksum = crc32(content);
    let size = u32::try_from(content.len()).expect("a report is smaller than 4 GiB");
    let name_size = u16::try_from(name.len()).expect("a report's name is short");
    // What the local and the central header share: version, flags, method 0, time, date, sizes.
    let mut common = Vec::with_capacity(26);
    for short in [20_u16, 0, 0, 0, 0x5a21] {
        common.extend(short.to_le_bytes());
    }
    for long in [checksum, size, size] {
        common.extend(long.to_le_bytes());
    }
    for short in [name_size, 0] {
        common.extend(short.to_le_bytes());
    }

    let mut out = Vec::with_capacity(content.len() + 2 * name.len() + 98);
    out.extend(b"PK\x03\x04");
    out.extend(&common);
    out.extend(name.as_bytes());
    out.extend(content);

    let directory_at = out.len();
    out.extend(b"PK\x01\x02");
    out.extend(20_u16.to_le_bytes());
    out.extend(&common);
    out.extend([0; 2 + 2 + 2 + 4]); // comment, disk, attributes
    out.extend(0_u32.to_le_bytes()); // the file starts the archive
    out.extend(name.as_bytes());
    let directory_size = out.len() - directory_at;

    out.extend(b"PK\x05\x06");
    out.extend([0; 4]);
    for entries in [1_u16, 1] {
        out.extend(entries.to_le_bytes());
    }
    for long in [directory_size, directory_at] {
        let long = u32::try_from(long).expect("a report is smaller than 4 GiB");
        out.extend(long.to_le_bytes());
    }
    out.extend([0; 2]);
    out
}

/// CRC-32 as ZIP and gzip use it (reflected, polynomial 0xEDB88320), by a table of one byte.
fn crc32(content: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !content.iter().fold(u32::MAX, |crc, byte| {
        TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8)
    })
}

const fn table() -> [u32; 256] {
    let mut table = [0_u32; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = match value & 1 {
                1 => 0xedb8_8320 ^ (value >> 1),
                _ => value >> 1,
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

/// Appends one CSV row; the exports quote every text and double the quotes inside.
pub(super) fn csv_row<'a>(out: &mut String, cells: impl IntoIterator<Item = &'a str>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match cell.contains([',', '"', '\n', '\r']) {
            true => {
                out.push('"');
                out.push_str(&cell.replace('"', "\"\""));
                out.push('"');
            }
            false => out.push_str(cell),
        }
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_agrees_with_the_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn directory_points_at_the_stored_file() {
        let zip = archive("r.csv", b"a,b\r\n");
        let end = zip.len() - 22;
        assert_eq!(&zip[end..end + 4], b"PK\x05\x06");
        let at = |from: usize| u32::from_le_bytes(zip[from..from + 4].try_into().unwrap()) as usize;
        let directory = at(end + 16);
        assert_eq!(&zip[directory..directory + 4], b"PK\x01\x02");
        assert_eq!(&zip[directory + 46..directory + 46 + 5], b"r.csv");
        assert_eq!(at(directory + 16) as u32, crc32(b"a,b\r\n"));
        let local = at(directory + 42);
        assert_eq!(&zip[local + 30..local + 35], b"r.csv");
        assert_eq!(&zip[local + 35..local + 40], b"a,b\r\n");
    }

    #[test]
    fn cells_with_commas_and_quotes_are_quoted() {
        let mut out = String::new();
        csv_row(&mut out, ["a", "b,c", "say \"x\""]);
        assert_eq!(out, "a,\"b,c\",\"say \"\"x\"\"\"\r\n");
    }
}
