//! Which accounts a host serves: those of its region, and those of none. A host without a region serves all.

/// Whether the account that an expression names is served in a region, which is the empty text for every host's.
macro_rules! served {
    ($account:literal, $region:literal) => {
        concat!(
            "(",
            $region,
            " = '' OR NOT EXISTS (SELECT 1 FROM accounts AS placed WHERE placed.id = ",
            $account,
            " AND placed.region <> ",
            $region,
            "))"
        )
    };
}

pub(super) use served;
