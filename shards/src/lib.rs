//! The data plane: one complete proxy per core.
