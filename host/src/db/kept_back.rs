//! Whose rows are kept, however old they are. Every rule that deletes an account's rows by their age asks this.

/// Whether a duty to keep what is there holds for the account that an expression names.
macro_rules! held {
    ($account:literal) => {
        concat!("EXISTS (SELECT 1 FROM holds WHERE holds.account_id = ", $account, " AND holds.ended_at IS NULL)")
    };
}

/// Whether what is there of the account that an expression names is kept: by a hold, or since it is restricted, as
/// deleting is processing, too. An account that is none is not kept.
macro_rules! kept_back {
    ($account:literal) => {
        concat!(
            "(EXISTS (SELECT 1 FROM restrictions WHERE restrictions.account_id = ",
            $account,
            ") OR ",
            crate::db::kept_back::held!($account),
            ")"
        )
    };
}

pub(super) use {held, kept_back};
