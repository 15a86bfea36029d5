//! Descriptors: each call is wasmtime's, after the quota has agreed to what it would add.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream, ErrorCode,
    Filesize, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::quota::{FileId, Handle};
use super::stream::{Reader, Writer};
use crate::runtime::{State, fuel};

type Fd = Resource<Descriptor>;

/// What a path leads to.
struct Found {
    id: FileId,
    regular: bool,
}

fn same(fd: &Fd) -> Fd {
    Resource::new_borrow(fd.rep())
}

impl State {
    fn handle(&self, fd: &Fd) -> FsResult<Arc<Handle>> {
        self.scratch.handles.get(&fd.rep()).cloned().ok_or_else(|| ErrorCode::BadDescriptor.into())
    }

    fn add_name(&self) -> FsResult<()> {
        if self.scratch.quota.add_name() { Ok(()) } else { Err(ErrorCode::InsufficientSpace.into()) }
    }

    /// Keeps or takes back the name that was counted for `result`.
    fn keep_name<T>(&self, result: FsResult<T>) -> FsResult<T> {
        if result.is_err() {
            self.scratch.quota.remove_name();
        }
        result
    }

    /// Hears of a change that found no room on the disk, though the quota had some.
    fn heard<T>(&self, result: FsResult<T>) -> FsResult<T> {
        if let Err(error) = &result
            && matches!(error.downcast_ref(), Some(ErrorCode::InsufficientSpace | ErrorCode::Quota))
        {
            self.scratch.quota.note_full_disk();
        }
        result
    }

    /// What is at a path, links not followed.
    async fn find(&mut self, fd: &Fd, path: &str) -> Option<Found> {
        let flags = PathFlags::empty();
        let stat = self.files().stat_at(same(fd), flags, path.to_owned()).await.ok()?;
        let id = self.files().metadata_hash_at(same(fd), flags, path.to_owned()).await.ok()?.lower;
        Some(Found { id, regular: matches!(stat.type_, DescriptorType::RegularFile) })
    }

    fn forget(&self, found: &Found) {
        self.scratch.quota.remove_name();
        if found.regular {
            self.scratch.quota.unlink(found.id);
        }
    }
}

impl types::Host for State {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        types::Host::convert_error_code(&mut self.files(), error)
    }

    fn filesystem_error_code(&mut self, error: Resource<types::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        types::Host::filesystem_error_code(&mut self.files(), error)
    }
}

impl HostDescriptor for State {
    fn read_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        let open = self.handle(&fd)?;
        let stream = self.files().read_via_stream(fd, offset)?;
        let inner = self.table.delete(stream)?;
        let reader: DynInputStream = Box::new(Reader { inner, _open: open });
        Ok(self.table.push(reader)?)
    }

    fn write_via_stream(&mut self, fd: Fd, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        let open = self.handle(&fd)?;
        let stream = self.files().write_via_stream(fd, offset)?;
        let inner = self.table.delete(stream)?;
        let writer: DynOutputStream = Box::new(Writer { inner, open, position: Some(offset) });
        Ok(self.table.push(writer)?)
    }

    fn append_via_stream(&mut self, fd: Fd) -> FsResult<Resource<DynOutputStream>> {
        let open = self.handle(&fd)?;
        let stream = self.files().append_via_stream(fd)?;
        let inner = self.table.delete(stream)?;
        let writer: DynOutputStream = Box::new(Writer { inner, open, position: None });
        Ok(self.table.push(writer)?)
    }

    async fn write(&mut self, fd: Fd, buffer: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        self.owe(fuel::FILE_CALL);
        self.owe_bytes(buffer.len());
        if !self.handle(&fd)?.reserve(Some(offset), buffer.len() as u64) {
            return Err(ErrorCode::InsufficientSpace.into());
        }
        let written = self.files().write(fd, buffer, offset).await;
        self.heard(written)
    }

    async fn read(&mut self, fd: Fd, len: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)> {
        self.owe(fuel::FILE_CALL);
        let (bytes, end) = self.files().read(fd, len, offset).await?;
        self.owe_bytes(bytes.len());
        Ok((bytes, end))
    }

    /// The books follow the file whichever way its size goes, and only grow before it does.
    async fn set_size(&mut self, fd: Fd, size: Filesize) -> FsResult<()> {
        self.owe(fuel::FILE_CALL);
        let handle = self.handle(&fd)?;
        if !handle.reserve(Some(size), 0) {
            return Err(ErrorCode::InsufficientSpace.into());
        }
        let resized = self.files().set_size(fd, size).await;
        self.heard(resized)?;
        handle.resize(size);
        Ok(())
    }

    async fn open_at(
        &mut self,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Fd> {
        self.owe(fuel::FILE_CALL);
        if !self.scratch.quota.may_open() {
            return Err(ErrorCode::InsufficientMemory.into());
        }
        let creates = open_flags.contains(OpenFlags::CREATE)
            && self.files().stat_at(same(&fd), path_flags, path.clone()).await.is_err();
        if creates {
            self.add_name()?;
        }
        let opened = self.files().open_at(fd, path_flags, path, open_flags, flags).await;
        let opened = self.heard(opened);
        let opened = if creates { self.keep_name(opened)? } else { opened? };
        let file = match self.table.get(&opened)? {
            Descriptor::File(_) => Some(self.files().metadata_hash(same(&opened)).await?.lower),
            Descriptor::Dir(_) => None,
        };
        let handle = self.scratch.quota.open(file).ok_or(ErrorCode::InsufficientMemory)?;
        if open_flags.contains(OpenFlags::TRUNCATE) {
            handle.resize(0);
        }
        self.scratch.handles.insert(opened.rep(), Arc::new(handle));
        Ok(opened)
    }

    fn drop(&mut self, fd: Fd) -> wasmtime::Result<()> {
        self.scratch.handles.remove(&fd.rep());
        HostDescriptor::drop(&mut self.files(), fd)
    }

    async fn create_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.owe(fuel::FILE_CALL);
        self.add_name()?;
        let made = self.files().create_directory_at(fd, path).await;
        self.keep_name(self.heard(made))
    }

    async fn symlink_at(&mut self, fd: Fd, old_path: String, new_path: String) -> FsResult<()> {
        self.owe(fuel::FILE_CALL);
        self.add_name()?;
        let made = self.files().symlink_at(fd, old_path, new_path).await;
        self.keep_name(self.heard(made))
    }

    async fn link_at(
        &mut self,
        fd: Fd,
        old_path_flags: PathFlags,
        old_path: String,
        new_fd: Fd,
        new_path: String,
    ) -> FsResult<()> {
        self.owe(fuel::FILE_CALL);
        self.add_name()?;
        let target = same(&new_fd);
        let made = self.files().link_at(fd, old_path_flags, old_path, new_fd, new_path.clone()).await;
        self.keep_name(self.heard(made))?;
        if let Some(Found { id, regular: true }) = self.find(&target, &new_path).await {
            self.scratch.quota.link(id);
        }
        Ok(())
    }

    async fn rename_at(&mut self, fd: Fd, old_path: String, new_fd: Fd, new_path: String) -> FsResult<()> {
        self.owe(fuel::FILE_CALL);
        let source = self.find(&fd, &old_path).await;
        let target = self.find(&new_fd, &new_path).await;
        let renamed = self.files().rename_at(fd, old_path, new_fd, new_path).await;
        self.heard(renamed)?;
        // Two names of one file stay two names (rename(2)); any other target is replaced.
        if let (Some(source), Some(target)) = (source, target)
            && source.id != target.id
        {
            self.forget(&target);
        }
        Ok(())
    }

    async fn unlink_file_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.owe(fuel::FILE_CALL);
        let found = self.find(&fd, &path).await;
        self.files().unlink_file_at(fd, path).await?;
        if let Some(found) = found {
            self.forget(&found);
        }
        Ok(())
    }

    async fn remove_directory_at(&mut self, fd: Fd, path: String) -> FsResult<()> {
        self.owe(fuel::FILE_CALL);
        self.files().remove_directory_at(fd, path).await?;
        self.scratch.quota.remove_name();
        Ok(())
    }

    async fn read_directory(&mut self, fd: Fd) -> FsResult<Resource<DirectoryEntryStream>> {
        self.owe(fuel::FILE_CALL);
        self.files().read_directory(fd).await
    }

    /// The folder is gone after the run, so there is nothing to make durable.
    async fn sync(&mut self, fd: Fd) -> FsResult<()> {
        self.table.get(&fd)?;
        Ok(())
    }

    /// As for `sync`.
    async fn sync_data(&mut self, fd: Fd) -> FsResult<()> {
        self.table.get(&fd)?;
        Ok(())
    }

    async fn advise(&mut self, fd: Fd, offset: Filesize, length: Filesize, advice: Advice) -> FsResult<()> {
        self.owe(fuel::FILE_CALL);
        self.files().advise(fd, offset, length, advice).await
    }

    async fn get_flags(&mut self, fd: Fd) -> FsResult<DescriptorFlags> {
        self.owe(fuel::FILE_CALL);
        self.files().get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Fd) -> FsResult<DescriptorType> {
        self.owe(fuel::FILE_CALL);
        self.files().get_type(fd).await
    }

    async fn set_times(&mut self, fd: Fd, accessed: NewTimestamp, modified: NewTimestamp) -> FsResult<()> {
        self.owe(fuel::FILE_CALL);
        self.files().set_times(fd, accessed, modified).await
    }

    async fn set_times_at(
        &mut self,
        fd: Fd,
        path_flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.owe(fuel::FILE_CALL);
        self.files().set_times_at(fd, path_flags, path, accessed, modified).await
    }

    async fn stat(&mut self, fd: Fd) -> FsResult<DescriptorStat> {
        self.owe(fuel::FILE_CALL);
        self.files().stat(fd).await
    }

    async fn stat_at(&mut self, fd: Fd, path_flags: PathFlags, path: String) -> FsResult<DescriptorStat> {
        self.owe(fuel::FILE_CALL);
        self.files().stat_at(fd, path_flags, path).await
    }

    async fn readlink_at(&mut self, fd: Fd, path: String) -> FsResult<String> {
        self.owe(fuel::FILE_CALL);
        self.files().readlink_at(fd, path).await
    }

    async fn is_same_object(&mut self, fd: Fd, other: Fd) -> wasmtime::Result<bool> {
        self.owe(fuel::FILE_CALL);
        self.files().is_same_object(fd, other).await
    }

    async fn metadata_hash(&mut self, fd: Fd) -> FsResult<MetadataHashValue> {
        self.owe(fuel::FILE_CALL);
        self.files().metadata_hash(fd).await
    }

    async fn metadata_hash_at(&mut self, fd: Fd, path_flags: PathFlags, path: String) -> FsResult<MetadataHashValue> {
        self.owe(fuel::FILE_CALL);
        self.files().metadata_hash_at(fd, path_flags, path).await
    }
}

impl HostDirectoryEntryStream for State {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        self.files().read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.files(), stream)
    }
}
