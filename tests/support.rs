//! What the suite's tests share.

pub mod client;
pub mod components;
pub mod foreign;
pub mod hostile;
pub mod sandbox;
pub mod server;

pub use client::{Client, Reply};
pub use server::Server;
