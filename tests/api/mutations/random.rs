//! A small generator of numbers that are the same on every machine (xorshift64*, Vigna 2016).

use serde_json::{Map, Value, json};

pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // Seeds that differ little begin alike.
        for _ in 0..8 {
            random.next();
        }
        random
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11
    }

    /// A number below `end`, or 0 when that is 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.next() as usize % end.max(1)
    }

    pub(super) fn of<'t, T>(&mut self, choices: &'t [T]) -> &'t T {
        &choices[self.below(choices.len())]
    }

    /// A text that somebody might not have thought of, without a character that HTTP itself refuses in a target.
    pub(super) fn odd_text(&mut self) -> String {
        let odd = [
            "",
            "%00",
            "%FF",
            "%",
            "%G1",
            "%2F",
            "%2e%2e",
            "..",
            ".",
            "0",
            "-1",
            "1.5",
            "NaN",
            "null",
            "true",
            "[]",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551615",
            "99999999999999999999",
            "1e400",
            "echo",
            "ECHO",
            "echo%20",
            "%F0%9F%A6%80",
            "%ED%A0%80",
            "'--",
            "a;b",
            "a&b=c",
            "=",
            "+",
            "~",
            "*",
            "$1",
            "run_01h455vb4pex5vsknk084sn02q",
            "run_81h455vb4pex5vsknk084sn02q",
            "acc_01h455vb4pex5vsknk084sn02q",
            "key_",
            "run_",
            "_",
        ];
        match self.below(10) {
            0 => "x".repeat(self.below(3_000)),
            1 => (0..self.below(12)).map(|_| format!("%{:02X}", self.below(256))).collect(),
            _ => (*self.of(&odd)).to_owned(),
        }
    }

    pub(super) fn odd_value(&mut self) -> Value {
        let odd = [
            Value::Null,
            json!(true),
            json!(0),
            json!(-1),
            json!(1.5),
            json!(1e300),
            json!(u64::MAX),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(""),
            json!("\u{0}"),
            json!("\u{202e}\u{1b}[2J"),
            json!("🦀"),
            json!("echo"),
            json!([]),
            json!([[[[]]]]),
            json!({}),
            json!({"": ""}),
            json!([1, "echo", null]),
        ];
        match self.below(10) {
            0 => Value::String("x".repeat(self.below(5_000))),
            1 => (0..self.below(100)).fold(json!(1), |inner, _| json!([inner])),
            _ => self.of(&odd).clone(),
        }
    }

    /// Changes one place of a document.
    pub(super) fn change(&mut self, value: &mut Value) {
        match value {
            Value::Object(fields) if !fields.is_empty() && self.below(4) > 0 => self.change_field(fields),
            Value::Array(values) if !values.is_empty() && self.below(4) > 0 => {
                let at = self.below(values.len());
                self.change(&mut values[at]);
            }
            other => *other = self.odd_value(),
        }
    }

    fn change_field(&mut self, fields: &mut Map<String, Value>) {
        let names: Vec<_> = fields.keys().cloned().collect();
        let name = self.of(&names).clone();
        match self.below(6) {
            0 => drop(fields.remove(&name)),
            1 => drop(fields.insert(self.odd_text(), self.odd_value())),
            2 => {
                let value = fields.remove(&name).unwrap_or_default();
                fields.insert(name.to_uppercase(), value);
            }
            _ => self.change(&mut fields[&name]),
        }
    }
}
