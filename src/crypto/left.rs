//! What stands for a person who has left: a keyed hash of provider and account number. Whoever comes back is known by it;
//! nobody is found by it without the secret.

use super::hmac_hex;
use super::keyring::{Purpose, keys};
use crate::domain::secret::Secret;

/// What the subject of who left begins with. No provider's does: those are numbers.
const MARK: &str = "left:";

/// Under every secret of the list, the newest first: that one is written, all are looked for.
pub fn subjects(secrets: &[Secret], provider: &str, subject: &str) -> Vec<String> {
    keys(secrets, Purpose::LeftMember)
        .iter()
        .filter_map(|key| hmac_hex(key, provider, subject))
        .map(|hash| [MARK, hash.as_str()].concat())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a16_who_left_is_known_under_every_secret_and_nobody_else_is() {
        let secret = |n: &str| Secret::new(n.repeat(32));
        let both = subjects(&[secret("b"), secret("a")], "github", "1000100");
        let old = subjects(&[secret("a")], "github", "1000100");
        assert_eq!(both.len(), 2);
        assert_eq!(both[1], old[0]);
        assert_eq!(old[0].len(), MARK.len() + 64);
        for (provider, subject) in [
            ("google", "1000100"),
            ("github", "1000101"),
            ("github1", "000100"),
        ] {
            assert_ne!(subjects(&[secret("a")], provider, subject), old);
        }
        assert!(!old[0].contains("1000100"));
    }
}
