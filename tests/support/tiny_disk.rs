//! A disk of a few MiB, to be filled: a tmpfs in a mount namespace of its own, which needs no root where the
//! kernel lets users make namespaces, and which is gone with the process that holds it.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// The disk. Its files are seen from outside through the process that holds it.
pub struct TinyDisk {
    holder: Child,
    mount: TempDir,
    as_root: bool,
}

impl TinyDisk {
    pub fn new(mib: u32) -> Self {
        let mount = TempDir::new().unwrap();
        let as_root = rustix::process::geteuid().is_root();
        let mut unshare = Command::new("unshare");
        if !as_root {
            unshare.args(["--user", "--map-root-user"]);
        }
        // `cat` ends with the pipe that we hold, however this process ends.
        let script = format!("mount -t tmpfs -o mode=0777,size={mib}m tiny \"$0\" && echo mounted && exec cat");
        unshare.args(["--mount", "sh", "-c", &script]).arg(mount.path());
        let mut holder = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare is missing");
        let mut said = String::new();
        BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(
            said, "mounted\n",
            "this test needs a small filesystem: run it as root, or let users make namespaces \
             (`sysctl kernel.unprivileged_userns_clone=1`, in a container `--cap-add SYS_ADMIN`)"
        );
        Self { holder, mount, as_root }
    }

    /// Where the disk is, for a process that is in its namespace.
    pub fn inside(&self) -> &Path {
        self.mount.path()
    }

    /// Where the disk is, for this process.
    pub fn outside(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.mount.path().strip_prefix("/").unwrap())
    }

    /// The command that starts a program in the disk's namespace.
    pub fn enter(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string(), "--mount"]);
        if !self.as_root {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut filler = File::options().create(true).append(true).open(self.filler()).unwrap();
        loop {
            match filler.write_all(&[0; 4096]) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Gives it back.
    pub fn free(&self) {
        std::fs::remove_file(self.filler()).unwrap();
    }

    fn filler(&self) -> PathBuf {
        self.outside().join("filler")
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
