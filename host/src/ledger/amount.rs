//! An amount of credits: always an integer of microcredits, never a fraction.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount in microcredits; 1 credit is 1 000 000 of them.
///
/// Arithmetic saturates: an amount at the end of the range is refused by every guard of the ledger, so that
/// an overflow can never become a small amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(description = "An amount in microcredits; 1 credit is 1 000 000 of them.")]
pub struct Microcredits(pub i64);

impl Microcredits {
    /// The largest single grant: a thousand million credits.
    pub const LARGEST_GRANT: Self = Self(1_000_000_000 * Self::PER_CREDIT);

    /// No credits.
    pub const ZERO: Self = Self(0);

    /// Microcredits in one credit.
    pub const PER_CREDIT: i64 = 1_000_000;

    /// So many whole credits, or none when that is more than the ledger can hold.
    #[must_use]
    pub fn from_credits(credits: i64) -> Option<Self> {
        credits.checked_mul(Self::PER_CREDIT).map(Self)
    }
}

impl Add for Microcredits {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Microcredits {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Microcredits {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Sum for Microcredits {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Credits with six decimals: `1.000010`.
impl fmt::Display for Microcredits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let amount = self.0.unsigned_abs();
        let unit = Self::PER_CREDIT.unsigned_abs();
        write!(f, "{sign}{}.{:06}", amount / unit, amount % unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_reads_as_credits() {
        assert_eq!(Microcredits(1_000_010).to_string(), "1.000010");
        assert_eq!(Microcredits(-5).to_string(), "-0.000005");
    }
}
