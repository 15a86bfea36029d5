//! Data rights: the map of what is kept, and what follows from it.

mod breaches;
mod consents;
mod erasure;
mod map;
mod policy;
mod promises;
mod register;
mod restriction;
mod retention;
mod support;
