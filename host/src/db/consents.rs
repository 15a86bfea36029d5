//! Consents: what owners said yes and no to. Nothing is changed once it was said; the latest word on a purpose holds.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::rights::{self, RightsKind, RightsState};
use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, ConsentId};
use crate::words::words;

words! {
    /// What can be consented to. Nothing is, until it is said.
    ConsentPurpose {
        /// Letters with news of the service, which nobody has to get.
        News = "news",
    }

    /// Where something was said.
    ConsentSource {
        /// By a request with a key of the account.
        Api = "api",
        /// By the link of a letter.
        Link = "link",
    }
}

/// Something that an owner said.
#[derive(Clone, Debug)]
pub struct StoredConsent {
    /// Its id.
    pub id: ConsentId,
    /// What to.
    pub purpose: ConsentPurpose,
    /// Yes or no.
    pub given: bool,
    /// The version of the policy that was in force, if there was one.
    pub policy: Option<String>,
    /// Where it was said.
    pub source: ConsentSource,
    /// When.
    pub at: Micros,
}

/// Words of one account that are kept. Past them no yes is taken, and each no.
const MOST: i64 = 1_000;

/// Letters that wait and need a consent.
const NEWS: &str = "announcement";

/// Writes down what an owner says, unless it is what holds. A no takes back what is on its way, too.
///
/// # Errors
/// [`DbError::Limit`] when a yes is one too many.
pub async fn insert(tx: &mut WriteTx<'_>, account: AccountId, said: &StoredConsent) -> Result<(), DbError> {
    let before = sqlx::query(
        "SELECT (SELECT COUNT(*) FROM consents WHERE account_id = $1), COALESCE(
             (SELECT given FROM consents WHERE account_id = $1 AND purpose = $2 ORDER BY id DESC LIMIT 1), 0)",
    )
    .bind(account.to_string())
    .bind(said.purpose.as_str())
    .fetch_one(&mut **tx)
    .await?;
    if (before.try_get::<i64, _>(1)? != 0) == said.given {
        return Ok(());
    }
    if said.given && before.try_get::<i64, _>(0)? >= MOST {
        return Err(DbError::Limit { limit: "consents", value: MOST.unsigned_abs() });
    }
    sqlx::query(
        "INSERT INTO consents (id, account_id, purpose, given, policy, source, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(said.id.to_string())
    .bind(account.to_string())
    .bind(said.purpose.as_str())
    .bind(i64::from(said.given))
    .bind(said.policy.as_deref())
    .bind(said.source.as_str())
    .bind(said.at.0)
    .execute(&mut **tx)
    .await?;
    if !said.given {
        sqlx::query("DELETE FROM letters WHERE account_id = $1 AND kind = $2 AND state = 'waiting'")
            .bind(account.to_string())
            .bind(NEWS)
            .execute(&mut **tx)
            .await?;
        rights::register(tx, account, RightsKind::Consent, RightsState::Done, said.at).await?;
    }
    Ok(())
}

const COLUMNS: &str = "SELECT id, purpose, given, policy, source, created_at FROM consents";

/// The latest word of an account on a purpose.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn latest(db: &Db, account: AccountId, purpose: ConsentPurpose) -> Result<Option<StoredConsent>, DbError> {
    let text = format!("{COLUMNS} WHERE account_id = $1 AND purpose = $2 ORDER BY id DESC LIMIT 1");
    let question = sqlx::query(AssertSqlSafe(text)).bind(account.to_string()).bind(purpose.as_str());
    question.fetch_optional(&db.pool).await?.as_ref().map(stored).transpose()
}

/// All that an account said, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(
    db: &Db,
    account: AccountId,
    before: Option<ConsentId>,
    limit: i64,
) -> Result<Vec<StoredConsent>, DbError> {
    let text = format!("{COLUMNS} WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(account.to_string())
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored).collect()
}

fn stored(row: &AnyRow) -> Result<StoredConsent, DbError> {
    let (purpose, source): (String, String) = (row.try_get(1)?, row.try_get(4)?);
    let unknown = |word: &str| DbError::corrupt(format!("the unknown word `{word}` of a consent"));
    let known_purpose = ConsentPurpose::of_word(&purpose);
    let known_source = ConsentSource::of_word(&source);
    Ok(StoredConsent {
        id: row.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt)?,
        purpose: known_purpose.ok_or_else(|| unknown(&purpose))?,
        given: row.try_get::<i64, _>(2)? != 0,
        policy: row.try_get(3)?,
        source: known_source.ok_or_else(|| unknown(&source))?,
        at: Micros(row.try_get(5)?),
    })
}
