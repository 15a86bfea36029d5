//! Finds a toolchain's programs and runs them, each line that they print shown as it comes.

use std::collections::VecDeque;
use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;

use super::{Error, Progress};

/// Lines of a failed tool that its error repeats.
const LINES_KEPT: usize = 60;

/// The program of that name on the caller's PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The first of the folder and its parents that has `below` in it, completed to that file.
pub fn above(dir: &Path, below: &str) -> Option<PathBuf> {
    dir.ancestors().map(|folder| folder.join(below)).find(|file| file.is_file())
}

/// The install command of Debian where there is one, else that of everybody else.
pub fn debian_or(debian: &str, other: &str) -> String {
    if on_path("apt-get").is_some() { debian_install(debian) } else { other.into() }
}

/// What installs Debian packages, as whoever asks may run it. A fresh machine has no list of them yet.
pub fn debian_install(packages: &str) -> String {
    let sudo = if rustix::process::geteuid().is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get update && {sudo}apt-get install -y {packages}")
}

/// A path as it can be pasted into a shell.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// What a short command prints, or none when it can't be run or fails.
pub fn printed(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_owned())
}

/// Runs a command to its end: standard error is shown line by line, standard output is returned
/// when `keep_stdout`, else shown too.
pub fn run(command: &mut Command, keep_stdout: bool, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Vec<u8>, Error> {
    let tool = tool_name(command.get_program());
    let path = PathBuf::from(command.get_program());
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(Error::io(&path))?;
    let (lines, shown) = mpsc::channel::<String>();
    let stderr = child.stderr.take().map(|pipe| forward(pipe, lines.clone()));
    let stdout = child.stdout.take().map(|pipe| {
        let lines = lines.clone();
        thread::spawn(move || if keep_stdout { all(pipe) } else { each_line(pipe, &lines) })
    });
    drop(lines);
    let mut kept: VecDeque<String> = VecDeque::new();
    for line in shown {
        progress(Progress::Output(&line));
        if kept.len() == LINES_KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }
    let status = child.wait().map_err(Error::io(&path))?;
    if let Some(thread) = stderr {
        // Such a thread only copies bytes; one that died shows as missing lines, no more.
        let _ = thread.join();
    }
    let printed = stdout.and_then(|thread| thread.join().ok()).unwrap_or_default();
    if !status.success() {
        let output = kept.make_contiguous().join("\n");
        return Err(Error::Failed { tool, status: status.to_string(), output });
    }
    Ok(printed)
}

fn tool_name(program: &OsStr) -> String {
    let name = Path::new(program).file_name().unwrap_or(program);
    name.to_string_lossy().into_owned()
}

fn forward(pipe: impl Read + Send + 'static, lines: mpsc::Sender<String>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        each_line(pipe, &lines);
    })
}

fn all(mut pipe: impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What was read before an error is still the best that there is to show.
    let _ = pipe.read_to_end(&mut bytes);
    bytes
}

fn each_line(pipe: impl Read, lines: &mpsc::Sender<String>) -> Vec<u8> {
    for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
        if lines.send(line).is_err() {
            break;
        }
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_as_they_come_and_repeated_when_the_tool_fails() {
        let mut shown = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; exit 3"]);
        let failed = run(&mut command, false, &mut |progress| {
            if let Progress::Output(line) = progress {
                shown.push(line.to_owned());
            }
        });
        shown.sort();
        assert_eq!(shown, ["one", "two"]);
        match failed {
            Err(Error::Failed { tool, status, output }) => {
                assert_eq!(tool, "sh");
                assert!(status.contains('3'), "{status}");
                assert!(output.contains("one") && output.contains("two"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn standard_output_is_returned_whole_when_it_is_wanted() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two"]);
        assert_eq!(run(&mut command, true, &mut |_| {}).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn a_path_with_a_space_is_quoted_for_the_shell() {
        assert_eq!(quoted(Path::new("/a/b-c")), "/a/b-c");
        assert_eq!(quoted(Path::new("/a b/it's")), r"'/a b/it'\''s'");
    }
}
