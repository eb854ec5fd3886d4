//! The pseudonym of a person who has left: a keyed hash of provider and account number. It recognises a person who
//! comes back. Without the secret, nobody can be found by it.

use crate::crypto::hmac_hex;
use crate::crypto::keyring::{Keyring, Purpose};

/// The beginning of the subject of a member who left. No provider's subject begins like this, since those are numbers.
const MARK: &str = "left:";

/// The pseudonyms of one person under every configured secret, newest first. The first is written, and all are searched
/// for.
pub fn subjects(keyring: &Keyring, provider: &str, subject: &str) -> Vec<String> {
    keyring
        .keys(Purpose::LeftMember)
        .iter()
        .filter_map(|key| hmac_hex(key, provider, subject))
        .map(|hash| [MARK, hash.as_str()].concat())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::key::secret::Secret;

    #[test]
    fn a_member_who_left_is_recognised_under_every_secret_and_nobody_else_is() {
        let secret = |n: &str| Secret::new(n.repeat(32));
        let keyring = Keyring::new(&[secret("a")]);
        let both = Keyring::new(&[secret("b"), secret("a")]);
        let both = subjects(&both, "github", "1000100");
        let old = subjects(&keyring, "github", "1000100");
        assert_eq!(both.len(), 2);
        assert_eq!(both[1], old[0]);
        assert_eq!(old[0].len(), MARK.len() + 64);
        for (provider, subject) in [
            ("google", "1000100"),
            ("github", "1000101"),
            ("github1", "000100"),
        ] {
            assert_ne!(subjects(&keyring, provider, subject), old);
        }
        assert!(!old[0].contains("1000100"));
    }
}
