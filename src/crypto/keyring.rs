//! One key for each purpose, derived from each configured secret (HKDF-SHA256, RFC 5869). The first secret makes new
//! values, and all secrets check them. So a secret is rotated by putting a new one in front and removing the old one a
//! week later.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::domain::key::secret::Secret;

/// The use of a derived key. Two purposes never share a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signs session tokens.
    Session,
    /// Seals a sign-in attempt in its cookie.
    SignInAttempt,
    /// Hashes addresses and members into keys of the rate limiter.
    RateLimit,
    /// Hashes the identity of a member who leaves, so that the person is recognised when they come back.
    LeftMember,
    /// Seals the ticket with which a preview learns who signed in. Its secret is `RELAY_SECRET`.
    RelayTicket,
    /// Seals the place where a page of a member's export or history begins.
    PageCursor,
    /// Seals what a billing provider sent back until its owner redeems it, and makes the code that they type.
    Handoff,
    /// Hashes the codes that people type for a terminal, and the addresses of terminals.
    Device,
}

impl Purpose {
    const fn info(self) -> &'static [u8] {
        match self {
            Self::Session => b"keycap session v1",
            Self::SignInAttempt => b"keycap sign-in attempt v1",
            Self::RateLimit => b"keycap rate limit v1",
            Self::LeftMember => b"keycap left member v1",
            Self::RelayTicket => b"keycap relay ticket v1",
            Self::PageCursor => b"keycap page cursor v1",
            Self::Handoff => b"keycap hand-off v1",
            Self::Device => b"keycap device v1",
        }
    }
}

/// 256 bits, wiped when dropped.
pub type Key = Zeroizing<[u8; 32]>;

/// The keys of every purpose, derived once. It is empty when no secret is configured.
#[derive(Default)]
pub struct Keyring {
    session: Vec<Key>,
    sign_in_attempt: Vec<Key>,
    rate_limit: Vec<Key>,
    left_member: Vec<Key>,
    relay_ticket: Vec<Key>,
    page_cursor: Vec<Key>,
    handoff: Vec<Key>,
    device: Vec<Key>,
}

impl Keyring {
    /// Derives the keys from the configured secrets, newest first.
    pub fn new(secrets: &[Secret]) -> Self {
        let keys = |purpose| secrets.iter().filter_map(|s| derive(s, purpose)).collect();
        Self {
            session: keys(Purpose::Session),
            sign_in_attempt: keys(Purpose::SignInAttempt),
            rate_limit: keys(Purpose::RateLimit),
            left_member: keys(Purpose::LeftMember),
            page_cursor: keys(Purpose::PageCursor),
            relay_ticket: Vec::new(),
            handoff: keys(Purpose::Handoff),
            device: keys(Purpose::Device),
        }
    }

    /// The same keys, and those that a deployment shares with its previews. They are of a secret of their own, because
    /// the code of any branch runs on a preview and must not be able to sign our sessions.
    #[must_use]
    pub fn with_relay(mut self, secrets: &[Secret]) -> Self {
        let keys = secrets.iter();
        self.relay_ticket = keys
            .filter_map(|secret| derive(secret, Purpose::RelayTicket))
            .collect();
        self
    }

    pub fn is_empty(&self) -> bool {
        self.session.is_empty()
    }

    /// The keys of one purpose, newest first.
    pub fn keys(&self, purpose: Purpose) -> &[Key] {
        match purpose {
            Purpose::Session => &self.session,
            Purpose::SignInAttempt => &self.sign_in_attempt,
            Purpose::RateLimit => &self.rate_limit,
            Purpose::LeftMember => &self.left_member,
            Purpose::RelayTicket => &self.relay_ticket,
            Purpose::PageCursor => &self.page_cursor,
            Purpose::Handoff => &self.handoff,
            Purpose::Device => &self.device,
        }
    }

    /// The newest key of one purpose, which makes new values. It is `None` when no secret is configured.
    pub fn newest(&self, purpose: Purpose) -> Option<&Key> {
        self.keys(purpose).first()
    }
}

fn derive(secret: &Secret, purpose: Purpose) -> Option<Key> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, secret.expose().as_bytes())
        .expand(purpose.info(), key.as_mut())
        .ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_and_each_secret_has_its_own_key() {
        let secrets = [
            Secret::new("a".repeat(32)),
            Secret::new(String::from("another secret that is long enough")),
        ];
        let keyring = Keyring::new(&secrets).with_relay(&secrets);
        let purposes = [
            Purpose::Session,
            Purpose::SignInAttempt,
            Purpose::RateLimit,
            Purpose::LeftMember,
            Purpose::RelayTicket,
            Purpose::PageCursor,
            Purpose::Handoff,
            Purpose::Device,
        ];
        let mut all: Vec<[u8; 32]> = purposes
            .iter()
            .flat_map(|purpose| keyring.keys(*purpose))
            .map(|key| **key)
            .collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 16);
    }
}
