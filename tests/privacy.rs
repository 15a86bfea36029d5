//! Data rights: the map of what is kept, and what follows from it.

mod access;
mod audit;
mod erasure;
mod map;
mod promises;
mod retention;
