//! "Did you mean": the known word nearest to an unknown one.

/// The known word that was probably meant, if any is near enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A long word costs time in proportion to its square, and is near to nothing.
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= 64)
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count().max(3) / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_near_miss_is_guessed_and_a_far_one_is_not() {
        let known = ["flash", "expect", "reset", "characteristic"];
        assert_eq!(nearest("falsh", known), Some("flash"));
        assert_eq!(nearest("Expect", known), Some("expect"));
        assert_eq!(nearest("charactersitic", known), Some("characteristic"));
        assert_eq!(nearest("upload", known), None);
    }
}
