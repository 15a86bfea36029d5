//! What the suite's tests share.

pub mod client;
pub mod components;
pub mod foreign;
pub mod guests;
pub mod hostile;
pub mod sandbox;
pub mod server;
pub mod until;

pub use client::{Client, Reply};
pub use server::Server;
pub use until::until;
