//! A database that breaks at any statement of what a webhook does: nothing of it is left, and the next try does it all.

use sqlx::{AssertSqlSafe, Row as _};

use super::{asked, bought, paid};
use crate::support::Server;
use crate::support::dodo::{Dodo, Webhook};
use crate::support::server::on_postgres;

/// What a webhook about a payment writes to, and how.
const PAYMENT: [(&str, &str); 7] = [
    ("webhooks", "INSERT"),
    ("payments", "INSERT"),
    ("payments", "UPDATE"),
    ("balances", "UPDATE"),
    ("letters", "INSERT"),
    ("top_ups", "UPDATE"),
    ("transfers", "INSERT"),
];

/// What a webhook about a refund or a dispute writes to, and how.
const REVERSAL: [(&str, &str); 8] = [
    ("webhooks", "INSERT"),
    ("payments", "INSERT"),
    ("reversals", "INSERT"),
    ("balances", "UPDATE"),
    ("letters", "INSERT"),
    ("payments", "UPDATE"),
    ("reversals", "UPDATE"),
    ("transfers", "INSERT"),
];

/// What a webhook changes.
const STATE: [&str; 7] = [
    "SELECT id || ' ' || kind FROM webhooks ORDER BY 1",
    "SELECT id || ' ' || state || ' ' || CAST(credited AS text) || ' ' || CAST(taken AS text) FROM payments ORDER BY 1",
    "SELECT processor_id || ' ' || state || ' ' || CAST(movements AS text) FROM reversals ORDER BY 1",
    "SELECT CAST(available AS text) || ' ' || CAST(debt AS text) FROM balances ORDER BY 1",
    "SELECT id || ' ' || state FROM top_ups ORDER BY 1",
    "SELECT kind FROM letters ORDER BY 1",
    "SELECT id || ' ' || CAST(amount AS text) FROM transfers ORDER BY 1",
];

struct Broken<'s>(&'s Server);

impl Broken<'_> {
    async fn execute(&self, statements: &[String]) {
        let mut connection = self.0.connect().await;
        for statement in statements {
            sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut connection).await.unwrap();
        }
    }

    async fn state(&self) -> Vec<String> {
        let mut connection = self.0.connect().await;
        let mut state = Vec::new();
        for query in STATE {
            let rows = sqlx::query(query).fetch_all(&mut connection).await.unwrap();
            state.extend(rows.iter().map(|row| row.get::<String, _>(0)));
            state.push(String::new());
        }
        state
    }

    /// Sends a webhook with each of its writes broken in turn, and at last with none.
    async fn survive(&self, webhook: &Webhook, writes: &[(&str, &str)]) {
        let before = self.state().await;
        for (table, write) in writes {
            let (on, off) = trigger(table, write);
            self.execute(&on).await;
            let reply = webhook.send(self.0).await;
            self.execute(&off).await;
            reply.problem(503);
            let after = self.state().await;
            assert_eq!(after, before, "something is left of a webhook that broke at {write} {table}");
        }
        assert_eq!(webhook.send(self.0).await.status, 204);
    }
}

fn trigger(table: &str, write: &str) -> (Vec<String>, Vec<String>) {
    if on_postgres() {
        let function = "CREATE OR REPLACE FUNCTION boom() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'boom'; END; $$ \
                        LANGUAGE plpgsql";
        let on = format!("CREATE TRIGGER boom BEFORE {write} ON {table} FOR EACH ROW EXECUTE FUNCTION boom()");
        return (vec![function.to_owned(), on], vec![format!("DROP TRIGGER boom ON {table}")]);
    }
    let on = format!("CREATE TRIGGER boom BEFORE {write} ON {table} BEGIN SELECT RAISE(ABORT, 'boom'); END");
    (vec![on], vec!["DROP TRIGGER boom".to_owned()])
}

#[tokio::test]
async fn a_webhook_that_breaks_at_any_statement_leaves_nothing_behind_and_is_done_by_the_next_try() {
    let dodo = Dodo::start().await;
    let mut server = dodo.server(0).await;
    let top_up = asked(&server.account, 500).await;
    let payment = dodo.payment(&top_up, (500, 0), "succeeded");
    let webhook = dodo.webhook("payment.succeeded", &payment, 0);
    Broken(&server).survive(&webhook, &PAYMENT).await;
    assert_eq!(server.account.balance().await, (bought(500), 0));

    let refund = dodo.refund(&payment, Some(100), "succeeded");
    Broken(&server).survive(&dodo.webhook("refund.succeeded", &refund, 0), &REVERSAL).await;
    assert_eq!(server.account.balance().await, (bought(400), 0));

    let (_, payment) = paid(&dodo, &server, &server.account, 500).await;
    let dispute = dodo.dispute(&payment, "lost");
    Broken(&server).survive(&dodo.webhook("dispute.lost", &dispute, 0), &REVERSAL).await;
    assert_eq!(server.account.balance().await, (bought(400), 0));
    server.stop();
    server.verify_ledger();
}
