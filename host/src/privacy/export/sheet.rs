//! How a table is told to whom it is about: which of its columns, under which names, and each row as JSON and as CSV.

use std::borrow::Cow;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::clock::Micros;
use crate::csv;
use crate::db::DbError;
use crate::db::told::{self, Cell};
use crate::ids::{AccountId, RequestId};
use crate::packed;
use crate::privacy::map::{Category, Column, Field, Form, Inside, Seal, Table};
use crate::vault::{DataKey, Place};

/// A table, as it is told.
pub(super) struct Sheet {
    pub table: &'static Table,
    /// The columns that are told as they are.
    columns: Vec<&'static Column>,
    /// A column of which each item is a row of its own.
    packed: Option<(&'static Column, &'static [Field])>,
    /// The columns that have to be read for that, and to read on behind a row.
    pub read: Vec<&'static str>,
    /// Where among them the columns are that the rows are ordered by.
    order: Vec<usize>,
}

/// How a row is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    JsonLines,
    Csv,
}

/// What opens the account's sealed values.
#[derive(Clone)]
pub(super) struct Opener {
    pub account: AccountId,
    pub data_key: DataKey,
}

/// A value on its way out.
enum Told<'v> {
    Null,
    Flag(bool),
    Number(i64),
    Text(Cow<'v, str>),
    /// Text that is JSON.
    Json(Cow<'v, str>),
}

impl Sheet {
    /// How a table is told; nothing when it holds nothing that may be.
    pub(super) fn of(table: &'static Table) -> Option<Self> {
        let packed = table.columns.iter().find_map(|column| Some((column, fields(column.form)?)));
        let is_told = |column: &&Column| {
            let is_secret = matches!(column.form, Form::Secret | Form::Bytes);
            !is_secret && fields(column.form).is_none() && column.category.is_some()
        };
        let beside = || table.beside.iter().flat_map(|beside| beside.columns);
        let mut columns: Vec<_> = beside().chain(table.columns).filter(is_told).collect();
        if columns.is_empty() && packed.is_none() {
            return None;
        }
        let order = told::order(table);
        if packed.is_none() {
            // What tells two rows apart is told too, unless it is what nobody may know.
            let of_key = |column: &&Column| order.contains(&column.name) && !matches!(column.form, Form::Secret);
            columns = beside().chain(table.columns).filter(|column| is_told(column) || of_key(column)).collect();
        }
        let mut read: Vec<_> = columns.iter().map(|column| column.name).collect();
        let mut needs = |name: &'static str| {
            read.iter().position(|known| *known == name).unwrap_or_else(|| {
                read.push(name);
                read.len() - 1
            })
        };
        for column in columns.iter().chain(packed.as_ref().map(|(column, _)| column)) {
            needs(column.name);
            if let Form::Sealed(seal) = column.form {
                needs(seal.row);
                seal.number.map(&mut needs);
            }
        }
        let order = order.into_iter().map(needs).collect();
        Some(Self { table, columns, packed, read, order })
    }

    /// Whether its rows are parts of files.
    pub(super) fn is_of_files(&self) -> bool {
        self.table.columns.iter().any(|column| column.form == Form::Bytes && column.category.is_some())
    }

    /// What a row is read on behind.
    pub(super) fn place_of(&self, row: &[Cell]) -> Vec<Cell> {
        self.order.iter().map(|column| row[*column].clone()).collect()
    }

    /// The columns as they are told: name, form and what it is.
    fn told(&self) -> impl Iterator<Item = (&'static str, Form, Option<Category>)> {
        let packed = self
            .packed
            .iter()
            .flat_map(|(column, fields)| fields.iter().map(|field| (field.name, field.form, column.category)));
        self.columns.iter().map(|column| (name(column), column.form, column.category)).chain(packed)
    }

    /// The first line of a file.
    pub(super) fn head(&self, format: Format) -> Vec<u8> {
        match format {
            Format::JsonLines => Vec::new(),
            Format::Csv => {
                let names: Vec<_> = self.told().map(|(name, ..)| csv::Cell::Text(name)).collect();
                csv::line(&names).into_bytes()
            }
        }
    }

    /// The JSON Schema of its rows.
    pub(super) fn schema(&self, kept: &str) -> Value {
        let mut properties = Map::new();
        for (name, form, category) in self.told() {
            let mut property = match form {
                Form::Number => json!({"type": ["integer", "null"]}),
                Form::Flag => json!({"type": ["boolean", "null"]}),
                Form::Time => json!({"type": ["string", "null"], "format": "date-time"}),
                Form::Json | Form::Sealed(Seal { inside: Inside::Json, .. }) => json!({}),
                _ => json!({"type": ["string", "null"]}),
            };
            if let Some(category) = category {
                property["x-category"] = json!(category);
                property["x-source"] = json!(category.source());
            }
            properties.insert(name.to_owned(), property);
        }
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": self.table.name,
            "description": format!("Each row is {}.", self.table.holds),
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
            "x-purpose": self.table.purpose.words(),
            "x-legal-basis": self.table.purpose.basis(),
            "x-kept": kept,
        })
    }

    /// Writes what a row of the table says, and returns how many rows that are.
    pub(super) fn write(
        &self,
        format: Format,
        row: &[Cell],
        opener: &Opener,
        out: &mut Vec<u8>,
    ) -> Result<u64, DbError> {
        let cell = |name: &str| self.read.iter().position(|known| *known == name).map_or(&Cell::Null, |at| &row[at]);
        let mut told = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            told.push((name(column), value(column.form, cell(column.name), &cell, opener)?));
        }
        let Some((packed, fields)) = self.packed else {
            write(format, &told, out)?;
            return Ok(1);
        };
        let text = match value(packed.form, cell(packed.name), &cell, opener)? {
            Told::Json(text) => text,
            _ => return Ok(0),
        };
        let items: Vec<&RawValue> = serde_json::from_str(&text).map_err(DbError::corrupt)?;
        let own = told.len();
        for item in &items {
            told.truncate(own);
            unpack(item.get(), fields, &mut told)?;
            write(format, &told, out)?;
        }
        Ok(items.len() as u64)
    }
}

/// What a column is called outside of the database, where nothing is sealed.
fn name(column: &Column) -> &'static str {
    column.name.strip_prefix("sealed_").unwrap_or(column.name)
}

/// The fields of a column whose items are rows.
fn fields(form: Form) -> Option<&'static [Field]> {
    match form {
        Form::Rows(fields) | Form::Sealed(Seal { inside: Inside::Rows(fields), .. }) => Some(fields),
        _ => None,
    }
}

/// The value of a column, opened where it is sealed.
fn value<'v>(form: Form, cell: &'v Cell, of: &impl Fn(&str) -> &'v Cell, opener: &Opener) -> Result<Told<'v>, DbError> {
    Ok(match (form, cell) {
        (_, Cell::Null) => Told::Null,
        // What was kept long enough is forgotten, and leaves nothing.
        (Form::Sealed(_), Cell::Bytes(sealed)) if sealed.is_empty() => Told::Null,
        (Form::Sealed(seal), Cell::Bytes(sealed)) => {
            let text = opener.open(seal, of, sealed)?.into();
            if seal.inside == Inside::Text { Told::Text(text) } else { Told::Json(text) }
        }
        (Form::Flag, Cell::Number(number)) => Told::Flag(*number != 0),
        (Form::Time, Cell::Number(number)) => Told::Text(Micros(*number).rfc3339().into()),
        (_, Cell::Number(number)) => Told::Number(*number),
        (Form::Json | Form::Rows(_), Cell::Text(text)) => Told::Json(text.into()),
        (_, Cell::Text(text)) => Told::Text(text.into()),
        (_, Cell::Bytes(bytes)) => Told::Text(hex::encode(bytes).into()),
    })
}

impl Opener {
    fn open<'v>(&self, seal: Seal, of: &impl Fn(&str) -> &'v Cell, sealed: &[u8]) -> Result<String, DbError> {
        let text = |cell: &Cell| match cell {
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
            Cell::Null | Cell::Bytes(_) => String::new(),
        };
        let row = text(of(seal.row));
        let name = match seal.number {
            Some(number) => Cow::from(format!("{} {}", seal.name, text(of(number)))),
            None => Cow::from(seal.name),
        };
        let place = Place { account: self.account, table: seal.table, row: &row };
        let opened = self.data_key.row(place).and_then(|row| row.open(&name, sealed));
        let text = packed::unpack(opened.map_err(DbError::sealed(seal.table))?).map_err(DbError::corrupt)?;
        String::from_utf8(text).map_err(DbError::corrupt)
    }
}

/// The fields of an item, which is an object with their names, or an array with their places.
fn unpack<'v>(
    item: &'v str,
    fields: &'static [Field],
    told: &mut Vec<(&'static str, Told<'v>)>,
) -> Result<(), DbError> {
    if item.starts_with('[') {
        let values: Vec<&RawValue> = serde_json::from_str(item).map_err(DbError::corrupt)?;
        told.extend(fields.iter().map(|field| (field.name, unpacked(*field, values.get(field.place).copied()))));
        return Ok(());
    }
    let values: std::collections::HashMap<Cow<'v, str>, &RawValue> =
        serde_json::from_str(item).map_err(DbError::corrupt)?;
    told.extend(fields.iter().map(|field| (field.name, unpacked(*field, values.get(field.name).copied()))));
    Ok(())
}

fn unpacked(field: Field, value: Option<&RawValue>) -> Told<'_> {
    let Some(json) = value.map(RawValue::get) else { return Told::Null };
    let text = || serde_json::from_str::<Cow<'_, str>>(json).ok();
    match field.form {
        // The only ids here are those of requests.
        Form::Time => text()
            .and_then(|id| id.parse::<RequestId>().ok())
            .map_or(Told::Null, |id| Told::Text(id.made_at().rfc3339().into())),
        Form::Number => json.parse().map_or(Told::Null, Told::Number),
        Form::Text => text().map_or(Told::Null, Told::Text),
        _ => Told::Json(json.into()),
    }
}

fn write(format: Format, row: &[(&'static str, Told<'_>)], out: &mut Vec<u8>) -> Result<(), DbError> {
    match format {
        Format::JsonLines => write_json(row, out).map_err(DbError::corrupt),
        Format::Csv => {
            let cells: Vec<_> = row
                .iter()
                .map(|(_, value)| match value {
                    Told::Null => csv::Cell::Text(""),
                    Told::Flag(flag) => csv::Cell::Text(if *flag { "true" } else { "false" }),
                    Told::Number(number) => csv::Cell::Number(*number),
                    Told::Text(text) | Told::Json(text) => csv::Cell::Text(text),
                })
                .collect();
            out.extend_from_slice(csv::line(&cells).as_bytes());
            Ok(())
        }
    }
}

fn write_json(row: &[(&'static str, Told<'_>)], out: &mut Vec<u8>) -> serde_json::Result<()> {
    for (place, (name, value)) in row.iter().enumerate() {
        out.push(if place == 0 { b'{' } else { b',' });
        serde_json::to_writer(&mut *out, name)?;
        out.push(b':');
        match value {
            Told::Null => out.extend_from_slice(b"null"),
            Told::Flag(flag) => serde_json::to_writer(&mut *out, flag)?,
            Told::Number(number) => serde_json::to_writer(&mut *out, number)?,
            Told::Text(text) => serde_json::to_writer(&mut *out, text)?,
            Told::Json(text) => out.extend_from_slice(one_line(text).as_bytes()),
        }
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}

/// JSON as its author wrote it may have line breaks between its tokens, and nowhere else.
fn one_line(json: &str) -> Cow<'_, str> {
    if json.contains(['\n', '\r']) { json.replace(['\n', '\r'], " ").into() } else { json.into() }
}
