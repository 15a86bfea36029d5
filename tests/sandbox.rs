//! What a guest can't do: one hostile guest per attack, its outcome, and what it is charged for.

mod floods;
mod fuel;
mod memory;
mod network;
mod scratch;
mod uploads;
