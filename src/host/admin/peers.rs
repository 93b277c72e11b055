//! Who is asking, and what they may do.

use std::fmt;

/// What somebody may do. Whoever may do anything may also read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Ask how things are.
    Read,
    /// Switch rules off and on.
    Kill,
    /// Upload rulesets, put them into service and take them out.
    Promote,
    /// Change the mode of the engine.
    Mode,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 4] = [Role::Read, Role::Kill, Role::Promote, Role::Mode];

    /// As configuration and the OpenAPI document call it.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Kill => "kill",
            Role::Promote => "promote",
            Role::Mode => "mode",
        }
    }

    /// The role of that name.
    pub fn named(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// A set of roles.
///
/// ```
/// use fusewall::host::admin::{Role, Roles};
/// let roles = Roles::of([Role::Kill]);
/// assert!(roles.has(Role::Read) && roles.has(Role::Kill) && !roles.has(Role::Promote));
/// assert!(!Roles::default().has(Role::Read));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles(u8);

impl Roles {
    /// Every role.
    pub const ALL: Roles = Roles(0b1111);

    /// These.
    pub fn of(roles: impl IntoIterator<Item = Role>) -> Roles {
        Roles(roles.into_iter().fold(0, |set, role| set | 1 << role as u8))
    }

    /// Whether it is among them: reading is, if anything is.
    pub fn has(self, role: Role) -> bool {
        match role {
            Role::Read => self.0 != 0,
            _ => self.0 >> role as u8 & 1 == 1,
        }
    }

    fn and(self, other: Roles) -> Roles {
        Roles(self.0 | other.0)
    }
}

/// SHA-256 of a certificate's DER bytes.
pub type Fingerprint = [u8; 32];

/// Whom an entry of the configuration is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// Processes of this user, on the unix socket.
    User(u32),
    /// Processes whose own group (not a further one) is this, on the unix socket.
    Group(u32),
    /// Whoever has the key of this certificate, over TLS.
    Certificate(Fingerprint),
}

/// `[[admin.callers]]`: somebody and their roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub who: Match,
    /// How the log calls them, if not by number.
    pub name: Option<String>,
    /// What they may do.
    pub roles: Roles,
}

/// Who is at the other end of a connection, as the system or the TLS handshake has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identity {
    Process { user: u32, group: u32 },
    Certificate(Fingerprint),
}

/// Somebody at the other end who may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    identity: Identity,
    name: Option<String>,
    pub(super) roles: Roles,
}

/// Everybody who may do something.
#[derive(Debug, Clone)]
pub(super) struct Peers {
    own: u32,
    owner: Roles,
    callers: Vec<Caller>,
}

impl Peers {
    /// `own`: the user of this process, who has the roles of `owner`, as has root.
    pub(super) fn new(own: u32, owner: Roles, callers: &[Caller]) -> Peers {
        Peers { own, owner, callers: callers.to_vec() }
    }

    /// What somebody may do: all that any entry grants them. Nobody else is known.
    pub(super) fn know(&self, identity: Identity) -> Option<Peer> {
        let mine = |caller: &&Caller| match (&caller.who, identity) {
            (Match::User(user), Identity::Process { user: other, .. }) => *user == other,
            (Match::Group(group), Identity::Process { group: other, .. }) => *group == other,
            (Match::Certificate(one), Identity::Certificate(other)) => *one == other,
            _ => false,
        };
        let owner = match identity {
            Identity::Process { user, .. } if user == self.own || user == 0 => self.owner,
            _ => Roles::default(),
        };
        let callers = self.callers.iter().filter(mine);
        let roles = callers.clone().fold(owner, |roles, caller| roles.and(caller.roles));
        let name = callers.clone().find_map(|caller| caller.name.clone());
        roles.has(Role::Read).then_some(Peer { identity, name, roles })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Identity::Process { user, group } => write!(f, "uid {user} gid {group}"),
            Identity::Certificate(fingerprint) => {
                f.write_str("certificate ")?;
                fingerprint.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} ({})", self.identity),
            None => self.identity.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_add_up_and_nobody_else_is_known() {
        let caller = |who, roles: &[Role]| Caller { who, name: None, roles: Roles::of(roles.iter().copied()) };
        let entries = [
            caller(Match::User(7), &[Role::Kill]),
            caller(Match::Group(50), &[Role::Mode]),
            caller(Match::Certificate([9; 32]), &[Role::Promote]),
        ];
        let peers = Peers::new(1000, Roles::ALL, &entries);
        let roles = |identity| peers.know(identity).map(|peer| peer.roles);
        let process = |user, group| roles(Identity::Process { user, group });
        assert_eq!((process(1000, 1), process(0, 0)), (Some(Roles::ALL), Some(Roles::ALL)));
        assert_eq!(process(7, 50), Some(Roles::of([Role::Kill, Role::Mode])));
        assert_eq!((process(8, 50), process(8, 1)), (Some(Roles::of([Role::Mode])), None));
        assert_eq!(roles(Identity::Certificate([9; 32])), Some(Roles::of([Role::Promote])));
        assert_eq!(roles(Identity::Certificate([0; 32])), None, "no certificate is the owner's");
        assert_eq!(Peers::new(1000, Roles::default(), &[]).know(Identity::Process { user: 1000, group: 0 }), None);
    }
}
