//! Small things about words: counts and near misses.

/// The candidate that is at most two letters away from `word`.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance over bytes; the words are short and ASCII.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// `1 Mac`, `2 Macs`, `12,480 devices`.
pub fn count(number: usize, singular: &str) -> String {
    format!(
        "{} {singular}{}",
        thousands(number as u64),
        if number == 1 { "" } else { "s" }
    )
}

/// `12,480`
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{count, nearest};

    #[test]
    fn a_slip_of_two_letters_is_near() {
        assert_eq!(nearest("org_ulr", ["org_id", "org_url"]), Some("org_url"));
        assert_eq!(nearest("colour", ["org_id", "org_url"]), None);
    }

    #[test]
    fn counts_read_like_english() {
        assert_eq!(count(1, "Mac"), "1 Mac");
        assert_eq!(count(12_480, "device"), "12,480 devices");
    }
}
