//! Connections whose sides began more than once before any data, each time with another number.
//!
//! Which of the numbers counts is what the other side acknowledges. Where that is not seen, one side could have been shown
//! something else than is read here.

/// Numbers of both sides before the last ones; few connections have any.
#[derive(Debug, Default)]
pub(crate) struct Renumbered {
    numbers: [Vec<u32>; 2],
    acknowledged: [Option<u32>; 2],
    doubtful: bool,
}

impl Renumbered {
    const MOST: usize = 8;

    /// Notes that a side began with this number, and then with another.
    pub(crate) fn note(&mut self, side: usize, number: u32) {
        let numbers = &mut self.numbers[side];
        self.doubtful |= numbers.len() >= Self::MOST;
        if numbers.len() < Self::MOST {
            numbers.push(number);
        }
    }

    /// The other side acknowledges one of the numbers, of which `last` is the last; returns the one that counts.
    pub(crate) fn acknowledged(&mut self, side: usize, number: u32, last: Option<u32>) -> Option<u32> {
        if last == Some(number) || self.numbers[side].contains(&number) {
            self.doubtful |= self.acknowledged[side].replace(number).is_some_and(|before| before != number);
        }
        self.acknowledged[side].or(last)
    }

    /// Whether it is not sure with which number a side began.
    pub(crate) fn leaves_doubt(&self, side: usize) -> bool {
        self.doubtful || self.acknowledged[side].is_none()
    }
}
