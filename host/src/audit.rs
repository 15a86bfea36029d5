//! The audit: what operators and owners did, as a chain of entries that are only ever added.
//!
//! There is one chain for each database. An entry holds who acted, when and what was done, and of all that could name
//! anybody a salted digest alone; the content itself is apart and can be erased, after which the chain verifies as
//! before. The end of the chain is signed at intervals ([`Anchors`]), so that whoever has the database and not the
//! keyring can't make it anew. No run and no request is in it.

mod anchors;
mod entry;
pub mod verify;

pub use anchors::{Anchors, Head};
pub use entry::{Act, Actor, Content, End, Entry, Facts, Link, NewEntry};
