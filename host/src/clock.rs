//! The time, in UTC epoch microseconds, read through a clock that tests can set.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;

/// A moment: microseconds since the UTC epoch. Serialised as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Micros(pub i64);

impl Micros {
    /// This moment and so many milliseconds; the first or the last moment there is, where that would be beyond it.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1_000)))
    }

    /// The text of RFC 3339, in UTC with microseconds.
    #[must_use]
    pub fn rfc3339(self) -> String {
        Timestamp::from_microsecond(self.0).map_or_else(|_| self.0.to_string(), |at| format!("{at:.6}"))
    }
}

impl Serialize for Micros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Micros {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let at: Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(at.as_microsecond()))
    }
}

/// Where the time comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The operating system's clock.
    #[default]
    System,
    /// A clock that stands still until it is set.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The time now.
    #[must_use]
    pub fn now(&self) -> Micros {
        match self {
            Self::System => Micros(Timestamp::now().as_microsecond()),
            Self::Fixed(at) => Micros(at.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_beyond_all_moments_is_the_last_one() {
        assert_eq!(Micros(1).plus_ms(i64::MAX), Micros(i64::MAX));
        assert_eq!(Micros(-1).plus_ms(i64::MIN), Micros(i64::MIN));
    }

    #[test]
    fn a_moment_survives_its_text() {
        let at = Micros(1_767_225_600_000_001);
        assert_eq!(at.rfc3339(), "2026-01-01T00:00:00.000001Z");
        assert_eq!(serde_json::from_str::<Micros>(&serde_json::to_string(&at).unwrap()).unwrap(), at);
    }
}
