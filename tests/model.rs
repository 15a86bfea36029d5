//! Models: the three providers through an independent mock, what is charged for, and what is kept.

mod errors;
mod privacy;
mod providers;
mod tokens;
