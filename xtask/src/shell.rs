//! Runs other programs and says which one failed, and how.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::interrupt;

/// A program without what `cargo run` tells us about our own package. Build scripts that watch such variables (ring's
/// does) would otherwise run again, and all that depends on them, whenever cargo is called from here and not by hand.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program with our own input and output; anything but exit status 0 is an error that shows the command.
pub fn run(command: &mut Command) -> Result<()> {
    let text = text(command);
    eprintln!("$ {text}");
    let status = command.status().with_context(|| format!("cannot start `{text}`"))?;
    interrupt::check()?;
    if status.success() { Ok(()) } else { bail!("`{text}` ended with {status}") }
}

/// Runs a program and returns what it wrote to standard output.
pub fn capture(command: &mut Command) -> Result<String> {
    let text = text(command);
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start `{text}`"))?;
    interrupt::check()?;
    if !output.status.success() {
        bail!("`{text}` ended with {}: {}", output.status, String::from_utf8_lossy(&output.stdout).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{text}` wrote no UTF-8"))
}

/// Runs a program and returns everything that it wrote, however it ended; `None` when there is no such program.
pub fn attempt(command: &mut Command) -> Option<Output> {
    command.stdin(Stdio::null()).output().ok()
}

/// Runs a program, ends it after `limit`, and says whether it succeeded in time.
pub fn succeeds_within(command: &mut Command, limit: Duration) -> bool {
    eprintln!("$ {}", text(command));
    let Ok(mut child) = command.stdin(Stdio::null()).spawn() else { return false };
    match wait_until(Instant::now() + limit, || child.try_wait().ok().flatten()) {
        Some(status) => status.success(),
        None => {
            stop(&mut child, "KILL");
            false
        }
    }
}

/// Sends a signal to a child and waits for its end: ten seconds, and then it is killed.
pub fn stop(child: &mut Child, signal: &str) {
    if matches!(child.try_wait(), Ok(Some(_))) {
        return;
    }
    let _ = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
    let ended = wait_until(Instant::now() + Duration::from_secs(10), || child.try_wait().ok().flatten());
    if ended.is_none() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Asks a few times a second until there is an answer or the deadline has passed.
pub fn wait_until<T>(deadline: Instant, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Where a program is on the `PATH`.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

/// Whether this process may install packages for the whole machine.
pub fn is_root() -> bool {
    attempt(Command::new("id").arg("-u")).is_some_and(|output| output.stdout.trim_ascii() == b"0")
}

/// A command as a person would type it.
fn text(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
