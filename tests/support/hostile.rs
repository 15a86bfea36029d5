//! Makes components of the hostile guests in `plugins/hostile`.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bytes::Bytes;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

static CONTRACT: LazyLock<(Resolve, PackageId)> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(root().join("wit")).unwrap();
    (resolve, package)
});

/// The component of the guest in `plugins/hostile/<name>.wat`.
pub fn component(name: &str) -> Bytes {
    let body = read(name);
    if body.trim_start().starts_with("(component") {
        return wat::parse_str(body).unwrap().into();
    }
    if body.contains("\n(module") {
        encode(&wat::parse_str(body).unwrap_or_else(|error| panic!("{error}")), "wasi:cli/command")
    } else {
        agent(&body)
    }
}

/// An agent of the body of a core module: the prelude supplies what it leaves out.
pub fn agent(body: &str) -> Bytes {
    encode(&wat::parse_str(assembled(body)).unwrap_or_else(|error| panic!("{error}")), "aaasp:agent/agent")
}

/// The same, with debug information: the places of a file of this name, whose first line is the body's.
pub fn agent_with_lines(body: &str, file: &str) -> Bytes {
    let mut parser = wat::Parser::new();
    let module = parser.generate_dwarf(wat::GenerateDwarf::Lines).parse_str(Some(Path::new(file)), assembled(body));
    encode(&module.unwrap_or_else(|error| panic!("{error}")), "aaasp:agent/agent")
}

fn assembled(body: &str) -> String {
    let mut text = format!("(module {body}\n{}", read("prelude"));
    if !body.contains("#describe\"") {
        text.push_str(&read("describe"));
    }
    if body.contains("(export \"memory\"") {
        text = text.replace("(memory (export \"memory\") 2)", "");
    }
    text.push(')');
    text
}

fn encode(module: &[u8], world: &str) -> Bytes {
    let mut module = module.to_vec();
    let (resolve, package) = &*CONTRACT;
    let world = resolve.select_world(&[*package], Some(world)).unwrap();
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap().into()
}

fn read(name: &str) -> String {
    let path = root().join("plugins/hostile").join(format!("{name}.wat"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}
