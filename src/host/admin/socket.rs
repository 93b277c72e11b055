//! The unix socket: nobody connects before its permissions are set, and nothing is removed that somebody uses.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixSocket, UnixStream};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 64;

/// A socket that listens. Dropping it removes its file.
#[derive(Debug)]
pub(in crate::host) struct Socket {
    pub(in crate::host) listener: UnixListener,
    path: PathBuf,
    /// Device and number of the file, so that no other one is removed.
    file: (u64, u64),
}

impl Socket {
    /// Listens at `path` with these permissions.
    ///
    /// # Errors
    /// Something else is there, or somebody listens; others may write to the folder; the system.
    pub(in crate::host) async fn open(path: &Path, mode: u32) -> io::Result<Socket> {
        private_folder(path)?;
        make_room(path).await?;
        let socket = UnixSocket::new_stream()?;
        socket.bind(path)?;
        // It is bound and does not listen yet: nobody can connect, whatever the umask has left.
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        let about = fs::symlink_metadata(path)?;
        let listener = socket.listen(BACKLOG)?;
        Ok(Socket { listener, path: path.to_owned(), file: (about.dev(), about.ino()) })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let own = |about: fs::Metadata| (about.dev(), about.ino()) == self.file;
        if fs::symlink_metadata(&self.path).is_ok_and(own) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whoever may write to the folder could put another socket in the place of this one.
fn private_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mode = fs::metadata(folder)?.mode();
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        let problem = format!("everybody may write to the folder {}: chmod o-w", folder.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, problem));
    }
    Ok(())
}

/// Removes a socket that a process has left behind.
async fn make_room(path: &Path) -> io::Result<()> {
    let taken = |problem: &str| Err(io::Error::new(ErrorKind::AddrInUse, problem.to_owned()));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(about) if !about.file_type().is_socket() => taken("there is something else than a socket: it is left alone"),
        Ok(_) => match UnixStream::connect(path).await {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            // One that is busy does not answer at once, and listens all the same.
            _ => taken("another process listens there"),
        },
    }
}
