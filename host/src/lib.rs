//! AAASP, agents as a service: the host of sandboxed agents, as a library for its binary and tests.

pub mod accounts;
pub mod app;
pub mod authoring;
pub mod capabilities;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod folder;
pub mod grants;
pub mod host;
pub mod http;
pub mod ids;
pub mod ledger;
pub mod limits;
pub mod mail;
pub mod models;
pub mod names;
pub mod objects;
pub mod receipts;
pub mod request_log;
pub mod runs;
pub mod runtime;
pub mod statements;
pub mod vault;
pub mod words;
