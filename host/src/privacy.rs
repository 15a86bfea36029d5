//! Data rights: what is kept about people, why and for how long, and what follows from that. The map says it, and
//! erasure does what the map says.

pub mod erased;
mod erasure;
pub mod export;
mod files;
mod mailings;
pub mod map;
mod policy;
mod recipients;

pub use erasure::Erasures;
pub use export::Exports;
pub use files::Files;
pub use mailings::Mailings;
pub use policy::Policy;
