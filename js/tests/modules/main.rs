//! The tests of the package: modules as users write them, run against a host with a manual clock.

mod budgets;
mod context;
mod examples;
mod functions;
mod harness;
mod imports;
mod isolation;
mod jose;
mod known_keys;
mod library;
mod positions;
mod promises;
mod response;
mod resting;
mod scheduled;
mod seen;
mod storage;
mod vectors;
mod web;
mod web_rules;
mod webcrypto;
mod webcrypto_rules;
mod wires;
