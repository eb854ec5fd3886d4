//! The keys of Google that this isolate has read. Google changes its keys without notice, and publishes the next one
//! before it signs with it.

use crate::domain::time::Timestamp;
use crate::ports::signatures::RsaPublicKey;
use crate::upstream::google::PublishedKey;

/// Google is asked again for keys at most once in this many seconds, if a token names an unknown key or Google did not
/// answer. Otherwise forged tokens could make us ask as often as somebody likes.
const ASK_AGAIN_SECS: i64 = 60;
/// While Google does not answer, keys are used for so many seconds after they should have been read again: a day.
const STALE_SECS: i64 = 86_400;

/// The keys of the last answer, and when to ask again. It is empty until the first answer.
#[derive(Clone, Debug)]
pub struct GoogleKeys {
    keys: Vec<PublishedKey>,
    fresh_until: Timestamp,
    asked_at: Option<Timestamp>,
    /// The last question was answered.
    answered: bool,
}

/// What this isolate knows about the key of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KnownKey {
    Key(RsaPublicKey),
    /// Google is to be asked for its keys.
    Ask,
    /// Google has no such key.
    Unknown,
    /// Google was asked a moment ago, and did not answer.
    Unanswered,
}

impl Default for GoogleKeys {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            fresh_until: Timestamp::from_secs(0),
            asked_at: None,
            answered: false,
        }
    }
}

impl GoogleKeys {
    /// What is known about the key of this name.
    pub fn find(&self, kid: &str, now: Timestamp) -> KnownKey {
        let key = self.keys.iter().find(|key| key.kid == kid);
        let key = key.map(|found| found.key.clone());
        let asked_lately = self
            .asked_at
            .is_some_and(|at| now.since(at) < ASK_AGAIN_SECS);
        let usable = match self.answered {
            true => self.fresh_until,
            false => self.fresh_until.plus(STALE_SECS),
        };
        match key {
            Some(key) if now < self.fresh_until => KnownKey::Key(key),
            _ if !asked_lately => KnownKey::Ask,
            Some(key) if now < usable => KnownKey::Key(key),
            _ if self.answered => KnownKey::Unknown,
            _ => KnownKey::Unanswered,
        }
    }

    /// Google is being asked. Until it answers, it counts as silent.
    pub const fn ask(&mut self, now: Timestamp) {
        self.asked_at = Some(now);
        self.answered = false;
    }

    /// Takes over the keys of an answer, which may be used for so many seconds.
    pub fn learn(&mut self, (keys, used_secs): (Vec<PublishedKey>, i64), now: Timestamp) {
        self.keys = keys;
        self.fresh_until = now.plus(used_secs);
        self.answered = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn key(kid: &str) -> PublishedKey {
        PublishedKey {
            kid: kid.to_owned(),
            key: RsaPublicKey {
                n: kid.to_owned(),
                e: String::from("AQAB"),
            },
        }
    }

    fn learned() -> GoogleKeys {
        let mut keys = GoogleKeys::default();
        keys.ask(NOW);
        keys.learn((vec![key("a")], 3_600), NOW);
        keys
    }

    #[test]
    fn a_known_key_is_used_until_its_answer_is_old() {
        let keys = learned();
        let known = KnownKey::Key(key("a").key);
        assert_eq!(keys.find("a", NOW), known);
        assert_eq!(keys.find("a", NOW.plus(3_599)), known);
        assert_eq!(keys.find("a", NOW.plus(3_600)), KnownKey::Ask);
        assert_eq!(GoogleKeys::default().find("a", NOW), KnownKey::Ask);
    }

    #[test]
    fn an_unknown_key_asks_at_most_once_a_minute() {
        let mut keys = learned();
        assert_eq!(keys.find("b", NOW.plus(59)), KnownKey::Unknown);
        assert_eq!(keys.find("b", NOW.plus(60)), KnownKey::Ask);
        keys.ask(NOW.plus(60));
        assert_eq!(keys.find("b", NOW.plus(61)), KnownKey::Unanswered);
        keys.learn((vec![key("a"), key("b")], 3_600), NOW.plus(61));
        assert_eq!(keys.find("b", NOW.plus(61)), KnownKey::Key(key("b").key));
    }

    #[test]
    fn while_google_is_silent_an_old_key_is_used_for_a_day() {
        let mut keys = learned();
        let last = 3_600 + 86_400;
        for (after, found) in [
            (3_601, KnownKey::Key(key("a").key)),
            (last - 1, KnownKey::Key(key("a").key)),
            (last, KnownKey::Unanswered),
        ] {
            keys.ask(NOW.plus(after));
            assert_eq!(keys.find("a", NOW.plus(after)), found, "{after}");
        }
    }
}
