//! Money: amounts, prices, and the verbs that move credits. Nothing else in the host moves a credit.
//!
//! Double entry: a [`Transfer`] moves an amount between two ledger accounts, and its [`Verb`] says which two,
//! so that no transfer can be unbalanced. Only a tenant's credits, holds and debts have balance rows; all
//! else is a sum over the transfers.

mod amount;
mod charge;
mod explain;
mod price;
mod tokens;
mod transfer;
pub mod verify;

pub use amount::Microcredits;
pub use charge::{Charge, ChargeLine};
pub use explain::{ExplainedLine, price_version};
pub use price::{Metered, Prices, Terms};
pub use tokens::{ModelPrice, ModelPrices, Tokens};
pub use transfer::{Balance, ChainHead, Side, Tenant, Transfer, Verb};
