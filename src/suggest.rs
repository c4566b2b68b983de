//! The nearest valid name for a misspelt one.

/// The candidate nearest to `name`, when it is near enough to be meant, else one that begins with it; the first of equals
/// wins.
///
/// Near enough is an edit distance of at most a third of the longer word, at least one. A beginning has four letters.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    let mut begun = None;
    for candidate in candidates {
        let distance = distance(&lower, &candidate.to_lowercase());
        let longest = name.chars().count().max(candidate.chars().count());
        if distance <= (longest / 3).max(1) && best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, candidate));
        }
        if begun.is_none() && lower.len() >= 4 && candidate.to_lowercase().starts_with(&lower) {
            begun = Some(candidate);
        }
    }
    best.map(|(_, candidate)| candidate).or(begun)
}

/// Edits (insert, remove, replace, swap of neighbours) that make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let width = b.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; width];
        for j in 1..width {
            let cost = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + cost);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_named_and_a_foreign_word_is_not() {
        assert_eq!(suggest("requesetr", ["queue", "requester", "request"]), Some("requester"));
        assert_eq!(suggest("qeuery", ["query", "queue"]), Some("query"));
        assert_eq!(suggest("Pick", ["pick"]), Some("pick"));
        assert_eq!(suggest("banana", ["query", "queue"]), None);
        assert_eq!(suggest("", ["query"]), None);
        assert_eq!(suggest("attach", ["to", "attachments"]), Some("attachments"));
        assert_eq!(suggest("att", ["to", "attachments"]), None);
    }
}
