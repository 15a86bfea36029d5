//! Components that were not written for us: the examples that the crate `wasip2` is published with,
//! built where they lie, unchanged.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::Value;
use wit_component::ComponentEncoder;

/// What is built, and by whom it was written.
const CRATE: &str = "wasip2";
const VERSION: &str = "=1.0.4";
const EXAMPLES: [&str; 2] = ["cli-command-no_std", "http-proxy-no_std"];
const TARGET: &str = "wasm32-unknown-unknown";
/// Debian's compiler, for machines on which rustup can't fetch the target (`cargo xtask setup`).
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// The component of one of the examples.
pub fn component(example: &str) -> Bytes {
    static MODULES: LazyLock<PathBuf> = LazyLock::new(build);
    let module = std::fs::read(MODULES.join(format!("{}.wasm", example.replace('-', "_")))).unwrap();
    ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap().into()
}

/// Builds the examples in a package of their own, and returns the folder of their modules.
fn build() -> PathBuf {
    let folder = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("foreign");
    std::fs::create_dir_all(folder.join("src")).unwrap();
    // Each test is a process of its own, and all of them build here.
    let lock = std::fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    std::fs::write(folder.join("src/lib.rs"), "//! Nothing of our own.\n").unwrap();
    let manifest = format!(
        "[workspace]\n[package]\nname = \"foreign\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
         [dependencies]\n{CRATE} = \"{VERSION}\"\n"
    );
    std::fs::write(folder.join("Cargo.toml"), &manifest).unwrap();
    let source = source(&folder);
    let examples = EXAMPLES.map(|name| {
        let path = source.join("examples").join(format!("{name}.rs"));
        format!("[[example]]\nname = \"{name}\"\ncrate-type = [\"cdylib\"]\npath = {path:?}\n")
    });
    std::fs::write(folder.join("Cargo.toml"), manifest + &examples.concat()).unwrap();
    printed(cargo(&folder).args(["build", "--quiet", "--release", "--examples", "--target", TARGET]));
    folder.join("target").join(TARGET).join("release/examples")
}

/// Where cargo keeps the crate's source.
fn source(folder: &Path) -> PathBuf {
    let metadata = printed(Command::new("cargo").current_dir(folder).args(["metadata", "--format-version", "1"]));
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == CRATE).unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_path_buf()
}

/// Cargo with whichever compiler has the target.
fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder).env("CARGO_TARGET_DIR", folder.join("target"));
    let sysroot = printed(Command::new("rustc").args(["--print", "sysroot"]));
    let rustlib = Path::new(std::str::from_utf8(&sysroot).unwrap().trim()).join("lib/rustlib");
    if !rustlib.join(TARGET).join("lib").is_dir() {
        let linker = std::fs::read_dir(&rustlib)
            .unwrap()
            .map(|entry| entry.unwrap().path().join("bin/rust-lld"))
            .find(|path| path.is_file())
            .expect("the toolchain has no rust-lld");
        cargo.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    cargo
}

fn printed(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}; `cargo xtask setup` installs the compiler");
    output.stdout
}
