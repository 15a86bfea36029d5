//! Mailings: a letter to many accounts, written once to each that is to have it, in the commit that notes so.

use sqlx::{AssertSqlSafe, Row as _};

use super::region::served;
use super::{Db, DbError, WriteTx, breaches};
use crate::clock::Micros;
use crate::ids::{AccountId, MailingId};
use crate::words::words;

words! {
    /// Who gets a mailing.
    Audience {
        /// All who have an account.
        Everybody = "everybody",
        /// Who consented to news.
        Consenting = "consenting",
        /// Whom the breach concerns that it is about, and who was not told of that before.
        Concerned = "concerned",
    }
}

/// A mailing.
#[derive(Clone, Debug)]
pub struct StoredMailing {
    /// Its id.
    pub id: MailingId,
    /// Who gets it.
    pub audience: Audience,
    /// The letter as JSON, without what is each account's own.
    pub letter: String,
    /// The breach that it is about.
    pub about: Option<String>,
    /// When it was asked for: accounts that were made later don't get it.
    pub at: Micros,
}

/// Accounts that one look brings.
const PAGE: i64 = 100;

/// Asks for a mailing.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert(tx: &mut WriteTx<'_>, mailing: &StoredMailing) -> Result<(), DbError> {
    sqlx::query("INSERT INTO mailings (id, audience, letter, created_at, about) VALUES ($1, $2, $3, $4, $5)")
        .bind(mailing.id.to_string())
        .bind(mailing.audience.as_str())
        .bind(mailing.letter.as_str())
        .bind(mailing.at.0)
        .bind(mailing.about.as_deref())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// The mailings that were asked for since a moment, in their order.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn since(db: &Db, at: Micros) -> Result<Vec<StoredMailing>, DbError> {
    let text = "SELECT id, audience, letter, created_at, about FROM mailings WHERE created_at > $1 ORDER BY id";
    let rows = sqlx::query(text).bind(at.0).fetch_all(&db.pool).await?;
    rows.iter()
        .map(|row| {
            let word: String = row.try_get(1)?;
            let audience = Audience::of_word(&word);
            Ok(StoredMailing {
                id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
                audience: audience.ok_or_else(|| DbError::corrupt(format!("the unknown audience `{word}`")))?,
                letter: row.try_get(2)?,
                at: Micros(row.try_get(3)?),
                about: row.try_get(4)?,
            })
        })
        .collect()
}

/// Whether an account is to have the mailing that a parameter names. News go to nobody whose data are not worked with.
fn is_to_have(audience: Audience, mailing: &str) -> String {
    match audience {
        Audience::Everybody => "accounts.status NOT IN ('pending', 'closed')".to_owned(),
        // Who said yes later than it was written is not to have it.
        Audience::Consenting => format!(
            "accounts.status = 'active' AND (
                 SELECT given FROM consents WHERE consents.account_id = accounts.id AND purpose = 'news'
                 ORDER BY id DESC LIMIT 1) = 1 AND (
                 SELECT given FROM consents WHERE consents.account_id = accounts.id AND purpose = 'news'
                   AND created_at <= (SELECT this.created_at FROM mailings AS this WHERE this.id = {mailing})
                 ORDER BY id DESC LIMIT 1) = 1"
        ),
        Audience::Concerned => format!(
            "accounts.status NOT IN ('pending', 'closed') AND EXISTS (
                 SELECT 1 FROM breach_accounts JOIN mailings AS this ON this.about = breach_accounts.breach_id
                 WHERE breach_accounts.account_id = accounts.id AND this.id = {mailing}
                   AND NOT EXISTS (
                       SELECT 1 FROM mailed JOIN mailings AS other ON other.id = mailed.mailing_id
                       WHERE mailed.account_id = accounts.id AND other.about = this.about))"
        ),
    }
}

/// Some accounts that this host serves and that are to have a mailing and have it not, behind one of them.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn left(db: &Db, mailing: &StoredMailing, after: Option<AccountId>) -> Result<Vec<AccountId>, DbError> {
    let (is_to_have, served) = (is_to_have(mailing.audience, "$1"), served!("accounts.id", "$5"));
    let text = format!(
        "SELECT accounts.id FROM accounts
         WHERE accounts.id > $2 AND accounts.created_at <= $3 AND {is_to_have} AND {served}
           AND NOT EXISTS (SELECT 1 FROM mailed WHERE mailed.account_id = accounts.id AND mailed.mailing_id = $1)
         ORDER BY accounts.id LIMIT $4"
    );
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(mailing.id.to_string())
        .bind(after.map(|id| id.to_string()).unwrap_or_default())
        .bind(mailing.at.0)
        .bind(PAGE)
        .bind(db.region())
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(|row| row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)).collect()
}

/// Notes that an account gets a mailing. False when it has it already, or is not to have it any more.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn note(
    tx: &mut WriteTx<'_>,
    mailing: MailingId,
    audience: Audience,
    account: AccountId,
) -> Result<bool, DbError> {
    if audience == Audience::Concerned {
        breaches::alone(tx, mailing).await?;
    }
    let text = format!(
        "INSERT INTO mailed (account_id, mailing_id)
         SELECT accounts.id, CAST($2 AS TEXT) FROM accounts WHERE accounts.id = $1 AND {}
         ON CONFLICT DO NOTHING",
        is_to_have(audience, "$2")
    );
    let done =
        sqlx::query(AssertSqlSafe(text)).bind(account.to_string()).bind(mailing.to_string()).execute(&mut **tx).await?;
    Ok(done.rows_affected() == 1)
}
