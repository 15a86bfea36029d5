//! Data rights: the map of what is kept, and what follows from it.

mod erasure;
mod export;
mod map;
mod promises;
mod retention;
mod server_log;
