//! Data rights: the map of what is kept, and what follows from it.

mod erasure;
mod map;
mod promises;
mod restriction;
mod retention;
