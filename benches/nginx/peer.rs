//! Debian's libmodsecurity.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with `libmodsecurity.so.3` and what it needs: that of `FUSEWALL_PEER_DIR`, or the one that `fetch` fills beside what was
/// built; none if it is not to be had.
pub fn find() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("FUSEWALL_PEER_DIR").map(PathBuf::from) {
        return folder.join("libmodsecurity.so.3").exists().then_some(folder);
    }
    let own = std::env::current_exe().ok()?;
    let target = own.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists())?;
    let folder = target.join("libmodsecurity3");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../benches/nginx/fetch");
    let fetched = Command::new(script).arg(&folder).status().is_ok_and(|status| status.success());
    fetched.then(|| folder.join("libraries"))
}
