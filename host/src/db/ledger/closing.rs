//! The end of a tenant on which nothing has ever moved.

use sqlx::AnyConnection;

use super::super::DbError;
use crate::ids::AccountId;

/// Closes a tenant that has nothing, holds nothing, and has no transfers.
pub(in crate::db) async fn close_tenant(connection: &mut AnyConnection, account: AccountId) -> Result<(), DbError> {
    let row = sqlx::query(
        "DELETE FROM balances WHERE available = 0 AND held = 0
           AND tenant IN (SELECT tenant FROM tenants WHERE account_id = $1)
           AND NOT EXISTS (SELECT 1 FROM transfers WHERE transfers.tenant = balances.tenant)",
    )
    .bind(account.to_string())
    .execute(&mut *connection)
    .await?;
    if row.rows_affected() != 1 {
        return Err(DbError::corrupt("an account that was never open has moved credits"));
    }
    sqlx::query("DELETE FROM tenants WHERE account_id = $1").bind(account.to_string()).execute(connection).await?;
    Ok(())
}
