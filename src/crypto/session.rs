//! The session: an HS256 JWT that names a member and an epoch. It says who the caller is. Whether the caller still may
//! act is decided in the database, in the request's own query.

use crate::domain::people::session::Session;
use jwt_compact::alg::{Hs256, Hs256Key};
use jwt_compact::{AlgorithmExt, Claims, Header, UntrustedToken};
use serde::{Deserialize, Serialize};

use crate::crypto::keyring::Key;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::time::Timestamp;

/// The life of a session in seconds. It ends seven days after the sign-in and is never extended.
pub const SESSION_SECS: i64 = 7 * 86_400;
/// How many seconds the clock of another isolate may be ahead of ours.
const SKEW_SECS: i64 = 60;

#[derive(Serialize, Deserialize)]
struct Payload {
    sub: String,
    epoch: i64,
}

/// Signs a session that is issued at `now`. Returns `None` only if the token cannot be written.
pub fn issue(key: &Key, session: &Session, now: Timestamp) -> Option<String> {
    let payload = Payload {
        sub: session.member.to_string(),
        epoch: session.epoch,
    };
    let mut claims = Claims::new(payload);
    claims.issued_at = chrono::DateTime::from_timestamp(now.secs(), 0);
    claims.expiration = chrono::DateTime::from_timestamp(now.plus(SESSION_SECS).secs(), 0);
    let key = Hs256Key::from(key.as_slice());
    Hs256.token(&Header::empty(), &claims, &key).ok()
}

/// The session of a token that one of the keys signed and that is valid at `now`. Returns `None` for any other token.
pub fn verify(keys: &[Key], token: &str, now: Timestamp) -> Option<Session> {
    let untrusted = UntrustedToken::new(token).ok()?;
    let claims = keys.iter().find_map(|key| {
        let key = Hs256Key::from(key.as_slice());
        let token = Hs256.validator::<Payload>(&key).validate(&untrusted).ok()?;
        Some(token.claims().clone_fields())
    })?;
    let (payload, issued, ends) = claims;
    let issued = Timestamp::from_secs(issued?);
    let ends = Timestamp::from_secs(ends?);
    let current = issued <= now.plus(SKEW_SECS) && now < ends && ends.since(issued) <= SESSION_SECS;
    let member = PublicId::parse(IdKind::Member, &payload.sub)?;
    current.then_some(Session {
        member,
        epoch: payload.epoch,
    })
}

trait Fields {
    fn clone_fields(&self) -> (Payload, Option<i64>, Option<i64>);
}

impl Fields for Claims<Payload> {
    fn clone_fields(&self) -> (Payload, Option<i64>, Option<i64>) {
        let payload = Payload {
            sub: self.custom.sub.clone(),
            epoch: self.custom.epoch,
        };
        let secs = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(|at| at.timestamp());
        (payload, secs(self.issued_at), secs(self.expiration))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use zeroize::Zeroizing;

    fn session() -> Session {
        Session {
            member: PublicId::new(IdKind::Member, [9; 12]),
            epoch: 3,
        }
    }

    fn key(n: u8) -> Key {
        Zeroizing::new([n; 32])
    }

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    #[test]
    fn a_session_is_accepted_under_every_secret_of_the_list() {
        let token = issue(&key(1), &session(), NOW).unwrap();
        assert_eq!(verify(&[key(1)], &token, NOW), Some(session()));
        assert_eq!(verify(&[key(2), key(1)], &token, NOW), Some(session()));
        assert_eq!(verify(&[key(2)], &token, NOW), None);
        assert_eq!(verify(&[], &token, NOW), None);
    }

    #[test]
    fn a_session_ends_after_seven_days_and_is_not_valid_before_it_began() {
        let token = issue(&key(1), &session(), NOW).unwrap();
        for (after, valid) in [
            (0, true),
            (-60, true),
            (-61, false),
            (SESSION_SECS - 1, true),
            (SESSION_SECS, false),
        ] {
            assert_eq!(
                verify(&[key(1)], &token, NOW.plus(after)).is_some(),
                valid,
                "{after}"
            );
        }
    }

    #[test]
    fn a_forged_token_belongs_to_nobody() {
        let token = issue(&key(1), &session(), NOW).unwrap();
        let parts: Vec<&str> = token.split('.').collect();
        let header = |json: &str| URL_SAFE_NO_PAD.encode(json);
        for forged in [
            String::new(),
            String::from("..."),
            format!("{}.{}.", header(r#"{"alg":"none"}"#), parts[1]),
            format!("{}.{}.{}", header(r#"{"alg":"none"}"#), parts[1], parts[2]),
            format!("{}.{}.{}", header(r#"{"alg":"HS512"}"#), parts[1], parts[2]),
            format!(
                "{}.{}.{}",
                parts[0],
                header(r#"{"sub":"mem_0","epoch":3}"#),
                parts[2]
            ),
            format!("{}.{}", parts[0], parts[1]),
            format!("{token}x"),
            token.to_uppercase(),
        ] {
            assert_eq!(verify(&[key(1)], &forged, NOW), None, "{forged}");
        }
    }
}
