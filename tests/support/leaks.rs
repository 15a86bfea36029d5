//! Looks for secrets wherever a host leaves bytes.

use std::path::Path;

use sqlx::{Connection as _, Row as _};

use super::probe::forms;
use super::{Server, server};

/// Stops the server, and fails when a secret, in any form that it is looked for in, is in what its clients were told, in
/// what it said, in a file of its folder, or in a row of its database.
pub async fn assert_nowhere(server: &mut Server, told: &str, secrets: &[&str]) {
    server.stop();
    let mut places = vec![
        ("what clients were told".to_owned(), told.as_bytes().to_vec()),
        ("the server's log".to_owned(), server.said().into_bytes()),
    ];
    files(&server.data(), &mut places);
    if server::on_postgres() {
        places.extend(rows(&server.database_url()).await);
    }
    assert!(places.len() > 4, "there is nothing to look at");
    for form in secrets.iter().flat_map(|secret| forms(secret)) {
        for (place, bytes) in &places {
            assert!(!bytes.windows(form.len()).any(|window| window == form.as_bytes()), "{form} is in {place}");
        }
    }
}

fn files(folder: &Path, places: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            files(&path, places);
        } else {
            places.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

/// Every row of every table as text, in which bytes are hexadecimal digits, and as the bytes that the digits mean.
async fn rows(url: &str) -> Vec<(String, Vec<u8>)> {
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
    let mut found = Vec::new();
    for table in sqlx::query(tables).fetch_all(&mut connection).await.unwrap() {
        let table: String = table.get(0);
        // The component's bytes are the author's own, and many.
        if table == "component_chunks" {
            continue;
        }
        let query = format!("SELECT t::text FROM \"{table}\" t");
        for row in sqlx::query(sqlx::AssertSqlSafe(query)).fetch_all(&mut connection).await.unwrap() {
            let text: String = row.get(0);
            let digits = text.split("\\x").skip(1).map(|rest| rest.split(|c: char| !c.is_ascii_hexdigit()).next());
            let bytes = digits.flatten().filter_map(|digits| hex::decode(digits).ok());
            found.extend(bytes.map(|bytes| (format!("table {table}"), bytes)));
            found.push((format!("table {table}"), text.into_bytes()));
        }
    }
    found
}
