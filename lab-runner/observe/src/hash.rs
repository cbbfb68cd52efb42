//! The hash of all tables here: fast, and seeded anew in each process, so that captured traffic can't be made to collide.
//! No output depends on a table's order.

pub(crate) type Hasher = foldhash::fast::RandomState;

/// Spreads a word's bits, most of all into its upper half: Fibonacci hashing, by the golden ratio (Knuth, TAOCP 3, §6.4).
/// The same in each process, and so for an attacker to know.
#[inline]
pub(crate) fn fibonacci(word: u64) -> u64 {
    word.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
