//! The rules by their words, each in a sentence: what `lab why` says of a finding. docs/verdict.md has the same list,
//! and a test holds one against the other.

/// A rule's word, and what it means when a finding has it.
const RULES: &[(&str, &str)] = &[
    ("undeclared-endpoint", "No declaration could admit this flow, whatever else were known of it."),
    (
        "undeclared-inbound",
        "Somebody outside opened this flow. Only a declaration that says `opened-by: peer` admits that.",
    ),
    (
        "undeclared-look-up",
        "DNS was asked for a name that no declaration covers. The question alone tells somebody, even if no connection \
         follows.",
    ),
    (
        "dns-tunnel",
        "The names under a declared pattern carry more than ordinary look-ups do: whoever runs the domain reads them.",
    ),
    (
        "wrong-phase",
        "It is declared, but not for the phase in which it happened. A flow belongs to the phase of its first packet.",
    ),
    ("wrong-talker", "It is declared for somebody else. The phone's system never counts as the app."),
    ("wrong-protocol", "It is declared for another protocol than the one that was spoken."),
    ("clear-text", "The declaration requires encryption, and the bytes are of no protocol that encrypts."),
    ("tls-too-old", "The declaration requires a newer version of TLS than the one that was agreed on."),
    ("ech-forbidden", "The declaration forbids an Encrypted Client Hello, and the flow has one."),
    ("sni-missing", "The declaration requires a server name in the ClientHello, and there is none."),
    ("over-budget", "What a declaration admits was more than its budget."),
    (
        "uncorroborated-name",
        "The client asserts a declared name, and no DNS answer gave this client this address for it. Anyone can write \
         a name into a ClientHello: it fails where all look-ups were seen, and is in doubt elsewhere.",
    ),
    (
        "weak-evidence",
        "A declared name was looked up for this address, but the flow asserts none, and the declaration asks for both.",
    ),
    (
        "ambiguous-name",
        "Several names were looked up for the address, and the declaration covers only some of them.",
    ),
    ("hidden-name", "What would name the server is hidden or lost, and everything else fits a declaration."),
    ("talker-unknown", "It is declared, but who talks can't be told."),
    ("encryption-unknown", "It is declared, but nothing shows that it is encrypted."),
    ("protocol-unknown", "It is declared, but nothing shows that it speaks the declared protocol."),
    ("tls-unknown", "It is declared, but the version of TLS, or its ClientHello, was not seen."),
    (
        "flow-unreadable",
        "It is admitted, but part of what it carries could not be read, or its header names another destination.",
    ),
    ("disagreeing-evidence", "It is admitted, but its evidence contradicts itself."),
    (
        "required-missing",
        "A required declaration never showed up, in repeats that were all seen to their end.",
    ),
    (
        "other-build",
        "What ran is another build than those that the manifest applies to, so that it says nothing about this one.",
    ),
    ("build-unknown", "The manifest applies to certain builds, and which one ran can't be told."),
    ("expectation-unmet", "The product did not do what the plan expects."),
    (
        "bench-fault",
        "A probe, adapter, agent or service of the bench failed. It says nothing about the product.",
    ),
    ("not-seen", "An agent says that it could not see what it had to."),
    ("companion-exited", "An app ended by itself: what it would have done afterwards was not seen."),
    ("packets-dropped", "The capture lost packets: something may have gone unseen."),
    ("frames-missing", "The capture's file doesn't hold as many frames as were written."),
    ("capture-cut", "The capture's file is damaged or ends early."),
    ("observation-incomplete", "The capture holds more than could be followed, or what can hide something."),
    (
        "frames-unreadable",
        "The capture holds frames that could not be read, that nobody sent, or that are too many.",
    ),
    ("no-capture", "Nothing was captured."),
    ("capture-missing", "A vantage point has no capture."),
    ("capture-not-ended", "A capture was never ended in order."),
    ("side-unwatched", "No vantage point watches the link of the phone or the watch."),
    ("no-canary", "The canaries don't prove that the capture saw both directions."),
    ("forged-event", "Somebody answered a command that was not theirs, or spoke in the lab's name."),
    ("run-cut-short", "The event log ends before the run does."),
    ("log-without-beginning", "The event log has no beginning."),
    ("command-unanswered", "A command was begun and never ended."),
    ("interrupted", "The run was interrupted."),
    ("steps-not-run", "Steps of the plan are not in the log."),
    ("repeat-missing", "A repeat has no attempt that counts."),
    ("run-not-ended", "The run was ended from outside before it came to a verdict."),
    ("not-judged", "The plan or the manifest is not what the run was made with."),
];

/// What a rule means; `None` for a word that is none.
pub fn meaning(rule: &str) -> Option<&'static str> {
    RULES.iter().find(|(word, _)| *word == rule).map(|(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::RULES;

    /// The book's tables have a rule's word in code at the beginning of a row, or several.
    #[test]
    fn the_book_has_the_same_rules() {
        let book = include_str!("../../../docs/verdict.md");
        let rows = book.lines().filter(|line| line.starts_with("| `"));
        let cells = rows.filter_map(|line| line.split('|').nth(1));
        let written: BTreeSet<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
        let known: BTreeSet<&str> = RULES.iter().map(|(word, _)| *word).collect();
        assert_eq!(written, known);
    }
}
