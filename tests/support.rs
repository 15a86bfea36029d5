//! What the suite's tests share.

pub mod acme;
pub mod authority;
pub mod bare_runs;
pub mod client;
pub mod cluster;
pub mod components;
pub mod database;
pub mod dodo;
pub mod foreign;
pub mod guests;
pub mod hostile;
pub mod https;
pub mod later;
pub mod leaks;
pub mod models;
pub mod openssl;
pub mod outbox;
pub mod probe;
pub mod sandbox;
pub mod server;
pub mod smtp;
pub mod tiny_disk;
pub mod until;
pub mod vault;

pub use client::{Client, Reply};
pub use server::Server;
pub use until::until;
