//! The only ways from a guest to the world: one file per interface that we offer. Each call adds its
//! price to the store's state, checks the grant and counts against the limit.

mod clocks;
mod config;
mod credentials;
pub mod egress;
mod environment;
mod io;
pub mod log;
mod logging;
pub(crate) mod model;
mod random;
pub(crate) mod scratch;
pub(crate) mod stdio;
