//! The command line: what it says, what it prints for programs, and the status that it ends with.

mod credential;
mod help;
mod history;
mod ledger;
mod local;
mod logs;
mod person;
mod profiles;
mod server;
pub mod shell;
mod terminal;
