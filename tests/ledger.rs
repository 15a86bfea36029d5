//! The ledger: properties over thousands of interleavings, and the rush for the last credits.

mod properties;
mod rush;
