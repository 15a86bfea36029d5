//! Friendly components: those of `tests/guests`, and some that are written on the spot.

use std::path::Path;

use super::hostile::{agent, agent_with_lines};

/// Returns its input.
pub fn echo() -> Vec<u8> {
    read("echo")
}

/// Logs as many lines as its input says, and returns `"hello"`.
pub fn greet() -> Vec<u8> {
    read("greet")
}

/// Logs `begun`, waits for as many milliseconds as its input says, and logs `ended`.
pub fn slow() -> Vec<u8> {
    read("slow")
}

/// Fails as its input says: 0 is `invalid-input`, 1 `retryable`, 2 `failed`.
pub fn fail() -> Vec<u8> {
    read("fail")
}

/// Divides by zero in a function `inner`.
pub fn trap() -> Vec<u8> {
    read("trap")
}

/// The same, with the lines of `trap.wat` as its debug information.
pub fn trap_with_lines() -> Vec<u8> {
    agent_with_lines(&source("trap"), "trap.wat").into()
}

/// Answers every input with this text, which should be JSON: components that differ in nothing else.
pub fn saying(answer: &str) -> Vec<u8> {
    let body = format!(
        r#"{data} {result}
           (func (export "aaasp:agent/handler@0.1.0#run") (param i32 i32) (result i32) (i32.const 2048))"#,
        data = data(1024, answer.as_bytes()),
        result = data(2048, &[0_u32, 1024, answer.len() as u32].map(u32::to_le_bytes).concat()),
    );
    agent(&body).into()
}

/// Returns its input, which must fit this JSON Schema; asks for the capability `scratch`.
pub fn strict(schema: &str) -> Vec<u8> {
    assert!(schema.len() < 1_500, "the schema runs into what is behind it");
    let empty = [0_u32, 0];
    let words = [[2048, 6], empty, [1024, schema.len() as u32], empty, empty, empty, [2064, 1]];
    let manifest = words.concat().into_iter().flat_map(u32::to_le_bytes).collect::<Vec<_>>();
    let body = format!(
        r#"{schema} {name} {capability} {capabilities} {manifest} {echo}
           (func (export "aaasp:agent/handler@0.1.0#describe") (result i32) (i32.const 2080))"#,
        schema = data(1024, schema.as_bytes()),
        name = data(2048, b"strict"),
        capabilities = data(2064, &[2072_u32, 7].map(u32::to_le_bytes).concat()),
        capability = data(2072, b"scratch"),
        manifest = data(2080, &manifest),
        echo = source("echo"),
    );
    agent(&body).into()
}

/// Returns its input; its manifest asks for these.
pub fn asking(hosts: &[&str], credentials: &[&str], capabilities: &[&str]) -> Vec<u8> {
    // Texts from 1024 on, lists of them from 1536 on, the manifest at 2080.
    let (mut texts, mut lists, mut manifest) = (Vec::new(), Vec::new(), [0_u32; 14]);
    for (field, list) in [(8, hosts), (10, credentials), (12, capabilities)] {
        manifest[field] = 1536 + 4 * lists.len() as u32;
        manifest[field + 1] = list.len() as u32;
        for text in list {
            lists.extend([1024 + texts.len() as u32, text.len() as u32]);
            texts.extend_from_slice(text.as_bytes());
        }
    }
    let bytes = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>();
    let body = format!(
        r#"{texts} {lists} {manifest} {echo}
           (func (export "aaasp:agent/handler@0.1.0#describe") (result i32) (i32.const 2080))"#,
        texts = data(1024, &texts),
        lists = data(1536, &bytes(&lists)),
        manifest = data(2080, &bytes(&manifest)),
        echo = source("echo"),
    );
    agent(&body).into()
}

fn data(at: usize, bytes: &[u8]) -> String {
    let text: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const {at}) \"{text}\")")
}

fn read(name: &str) -> Vec<u8> {
    let mut body = source(name);
    if body.contains("(call $number") {
        body.push_str(&source("number"));
    }
    agent(&body).into()
}

fn source(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests").join(format!("{name}.wat"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
