//! What a guest can't do: one hostile guest per attack, its outcome, and what it is charged for.

mod artifacts;
mod egress;
mod floods;
mod foreign;
mod fuel;
mod full_disk;
mod kinds;
mod memory;
mod neighbours;
mod network;
mod scratch;
mod uploads;
