//! The fuel schedule: what work costs in fuel. Fixed per release, part of every artifact's key.

use wasmtime::OperatorCost;

/// Version of everything in this file; a run stores the one that it was metered under.
pub const FUEL_SCHEDULE: u32 = 1;

/// Fuel after which a guest lets others run. It bounds what a trap can hide, and so is the slack.
pub const YIELD_INTERVAL: u64 = 100_000;

/// Any call of a host function. About 200 ns, at half a nanosecond per unit of fuel.
pub const HOST_CALL: u64 = 400;
/// A byte that moves between guest and host.
pub const BYTE: u64 = 1;
/// A pollable that a call waits for.
pub const POLLABLE: u64 = 100;
/// A byte of randomness.
pub const RANDOM_BYTE: u64 = 4;
/// A line of log, besides its bytes.
pub const LOG_LINE: u64 = 1_000;
/// A call that reaches the disk.
pub const FILE_CALL: u64 = 10_000;
/// A signature with a credential, besides its bytes: two hashes, and a line of the audit.
pub const SIGNATURE: u64 = 50_000;
/// An outgoing request, besides its bytes.
pub const HTTP_REQUEST: u64 = 50_000;
/// A page of 64 KiB that memory grows by; the kernel clears it.
const MEMORY_PAGE: u8 = 255;

/// What each operator costs: one unit each, and bulk operations by the byte, element or page.
pub(crate) fn operator_cost() -> OperatorCost {
    let mut cost = OperatorCost::new();
    cost.variable.memory_grow_per_page = MEMORY_PAGE;
    cost
}
