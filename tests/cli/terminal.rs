//! A real terminal with a command in it, and somebody who reads what it shows and types.

use std::io::{Read as _, Write as _};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::termios::{LocalModes, tcgetattr};

use super::shell::Shell;

/// How long a person waits for what has to come on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a terminal sends when Ctrl-C is typed.
pub const CTRL_C: &str = "\u{3}";

/// A command that runs in a terminal.
pub struct Terminal {
    child: Child,
    keyboard: std::sync::Arc<Pty>,
    screen: Receiver<Vec<u8>>,
    shown: Vec<u8>,
    read: usize,
}

impl Terminal {
    /// Runs `aaasp` in a terminal that is so many columns wide.
    pub fn open(shell: &Shell, arguments: &[&str], columns: u16) -> Self {
        let (pty, pts) = open().unwrap();
        pty.resize(Size::new(24, columns)).unwrap();
        let mut command = shell.command(arguments);
        command.env("TERM", "xterm").env_remove("NO_COLOR");
        let child = Command::from(command).spawn(pts).unwrap();
        let keyboard = std::sync::Arc::new(pty);
        let (sender, screen) = channel();
        let pty = std::sync::Arc::clone(&keyboard);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // A terminal that nobody writes to any more answers with an error.
            while let Ok(count @ 1..) = (&*pty).read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keyboard, screen, shown: Vec::new(), read: 0 }
    }

    /// Reads on until there is this text; what comes before it is not looked at again.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> &mut Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let unread = &self.shown[self.read..];
            if let Some(at) = unread.windows(text.len()).position(|window| window == text.as_bytes()) {
                self.read += at + text.len();
                return self;
            }
            match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.shown.extend(bytes),
                Err(_) => panic!("waited in vain for {text:?}; the terminal shows: {}", self.text()),
            }
        }
    }

    /// Waits until nothing that is typed is shown: a question for a secret comes before that.
    #[track_caller]
    pub fn wait_until_hidden(&mut self) -> &mut Self {
        let deadline = Instant::now() + PATIENCE;
        while tcgetattr(&*self.keyboard).unwrap().local_modes.contains(LocalModes::ECHO) {
            assert!(Instant::now() < deadline, "the terminal goes on showing what is typed");
            std::thread::yield_now();
        }
        self
    }

    /// Types on the keyboard.
    pub fn type_in(&mut self, keys: &str) -> &mut Self {
        (&*self.keyboard).write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Waits for the command's end: its status, none when a signal ended it, and all that was shown.
    #[track_caller]
    pub fn end(&mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.screen.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.shown.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end; the terminal shows: {}", self.text()),
            }
        }
        let status = self.child.wait().unwrap();
        (status.code(), self.text())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
