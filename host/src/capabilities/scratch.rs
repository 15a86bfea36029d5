//! `wasi:filesystem`: one folder for one run, under a quota, made when first asked for and gone after
//! the run. Without the grant there is no folder to be found, and nothing else of the disk exists.

mod descriptor;
mod folder;
mod quota;
mod stream;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::{Descriptor, Dir, WasiFilesystemCtx, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::{FsPerms, OpenMode};

pub(crate) use self::folder::{Folder, sweep};
use self::quota::{Handle, Quota};
use crate::limits::RunLimits;
use crate::runtime::{State, Stop, fuel, is_disk_full};

/// Where a guest finds its folder.
const GUEST_PATH: &str = "/";

/// The scratch folder of one run.
pub(crate) struct Scratch {
    granted: Option<PathBuf>,
    folder: Option<Folder>,
    quota: Quota,
    /// What each open descriptor counts as, by its index in the store's table.
    handles: HashMap<u32, Arc<Handle>>,
    context: WasiFilesystemCtx,
}

impl Scratch {
    /// A folder at this place, if one is granted.
    pub(crate) fn new(granted: Option<PathBuf>, limits: &RunLimits) -> Self {
        Self {
            granted,
            folder: None,
            quota: Quota::new(limits),
            handles: HashMap::new(),
            context: WasiFilesystemCtx::default(),
        }
    }

    /// The most bytes that the folder held.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.quota.peak_bytes()
    }

    /// The limit that something was refused for.
    pub(crate) fn refused(&self) -> Option<&'static str> {
        self.quota.refused()
    }

    /// Whether the host's disk had no room for what the quota allowed.
    pub(crate) fn disk_was_full(&self) -> bool {
        self.quota.disk_was_full()
    }

    /// Takes the folder, so that it can be removed where blocking does no harm.
    pub(crate) fn take_folder(&mut self) -> Option<Folder> {
        self.folder.take()
    }

    fn open_folder(&mut self) -> Result<Option<std::fs::File>, Stop> {
        let Some(path) = &self.granted else { return Ok(None) };
        let quota = self.quota.clone();
        let failed = |error: std::io::Error| {
            if is_disk_full(&error) {
                quota.note_full_disk();
            }
            Stop::Host(format!("no scratch folder: {error}"))
        };
        if self.folder.is_none() {
            self.folder = Some(Folder::create(path.clone()).map_err(failed)?);
        }
        std::fs::File::open(path).map(Some).map_err(failed)
    }
}

impl State {
    /// wasmtime's own implementation, over our table.
    fn files(&mut self) -> WasiFilesystemCtxView<'_> {
        WasiFilesystemCtxView { ctx: &mut self.scratch.context, table: &mut self.table }
    }
}

impl preopens::Host for State {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let Some(folder) = self.scratch.open_folder()? else { return Ok(Vec::new()) };
        self.owe(fuel::FILE_CALL);
        let Some(handle) = self.scratch.quota.open(None) else {
            return Err(Stop::Limit("open_files").into());
        };
        let dir = Dir::new(folder, FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE, false);
        let descriptor = self.table.push(Descriptor::Dir(dir))?;
        self.scratch.handles.insert(descriptor.rep(), Arc::new(handle));
        Ok(vec![(descriptor, GUEST_PATH.to_owned())])
    }
}
