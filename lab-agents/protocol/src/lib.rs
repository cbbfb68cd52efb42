//! Commands, events and carriers.
