//! Plans are tested in tests/.
