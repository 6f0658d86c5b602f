//! Load, measurement and comparison with peers.
