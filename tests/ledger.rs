//! The ledger: properties over thousands of interleavings, and the rush for the last credits.

mod caps;
mod properties;
mod rush;
