//! Opaque public ids. Rows refer to each other by integers inside the service. Outside, an id is a prefix that says
//! what it names, and 96 random bits in hexadecimal.

use std::fmt;

/// Random bytes in an id.
pub const ID_BYTES: usize = 12;

/// What an id names. Each kind has its own prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdKind {
    Member,
    Key,
    Generation,
    /// One change of state, as the audit knows it.
    Change,
    Run,
    /// An HTTP request, as answers and the log name it.
    Request,
    /// A request of a member to an administrator.
    Ask,
    /// An amount that one key gets beyond its plan's limit.
    Raise,
    /// An entry that forbids one person to claim.
    Block,
    /// An administrator's permission for one person to claim.
    Allotment,
    /// An upstream key that carries our marker and has no row.
    Finding,
    /// A member's own grouping of keys.
    Project,
    /// A workspace that administrators have enabled.
    Workspace,
    /// The binding of an admin's e-mail address to one account.
    AdminPin,
    /// A sign-in at a billing provider that ends in a key.
    Handoff,
    /// A key that a billing provider made for a member.
    ProviderKey,
    /// A list of people who are gone.
    Departure,
    /// A change of many keys or members at once.
    Bulk,
}

impl IdKind {
    /// The text before the underscore in an id of this kind.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Member => "mem",
            Self::Key => "key",
            Self::Generation => "gen",
            Self::Change => "chg",
            Self::Run => "run",
            Self::Request => "req",
            Self::Ask => "ask",
            Self::Raise => "rai",
            Self::Block => "blk",
            Self::Allotment => "alt",
            Self::Finding => "fnd",
            Self::Project => "prj",
            Self::Workspace => "wsp",
            Self::AdminPin => "pin",
            Self::Handoff => "hnd",
            Self::ProviderKey => "pky",
            Self::Departure => "dep",
            Self::Bulk => "blc",
        }
    }
}

/// An id as it leaves the service, such as `key_` and 24 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicId(String);

impl PublicId {
    /// Makes an id from random bytes.
    pub fn new(kind: IdKind, random: [u8; ID_BYTES]) -> Self {
        Self(format!("{}_{}", kind.prefix(), hex::encode(random)))
    }

    /// Reads an id of the given kind. Returns `None` for any other text, also for an id of another kind.
    pub fn parse(kind: IdKind, text: &str) -> Option<Self> {
        let digits = text.strip_prefix(kind.prefix())?.strip_prefix('_')?;
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        (digits.len() == ID_BYTES.saturating_mul(2) && digits.bytes().all(is_hex))
            .then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PublicId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// The text with which the name of every upstream key of this instance begins. The generation's public id follows it.
pub fn marker(instance: &str) -> String {
    format!("keycap/{instance}/")
}

#[cfg(test)]
mod tests {
    use super::{ID_BYTES, IdKind, PublicId};

    #[test]
    fn only_a_well_formed_id_is_read() {
        let id = PublicId::new(IdKind::Key, [7; ID_BYTES]);
        assert_eq!(PublicId::parse(IdKind::Key, id.as_str()), Some(id.clone()));
        assert_eq!(PublicId::parse(IdKind::Member, id.as_str()), None);
        for bad in [
            "",
            "key_",
            "key_07",
            "key_0707070707070707070707zz",
            "KEY_070707070707070707070707",
            "key_070707070707070707070707\n",
        ] {
            assert_eq!(PublicId::parse(IdKind::Key, bad), None, "{bad:?}");
        }
    }
}
