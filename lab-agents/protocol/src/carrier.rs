//! Carriers: how messages reach an agent and come back.
//!
//! Whoever runs a bench holds one [`Carrier`] an agent; all of them deliver into one inbox, in the order of arrival. A
//! carrier for another host needs to do no more than this trait says.

use std::io;

use crate::{FromAgent, Source, ToAgent};

/// One agent's line.
pub trait Carrier: Send {
    /// Hands a message to the agent.
    ///
    /// # Errors
    /// When the agent is gone.
    fn send(&mut self, message: &ToAgent) -> io::Result<()>;

    /// Ends the agent at once and for good, whatever it is doing. Called when a deadline has passed.
    fn kill(&mut self);

    /// Waits until the agent is gone, after [`ToAgent::Shutdown`] or [`Carrier::kill`].
    fn join(&mut self);
}

/// What comes into the inbox.
#[derive(Debug)]
pub enum Incoming {
    /// An agent said something.
    Message(Source, FromAgent),
    /// An agent is gone; `how` says in words what was seen of its end.
    Gone {
        /// Which.
        source: Source,
        /// How it ended.
        how: String,
    },
    /// The person asked to stop (Ctrl-C).
    Interrupted,
}
