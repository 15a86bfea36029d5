//! Reads all that is told of an account, table by table and page by page.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::mpsc;

use super::Exports;
use super::archive::Next;
use super::sheet::{Format, Opener, Sheet};
use crate::db::told::{self, Cell};
use crate::db::{Db, DbError};
use crate::ids::AccountId;
use crate::privacy::map::Table;

/// About how much of a table is read at once, and how many rows at most.
const PAGE_BYTES: usize = 1 << 20;
const PAGE_ROWS: i64 = 1_000;
/// Rows of the first page, before it is known how large they are.
const FIRST_ROWS: i64 = 8;

impl Exports {
    /// Reads all that is told, and hands it to the archive.
    pub(super) async fn read(
        &self,
        account: AccountId,
        sheets: Vec<Arc<Sheet>>,
        next: mpsc::Sender<Next>,
        done: &AtomicI64,
    ) -> Result<(), DbError> {
        let config = self.config.now();
        for sheet in sheets {
            if sheet.is_of_files() {
                self.read_files(account, &sheet, &next, done).await?;
                continue;
            }
            let name = sheet.table.name;
            let schema = sheet.schema(&sheet.table.kept.words(&config));
            let schema = serde_json::to_vec_pretty(&schema).map_err(DbError::corrupt)?;
            let mut orders = vec![Next::File(format!("tables/{name}.schema.json")), Next::Bytes(schema)];
            for (format, ending) in [(Format::JsonLines, "jsonl"), (Format::Csv, "csv")] {
                orders.push(Next::File(format!("tables/{name}.{ending}")));
                orders.push(Next::Bytes(sheet.head(format)));
                for order in orders.drain(..) {
                    if next.send(order).await.is_err() {
                        return Ok(());
                    }
                }
                let mut pages = Pages::new(&self.db, account, sheet.table, &sheet.read);
                loop {
                    let rows = pages.next().await?;
                    let Some(last) = rows.last() else { break };
                    pages.go_on_behind(sheet.place_of(last));
                    done.fetch_add(rows.len() as i64, Ordering::Relaxed);
                    // Loaded after the rows were read, it has every version of the data key that sealed them.
                    let owner = self.accounts.load(account).await?.ok_or(DbError::Missing("account"))?;
                    let opener = Opener { account, data_key: owner.data_key };
                    if next.send(Next::Rows(Arc::clone(&sheet), format, rows, opener)).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads the components, of which each is a file in parts.
    async fn read_files(
        &self,
        account: AccountId,
        sheet: &Sheet,
        next: &mpsc::Sender<Next>,
        done: &AtomicI64,
    ) -> Result<(), DbError> {
        const COLUMNS: &[&str] = &["digest", "position", "chunk"];
        let mut pages = Pages::new(&self.db, account, sheet.table, COLUMNS);
        pages.rows = 1;
        let mut open = String::new();
        loop {
            for row in pages.next().await? {
                let [Cell::Text(digest), Cell::Number(position), Cell::Bytes(chunk)] = &row[..] else {
                    return Err(DbError::corrupt("a part of a component"));
                };
                let mut orders = Vec::new();
                if *digest != open {
                    open.clone_from(digest);
                    orders.push(Next::File(format!("components/{digest}.wasm")));
                }
                orders.push(Next::Bytes(chunk.clone()));
                for order in orders {
                    if next.send(order).await.is_err() {
                        return Ok(());
                    }
                }
                done.fetch_add(1, Ordering::Relaxed);
                pages.go_on_behind(vec![Cell::Text(digest.clone()), Cell::Number(*position)]);
            }
            if pages.is_over {
                return Ok(());
            }
        }
    }
}

/// Reads a table page by page, each about as large as the last ones let expect.
struct Pages<'p> {
    db: &'p Db,
    account: AccountId,
    table: &'static Table,
    columns: &'p [&'static str],
    behind: Option<Vec<Cell>>,
    rows: i64,
    is_over: bool,
}

impl<'p> Pages<'p> {
    fn new(db: &'p Db, account: AccountId, table: &'static Table, columns: &'p [&'static str]) -> Self {
        Self { db, account, table, columns, behind: None, rows: FIRST_ROWS, is_over: false }
    }

    /// The next page; an empty one behind the last.
    async fn next(&mut self) -> Result<Vec<Vec<Cell>>, DbError> {
        if self.is_over {
            return Ok(Vec::new());
        }
        let (of, most) = ((self.table, self.columns), (self.rows, PAGE_BYTES));
        let (rows, is_over) = told::page(self.db, of, self.account, self.behind.as_deref(), most).await?;
        self.is_over = is_over;
        // No more is asked for than will probably be taken: the next rows may be larger.
        let bytes: usize = rows.iter().flatten().map(Cell::bytes).sum();
        let fit = PAGE_BYTES / (bytes / rows.len().max(1)).max(1);
        self.rows = i64::try_from(fit).unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS.min(self.rows * 2));
        Ok(rows)
    }

    fn go_on_behind(&mut self, place: Vec<Cell>) {
        self.behind = Some(place);
    }
}
