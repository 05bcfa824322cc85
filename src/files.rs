//! Private files that are whole or absent: written beside, synced, renamed, mode 0600.
//!
//! The write and rename order follows the durability notes of `rename(2)` and `fsync(2)`: file
//! content first, then the name, then the directory that holds the name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

mod watch;

pub use watch::Watch;

/// Mode of every file written here: the owner alone.
const FILE_MODE: u32 = 0o600;
/// Mode of every directory made here.
const DIR_MODE: u32 = 0o700;

/// Makes `path` and its parents, private to the owner; existing directories are left as they are.
pub fn create_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(DIR_MODE).create(path)
}

/// Replaces the content of `path` in one step; a crash leaves the old file or the new, never half.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    beside(path, content)?.persist(path).map_err(|failed| failed.error)?;
    sync_dir(path)
}

/// Writes `path` whole where there is no such file, and says whether it did.
pub fn create(path: &Path, content: &[u8]) -> io::Result<bool> {
    match beside(path, content)?.persist_noclobber(path) {
        Ok(_) => sync_dir(path).map(|()| true),
        Err(failed) if failed.error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(failed.error),
    }
}

fn beside(path: &Path, content: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let dir = path.parent().ok_or(ErrorKind::InvalidInput)?;
    create_dir(dir)?;
    let mut beside = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(fs::Permissions::from_mode(FILE_MODE))
        .tempfile_in(dir)?;
    beside.write_all(content)?;
    beside.as_file().sync_all()?;
    Ok(beside)
}

fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path.parent().ok_or(ErrorKind::InvalidInput)?)?.sync_all()
}

/// The content of `path`, or `None` where there is no such file.
pub fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    absent_is_none(fs::read(path))
}

/// Removes `path`; a file that is not there is success.
pub fn remove(path: &Path) -> io::Result<()> {
    absent_is_none(fs::remove_file(path)).map(|_| ())
}

/// The names in the directory `path`, sorted; none where there is no such directory. Files that a
/// crash left half written are not listed.
pub fn list(path: &Path) -> io::Result<Vec<String>> {
    let Some(entries) = absent_is_none(fs::read_dir(path))? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry?.file_name().into_string()
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn absent_is_none<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// An advisory lock (`flock(2)`) on a file, held until dropped; the kernel drops it with the
/// process.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or `None` where another process holds it.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        if let Some(dir) = path.parent() {
            create_dir(dir)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(FILE_MODE)
            .open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_file_is_private_and_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/key.pem");
        write(&path, b"one").unwrap();
        write(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, FILE_MODE);
        let parent = fs::metadata(path.parent().unwrap()).unwrap();
        assert_eq!(parent.permissions().mode() & 0o777, DIR_MODE);
        assert!(!create(&path, b"three").unwrap());
        assert_eq!(read(&path).unwrap().unwrap(), b"two");
        assert!(create(&path.with_extension("new"), b"three").unwrap());
        assert_eq!(list(path.parent().unwrap()).unwrap(), ["key.new", "key.pem"]);
    }

    #[test]
    fn absence_is_a_value() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(&dir.path().join("none")).unwrap(), None);
        remove(&dir.path().join("none")).unwrap();
        assert!(list(&dir.path().join("none")).unwrap().is_empty());
    }

    #[test]
    fn a_lock_has_one_holder() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = Lock::try_take(&path).unwrap();
        assert!(held.is_some());
        assert!(Lock::try_take(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::try_take(&path).unwrap().is_some());
    }
}
