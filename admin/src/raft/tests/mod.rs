//! Tests of the cluster as a whole: openraft's storage suite, one node through restarts and faults, three nodes in one
//! process. Nothing here waits for a clock; waits are for a state, under a limit.

mod alone;
mod counting;
mod faults;
mod house;
mod killed;
mod suite;
mod three;
