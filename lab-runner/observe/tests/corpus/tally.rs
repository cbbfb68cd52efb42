//! A table of what was found of what was expected, by kind, and every miss.

use std::collections::BTreeMap;

use crate::reference::Row;

/// Rows that need not be found: the capture (`fuzz-*` is any that begins so), what is expected there (`*` is anything), and the
/// reason.
pub(crate) type Exceptions = &'static [(&'static str, &'static str, &'static str)];

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Count {
    pub(crate) found: u32,
    pub(crate) all: u32,
    /// Misses among the exceptions.
    pub(crate) excepted: u32,
}

impl Count {
    /// The share found of all rows, in percent.
    pub(crate) fn of_all(self) -> f64 {
        percent(self.found, self.all)
    }

    /// The share found where exceptions that were missed are left out, in percent.
    pub(crate) fn without_exceptions(self) -> f64 {
        percent(self.found, self.all - self.excepted)
    }
}

fn percent(part: u32, all: u32) -> f64 {
    if all == 0 { 100.0 } else { 100.0 * f64::from(part) / f64::from(all) }
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<String, Count>,
    misses: Vec<String>,
}

impl Tally {
    /// Notes a row; `ours` is what stands there instead where it was missed.
    pub(crate) fn note(
        &mut self,
        kind: &str,
        row: &Row,
        expected: &str,
        found: bool,
        exceptions: Exceptions,
        ours: impl FnOnce() -> String,
    ) {
        let count = self.counts.entry(kind.to_owned()).or_default();
        count.all += 1;
        if found {
            count.found += 1;
            return;
        }
        let mut exceptions = exceptions.iter();
        let reason = exceptions.find(|(pcap, name, _)| is_like(pcap, &row.pcap) && is_like(name, expected));
        count.excepted += u32::from(reason.is_some());
        let excuse = reason.map(|(_, _, reason)| format!(" (exception: {reason})")).unwrap_or_default();
        let (l4, [a, b]) = &row.key;
        self.misses.push(format!(
            "{kind:12} {} {l4} {a} {b}: expected {expected:?}, ours {}{excuse}",
            row.pcap,
            ours()
        ));
    }

    /// What was counted of the kinds that are wanted, all in all.
    pub(crate) fn sum(&self, wanted: impl Fn(&str) -> bool) -> Count {
        self.counts.iter().filter(|(kind, _)| wanted(kind)).fold(Count::default(), |sum, (_, count)| Count {
            found: sum.found + count.found,
            all: sum.all + count.all,
            excepted: sum.excepted + count.excepted,
        })
    }

    pub(crate) fn print(&self) {
        for miss in &self.misses {
            println!("{miss}");
        }
        println!("{:14} {:>5} {:>5} {:>8} {:>20}", "", "found", "of", "percent", "without exceptions");
        for (kind, count) in &self.counts {
            let [all, without] = [count.of_all(), count.without_exceptions()];
            println!("{kind:14} {:5} {:5} {all:8.2} {without:20.2}", count.found, count.all);
        }
    }
}

fn is_like(pattern: &str, word: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => word.starts_with(beginning),
        None => word == pattern,
    }
}
