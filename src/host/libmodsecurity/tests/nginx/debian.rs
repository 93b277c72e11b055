//! Debian's nginx and its ModSecurity module, as they are.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the two are.
pub struct Debian {
    pub nginx: PathBuf,
    pub module: PathBuf,
    /// Its own rules: `modsecurity.conf` and what that names.
    pub rules: PathBuf,
}

const MODULE: &str = "usr/lib/nginx/modules/ngx_http_modsecurity_module.so";

/// Those of `FUSEWALL_NGINX_DIR` (the packages, unpacked), those of the system, or those that `fetch` gets; none if there are none to be
/// had.
pub fn find() -> Option<Debian> {
    let given = std::env::var_os("FUSEWALL_NGINX_DIR").map(PathBuf::from);
    given.as_deref().into_iter().chain([Path::new("/")]).find_map(inside).or_else(|| inside(&fetched()?))
}

fn inside(root: &Path) -> Option<Debian> {
    let (nginx, module) = (root.join("usr/sbin/nginx"), root.join(MODULE));
    let found = Debian { nginx, module, rules: root.join("etc/nginx") };
    (found.nginx.exists() && found.module.exists()).then_some(found)
}

/// Downloads and unpacks the packages, once, beside what was built.
fn fetched() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let target = own.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists())?;
    let folder = target.join("nginx");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nginx/fetch");
    Command::new(script).arg(&folder).status().is_ok_and(|status| status.success()).then_some(folder)
}
