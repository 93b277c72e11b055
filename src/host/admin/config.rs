//! What the admin API can be told: plain data with defaults.

use super::peers::{Caller, Match, Roles};
use std::net::SocketAddr;
use std::path::PathBuf;

/// `[admin]`: who may ask the running proxy what, and where. Without a socket and an address nobody may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminConfig {
    /// `admin.socket`
    pub socket: Option<PathBuf>,
    /// `admin.socket_mode`: permissions of the socket, 0o600 or 0o660.
    pub socket_mode: u32,
    /// `admin.owner_roles`: what the user of this process and root may do.
    pub owner_roles: Roles,
    /// `[[admin.callers]]`
    pub callers: Vec<Caller>,
    /// `admin.upload_bytes`: bytes of an uploaded ruleset.
    pub upload_bytes: usize,
    /// `admin.unsigned_uploads`: whether rules as text are taken, which nobody has signed.
    pub unsigned_uploads: bool,
    /// `admin.tcp`
    pub tcp: AdminTcp,
}

/// `[admin.tcp]`: mutual TLS. All of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AdminTcp {
    /// `admin.tcp.listen`
    pub listen: Option<SocketAddr>,
    /// `admin.tcp.certificate`: PEM.
    pub certificate: Option<PathBuf>,
    /// `admin.tcp.key`: PEM.
    pub key: Option<PathBuf>,
    /// `admin.tcp.client_ca`: who signs the certificates of callers, PEM.
    pub client_ca: Option<PathBuf>,
    /// `admin.tcp.hosts`: what callers may call this server, without a port.
    pub hosts: Vec<String>,
}

impl Default for AdminConfig {
    fn default() -> Self {
        AdminConfig {
            socket: None,
            socket_mode: 0o600,
            owner_roles: Roles::ALL,
            callers: Vec::new(),
            upload_bytes: 64 << 20,
            unsigned_uploads: false,
            tcp: AdminTcp::default(),
        }
    }
}

impl AdminConfig {
    /// Whether there is anywhere to ask.
    pub fn is_on(&self) -> bool {
        self.socket.is_some() || self.tcp.listen.is_some()
    }

    /// What is missing from it, or can never work, in words.
    pub fn lacks(&self) -> Option<String> {
        let AdminTcp { listen, certificate, key, client_ca, hosts } = &self.tcp;
        let certificates = |caller: &Caller| matches!(caller.who, Match::Certificate(_));
        let parts = [
            ("admin.tcp.certificate", certificate.is_some()),
            ("admin.tcp.key", key.is_some()),
            ("admin.tcp.client_ca", client_ca.is_some()),
            ("admin.tcp.hosts", !hosts.is_empty()),
        ];
        match listen {
            None => {
                let (name, _) = parts.iter().find(|(_, given)| *given)?;
                Some(format!("`{name}` is given, and `admin.tcp.listen` is missing: nothing would listen"))
            }
            Some(_) => match parts.iter().find(|(_, given)| !given) {
                Some((name, _)) => {
                    Some(format!("`admin.tcp.listen` needs `{name}`: over TCP both sides show certificates"))
                }
                None if !self.callers.iter().any(certificates) => Some(
                    "`admin.tcp.listen` needs a `[[admin.callers]]` with `certificate`: nobody could ask anything"
                        .to_owned(),
                ),
                None => None,
            },
        }
    }
}
