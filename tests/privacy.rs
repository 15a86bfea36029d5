//! Data rights: the map of what is kept, and what follows from it.

mod access;
mod audit;
mod breaches;
mod consents;
pub mod erasure;
mod export;
mod holds;
mod map;
mod map_kept;
mod policy;
mod promises;
mod register;
mod restriction;
mod retention;
mod server_log;
mod support;
