//! What the suite's tests share.

pub mod hostile;
pub mod sandbox;
