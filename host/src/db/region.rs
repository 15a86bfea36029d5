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

/// Whether all that is there of the account that an expression names is kept, however old it is: it is restricted.
macro_rules! kept_back {
    ($account:literal) => {
        concat!("EXISTS (SELECT 1 FROM restrictions WHERE restrictions.account_id = ", $account, ")")
    };
}

pub(super) use {kept_back, served};
