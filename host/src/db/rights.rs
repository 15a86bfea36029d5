//! The register of requests by which people use their rights: what the API does enters by itself, what comes by mail is
//! entered by an operator. Why something was done with one is with what operators did.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::{Db, DbError, WriteTx};
use crate::clock::Micros;
use crate::ids::{AccountId, RightsRequestId};
use crate::words::words;

/// How long somebody who asks again asks for the same, in milliseconds: a day. So the register can't be filled.
const SAME_MS: i64 = 86_400_000;

/// How long a request may take, and how much longer one that was extended, in milliseconds.
const ANSWERED_MS: i64 = 30 * 86_400_000;
const EXTENDED_MS: i64 = 60 * 86_400_000;

words! {
    /// What somebody asks for.
    RightsKind {
        /// A copy of the data.
        Access = "access",
        /// The data in a form for programs.
        Portability = "portability",
        /// A correction.
        Correction = "correction",
        /// That the data are deleted.
        Deletion = "deletion",
        /// That the data are kept and not worked with.
        Restriction = "restriction",
        /// That something is not done with them.
        Objection = "objection",
        /// That a consent is taken back.
        Consent = "consent",
    }

    /// How a request came.
    RightsSource {
        /// By the API.
        Api = "api",
        /// By mail or otherwise, so that an operator entered it.
        Operator = "operator",
    }

    /// Where a request is.
    RightsState {
        /// Somebody waits for it.
        Open = "open",
        /// It was done.
        Done = "done",
        /// It was refused, for a reason that was told.
        Refused = "refused",
        /// Whoever asked thought again.
        Withdrawn = "withdrawn",
    }

    /// Whether it is known who asks.
    RightsIdentity {
        /// By a key of the account, or a link that was sent to its address.
        Key = "key",
        /// Not yet.
        Unchecked = "unchecked",
        /// An operator has found out.
        Checked = "checked",
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct StoredRightsRequest {
    /// Its id.
    pub id: RightsRequestId,
    /// Whose data it is about; none for somebody without an account, and once the account is erased.
    pub account: Option<AccountId>,
    /// What is asked for.
    pub kind: RightsKind,
    /// How it came.
    pub source: RightsSource,
    /// Where it is.
    pub state: RightsState,
    /// Whether it is known who asks.
    pub identity: RightsIdentity,
    /// When it came.
    pub received_at: Micros,
    /// By when it has to be answered.
    pub due_at: Micros,
    /// Whether that was put off.
    pub extended: bool,
    /// When it ended.
    pub ended_at: Option<Micros>,
}

impl StoredRightsRequest {
    /// One that came at a moment, and has to be answered in time.
    #[must_use]
    pub fn new(account: Option<AccountId>, kind: RightsKind, source: RightsSource, at: Micros) -> Self {
        Self {
            id: RightsRequestId::generate(),
            account,
            kind,
            source,
            state: RightsState::Open,
            identity: if source == RightsSource::Api { RightsIdentity::Key } else { RightsIdentity::Unchecked },
            received_at: at,
            due_at: at.plus_ms(ANSWERED_MS),
            extended: false,
            ended_at: None,
        }
    }

    /// Whether somebody waits for longer than the law lets them.
    #[must_use]
    pub fn is_overdue(&self, now: Micros) -> bool {
        self.state == RightsState::Open && self.due_at < now
    }
}

/// Enters what the owner of an account asked for by the API: as done, or as what goes on until [`end`] is told. What was
/// done within a day is the same request.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn register(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    kind: RightsKind,
    state: RightsState,
    at: Micros,
) -> Result<RightsRequestId, DbError> {
    let mut request = StoredRightsRequest::new(Some(account), kind, RightsSource::Api, at);
    request.state = state;
    request.ended_at = (state != RightsState::Open).then_some(at);
    if state == RightsState::Done {
        let same = sqlx::query(
            "SELECT id FROM rights_requests
             WHERE account_id = $1 AND kind = $2 AND source = 'api' AND state = 'done' AND received_at > $3 LIMIT 1",
        )
        .bind(account.to_string())
        .bind(kind.as_str())
        .bind(at.plus_ms(-SAME_MS).0)
        .fetch_optional(&mut **tx)
        .await?;
        if let Some(same) = same {
            return same.try_get::<String, _>(0)?.parse().map_err(DbError::corrupt);
        }
    }
    insert(tx, &request).await?;
    Ok(request.id)
}

/// Enters a request.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn insert(tx: &mut WriteTx<'_>, request: &StoredRightsRequest) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO rights_requests
             (id, account_id, kind, source, state, identity, received_at, due_at, extended, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)",
    )
    .bind(request.id.to_string())
    .bind(request.account.map(|account| account.to_string()))
    .bind(request.kind.as_str())
    .bind(request.source.as_str())
    .bind(request.state.as_str())
    .bind(request.identity.as_str())
    .bind(request.received_at.0)
    .bind(request.due_at.0)
    .bind(request.ended_at.map(|at| at.0))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Ends a request that goes on. False when it has ended.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn end(
    tx: &mut WriteTx<'_>,
    request: RightsRequestId,
    state: RightsState,
    at: Micros,
) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE rights_requests SET state = $2, ended_at = $3 WHERE id = $1 AND state = 'open'")
        .bind(request.to_string())
        .bind(state.as_str())
        .bind(at.0)
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends what an account asked for of a kind by the API and goes on.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn end_of(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    kind: RightsKind,
    state: RightsState,
    at: Micros,
) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE rights_requests SET state = $3, ended_at = $4
         WHERE account_id = $1 AND kind = $2 AND source = 'api' AND state = 'open'",
    )
    .bind(account.to_string())
    .bind(kind.as_str())
    .bind(state.as_str())
    .bind(at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Notes that it is known who asks. False when it has ended.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn identify(tx: &mut WriteTx<'_>, request: RightsRequestId) -> Result<bool, DbError> {
    let text = "UPDATE rights_requests SET identity = 'checked' WHERE id = $1 AND state = 'open'";
    Ok(sqlx::query(text).bind(request.to_string()).execute(&mut **tx).await?.rows_affected() == 1)
}

/// Puts a request off, once and before it is overdue, as the law allows. False when that can't be.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn extend(tx: &mut WriteTx<'_>, request: RightsRequestId, now: Micros) -> Result<bool, DbError> {
    let done = sqlx::query(
        "UPDATE rights_requests SET extended = 1, due_at = due_at + $2
         WHERE id = $1 AND state = 'open' AND extended = 0 AND due_at >= $3",
    )
    .bind(request.to_string())
    .bind(EXTENDED_MS * 1_000)
    .bind(now.0)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

const COLUMNS: &str = "SELECT id, account_id, kind, source, state, identity, received_at, due_at, extended, ended_at
     FROM rights_requests";

/// One request.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn get(db: &Db, request: RightsRequestId) -> Result<Option<StoredRightsRequest>, DbError> {
    let text = format!("{COLUMNS} WHERE id = $1");
    let question = sqlx::query(AssertSqlSafe(text)).bind(request.to_string());
    question.fetch_optional(&db.pool).await?.as_ref().map(stored).transpose()
}

/// Requests of a state, or all, latest first.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn list(
    db: &Db,
    state: Option<RightsState>,
    before: Option<RightsRequestId>,
    limit: i64,
) -> Result<Vec<StoredRightsRequest>, DbError> {
    let text = format!("{COLUMNS} WHERE ($1 = '' OR state = $1) AND id < $2 ORDER BY id DESC LIMIT $3");
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(state.map_or("", RightsState::as_str))
        .bind(before.map_or_else(|| "~".to_owned(), |id| id.to_string()))
        .bind(limit)
        .fetch_all(&db.pool)
        .await?;
    rows.iter().map(stored).collect()
}

/// How many people wait for longer than the law lets them.
///
/// # Errors
/// [`DbError`] when the database doesn't answer.
pub async fn overdue(db: &Db, now: Micros) -> Result<i64, DbError> {
    let text = "SELECT COUNT(*) FROM rights_requests WHERE state = 'open' AND due_at < $1";
    Ok(sqlx::query(text).bind(now.0).fetch_one(&db.pool).await?.try_get(0)?)
}

fn stored(row: &AnyRow) -> Result<StoredRightsRequest, DbError> {
    let word = |column: usize| row.try_get::<String, _>(column);
    let unknown = |word: &str| DbError::corrupt(format!("the unknown word `{word}` of a request about rights"));
    let (kind, source, state, identity) = (word(2)?, word(3)?, word(4)?, word(5)?);
    let account: Option<String> = row.try_get(1)?;
    Ok(StoredRightsRequest {
        id: word(0)?.parse().map_err(DbError::corrupt)?,
        account: account.map(|id| id.parse()).transpose().map_err(DbError::corrupt)?,
        kind: RightsKind::of_word(&kind).ok_or_else(|| unknown(&kind))?,
        source: RightsSource::of_word(&source).ok_or_else(|| unknown(&source))?,
        state: RightsState::of_word(&state).ok_or_else(|| unknown(&state))?,
        identity: RightsIdentity::of_word(&identity).ok_or_else(|| unknown(&identity))?,
        received_at: Micros(row.try_get(6)?),
        due_at: Micros(row.try_get(7)?),
        extended: row.try_get::<i64, _>(8)? != 0,
        ended_at: row.try_get::<Option<i64>, _>(9)?.map(Micros),
    })
}
