//! AAASP, agents as a service: the host of sandboxed agents, as a library for its binary and tests.

pub mod limits;
