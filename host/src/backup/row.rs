//! A row as a line of JSON: an array of its values. Bytes are an object, `{"base64": "…"}`.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::db::told::Cell;

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Value {
    Null,
    Number(i64),
    Text(String),
    Bytes { base64: String },
}

impl From<Cell> for Value {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Number(number) => Self::Number(number),
            Cell::Text(text) => Self::Text(text),
            Cell::Bytes(bytes) => Self::Bytes { base64: STANDARD.encode(bytes) },
        }
    }
}

/// Adds a row to a text.
pub(super) fn write(row: Vec<Cell>, text: &mut Vec<u8>) -> serde_json::Result<()> {
    let row: Vec<_> = row.into_iter().map(Value::from).collect();
    serde_json::to_writer(&mut *text, &row)?;
    text.write_all(b"\n").map_err(serde_json::Error::io)
}

/// Reads a row.
pub(super) fn read(line: &[u8]) -> Result<Vec<Cell>, String> {
    let row: Vec<Value> = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    row.into_iter()
        .map(|value| {
            Ok(match value {
                Value::Null => Cell::Null,
                Value::Number(number) => Cell::Number(number),
                Value::Text(text) => Cell::Text(text),
                Value::Bytes { base64 } => {
                    Cell::Bytes(STANDARD.decode(base64).map_err(|error| format!("bytes that are no base64: {error}"))?)
                }
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells() -> impl Strategy<Value = Vec<Cell>> {
        let cell = prop_oneof![
            Just(Cell::Null),
            any::<i64>().prop_map(Cell::Number),
            any::<String>().prop_map(Cell::Text),
            any::<Vec<u8>>().prop_map(Cell::Bytes),
        ];
        proptest::collection::vec(cell, 0..8)
    }

    proptest! {
        #[test]
        fn a_row_is_read_as_it_was_written(row in cells()) {
            let mut text = Vec::new();
            write(row.clone(), &mut text).unwrap();
            prop_assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert_eq!(read(&text).unwrap(), row);
        }
    }
}
