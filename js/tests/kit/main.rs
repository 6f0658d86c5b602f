//! The test kit, tried on itself: files of tests as users write them, and what the kit says of them.

mod bench;
mod failing;
mod running;
mod world;
