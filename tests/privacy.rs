//! Data rights: the map of what is kept, and what follows from it.

mod access;
mod audit;
mod breaches;
mod consents;
mod crashes;
pub mod erasure;
mod export;
mod holds;
mod map;
mod map_kept;
mod policy;
mod promises;
mod refused;
mod register;
mod restriction;
mod retention;
mod server_log;
mod status;
mod support;
mod surface;
mod told;
