//! The suite: one test binary, so that it links once. Its modules mirror the routes and the promises.
#![cfg(test)]

mod agents;
mod api;
mod cli;
mod custody;
mod docs;
mod durability;
mod invariants;
mod ledger;
mod mail;
mod model;
mod payments;
mod privacy;
mod promises;
mod sandbox;
mod support;
mod transport;
mod vault;
