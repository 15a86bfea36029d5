//! Builds a Rust agent: cargo to a core module, then the module to a component in this process.
//!
//! The target is `wasm32-unknown-unknown`. Where the caller's toolchain has it, plain cargo does.
//! Where it has not, Debian's `rustc-web` comes in, a second compiler that brings the sources of the
//! standard library; cargo then builds that library too, once a target folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use wit_component::ComponentEncoder;

use super::{Component, Error, Progress, checked_name, tool};
use crate::names::Name;

const TARGET: &str = "wasm32-unknown-unknown";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_PACKAGES: &str = "rustc-web rust-web-src libstd-rust-web-dev";

/// Builds the package in a folder with its release profile.
pub fn build(project: &Path, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Component, Error> {
    let manifest = project.join("Cargo.toml");
    let name = package_name(&manifest)?;
    progress(Progress::Step("looking for a compiler to WebAssembly"));
    let toolchain = Toolchain::find(project)?;
    progress(Progress::Step(&format!("compiling {name} with {}", toolchain.rustc_version)));
    let mut cargo = toolchain.cargo(project);
    cargo
        .args(["build", "--release", "--lib", "--target", TARGET])
        .args(["--message-format", "json-render-diagnostics"])
        .arg("--manifest-path")
        .arg(&manifest);
    let messages = tool::run(&mut cargo, true, progress)?;
    let module = module_path(&messages, &manifest)?;
    progress(Progress::Step("making a component of the module"));
    let bytes = fs::read(&module).map_err(Error::io(&module))?;
    Ok(Component { name, bytes: encode(&bytes)? })
}

#[derive(Deserialize)]
struct Manifest {
    package: Option<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

fn package_name(path: &Path) -> Result<Name, Error> {
    let text = fs::read_to_string(path).map_err(Error::io(path))?;
    let manifest: Manifest =
        toml::from_str(&text).map_err(|error| Error::Project { path: path.to_owned(), reason: error.to_string() })?;
    let Some(package) = manifest.package else {
        let reason = "a workspace without a package; name the folder of the agent".into();
        return Err(Error::Project { path: path.to_owned(), reason });
    };
    checked_name(Some(&package.name), path)
}

/// A compiler that can make WebAssembly, and what has to be said to cargo for it to do so.
struct Toolchain {
    rustc_version: String,
    /// Another compiler than the one that cargo would take.
    rustc: Option<PathBuf>,
    /// The standard library comes as source.
    build_std: bool,
    /// The linker, where the compiler does not bring it.
    linker: Option<PathBuf>,
}

impl Toolchain {
    fn find(project: &Path) -> Result<Self, Error> {
        if tool::on_path("cargo").is_none() {
            let packages = format!("cargo-web {DEBIAN_PACKAGES}");
            let install = tool::debian_or(&packages, "curl -sSf https://sh.rustup.rs | sh");
            return Err(Error::Missing { what: "Rust's cargo".into(), install });
        }
        let chosen = Compiler::probe(Path::new("rustc"), project);
        if let Some(compiler) = chosen.as_ref().filter(|compiler| compiler.has_target()) {
            return Ok(Self { rustc_version: compiler.version.clone(), rustc: None, build_std: false, linker: None });
        }
        let debian = Compiler::probe(Path::new(DEBIAN_RUSTC), project);
        match debian.filter(|compiler| compiler.has_target() || compiler.has_source()) {
            Some(compiler) => Self::debian(&compiler, chosen.as_ref()),
            None => Err(Error::Missing { what: format!("the Rust target {TARGET}"), install: target_install() }),
        }
    }

    fn debian(compiler: &Compiler, chosen: Option<&Compiler>) -> Result<Self, Error> {
        let linker = compiler
            .linker()
            .or_else(|| chosen.and_then(Compiler::linker))
            .or_else(|| tool::on_path("rust-lld"))
            .or_else(|| tool::on_path("wasm-ld"));
        let Some(linker) = linker else {
            let install = tool::debian_install(&format!("lld {DEBIAN_PACKAGES}"));
            return Err(Error::Missing { what: "a linker for WebAssembly".into(), install });
        };
        Ok(Self {
            rustc_version: compiler.version.clone(),
            rustc: Some(DEBIAN_RUSTC.into()),
            build_std: !compiler.has_target(),
            linker: Some(linker),
        })
    }

    /// Cargo in the project's folder, so that its `rust-toolchain.toml` and `.cargo` hold, with the
    /// caller's environment.
    fn cargo(&self, project: &Path) -> Command {
        let mut cargo = Command::new("cargo");
        cargo.current_dir(project);
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
            // Wrappers and flags were chosen for the caller's compiler.
            cargo.env_remove("RUSTC_WRAPPER").env_remove("RUSTC_WORKSPACE_WRAPPER");
        }
        if let Some(linker) = &self.linker {
            cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
        if self.build_std {
            // Debian's compiler is a stable one, and building the standard library is not stable.
            cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
        }
        // Two compilers in one target folder build everything anew at each change between them;
        // the caller may say otherwise.
        if env::var_os("CARGO_TARGET_DIR").is_none() {
            cargo.env("CARGO_TARGET_DIR", project.join("target"));
        }
        // Output goes through a pipe, where cargo would drop its colours and keep to plain lines.
        cargo.env("CARGO_TERM_PROGRESS_WHEN", "never");
        cargo
    }
}

/// One command, whatever of the two there is: rustup where it has the target, Debian where not.
fn target_install() -> String {
    let rustup = format!("rustup target add {TARGET}");
    let debian = tool::debian_install(DEBIAN_PACKAGES);
    match (tool::on_path("rustup"), tool::on_path("apt-get")) {
        (Some(_), Some(_)) => format!("{rustup} || ({debian})"),
        (None, Some(_)) => debian,
        _ => rustup,
    }
}

/// What a compiler says of itself.
struct Compiler {
    version: String,
    sysroot: PathBuf,
}

impl Compiler {
    fn probe(rustc: &Path, project: &Path) -> Option<Self> {
        let ask = |arguments: &[&str]| tool::printed(Command::new(rustc).args(arguments).current_dir(project));
        Some(Self { version: ask(&["--version"])?, sysroot: ask(&["--print", "sysroot"])?.into() })
    }

    fn has_target(&self) -> bool {
        self.rustlib().join(TARGET).join("lib").is_dir()
    }

    fn has_source(&self) -> bool {
        self.rustlib().join("src/rust/library/Cargo.lock").is_file()
    }

    /// `rust-lld` lies under the triple of the host; a sysroot has one such folder with programs.
    fn linker(&self) -> Option<PathBuf> {
        let folders = fs::read_dir(self.rustlib()).ok()?;
        folders.flatten().map(|entry| entry.path().join("bin/rust-lld")).find(|it| it.is_file())
    }

    fn rustlib(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib")
    }
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Where cargo says that it left the package's own module.
fn module_path(messages: &[u8], manifest: &Path) -> Result<PathBuf, Error> {
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact" && message.manifest_path == manifest)
        .flat_map(|message| message.filenames)
        .find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
        .ok_or_else(|| Error::Project {
            path: manifest.to_owned(),
            reason: "the library is no `cdylib`; add `[lib] crate-type = [\"cdylib\", \"rlib\"]`".into(),
        })
}

fn encode(module: &[u8]) -> Result<Vec<u8>, Error> {
    ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| Error::NotAgent { reason: format!("{error:#}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_the_one_that_cargo_names_for_this_package() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","manifest_path":"/b/Cargo.toml","filenames":["/t/b.wasm"]}"#,
            "\nnoise\n",
            r#"{"reason":"compiler-artifact","manifest_path":"/a/Cargo.toml","filenames":["/t/a.rlib","/t/a.wasm"]}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let found = module_path(messages.as_bytes(), Path::new("/a/Cargo.toml")).unwrap();
        assert_eq!(found, Path::new("/t/a.wasm"));
        let none = module_path(b"", Path::new("/a/Cargo.toml")).unwrap_err().to_string();
        assert!(none.contains("cdylib"), "{none}");
    }

    #[test]
    fn a_workspace_without_a_package_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join("Cargo.toml");
        fs::write(&manifest, "[workspace]\nmembers = []\n").unwrap();
        let refused = package_name(&manifest).unwrap_err().to_string();
        assert!(refused.contains("name the folder of the agent"), "{refused}");
    }
}
