//! The hash of all tables here: fast, and seeded anew in each process, so that captured traffic can't be made to collide.
//! No output depends on a table's order.

pub(crate) type Hasher = foldhash::fast::RandomState;
