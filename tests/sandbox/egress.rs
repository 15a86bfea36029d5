//! A hostile guest on the network: it may not learn a secret, reach what it was not granted, or be read in two ways.

mod addresses;
mod echoes;
mod grants;
mod limits;
mod smuggling;
mod works;
