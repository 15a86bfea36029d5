//! Standard output and standard error: answers go to the one, what a person wants to know besides to the other.

use std::fmt::Display;
use std::io::{ErrorKind, Write as _};

/// Prints a line of the answer.
pub(super) fn line(text: impl Display) {
    part(format_args!("{text}\n"));
}

/// Prints a part of the answer. Ends quietly when nobody reads it any more, as `| head` does.
pub(super) fn part(text: impl Display) {
    let mut stdout = std::io::stdout();
    if let Err(error) = write!(stdout, "{text}").and_then(|()| stdout.flush()) {
        // A reader that has left wants nothing more; any other error leaves nowhere to say so but the status.
        std::process::exit(i32::from(error.kind() != ErrorKind::BrokenPipe));
    }
}

/// Says why a command failed: each cause once, since many an error repeats its own cause in its text.
pub(super) fn failure(error: &anyhow::Error) {
    note(format_args!("aaasp: {}", causes(error)));
}

fn causes(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Prints a line for a person, beside the answer.
pub(super) fn note(text: impl Display) {
    // When nobody hears it, the answer is still worth giving.
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_said_once() {
        let error = anyhow::anyhow!("no such file").context("a.wasm: no such file").context("can't read");
        assert_eq!(causes(&error), "can't read: a.wasm: no such file");
    }
}
