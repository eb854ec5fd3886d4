//! ID tokens of Google (OpenID Connect Core, section 3.1.3.7): what they say is believed only if each check holds.
//!
//! Reading a token and checking its claims are apart, because the signature is checked in between, by the platform.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use subtle::ConstantTimeEq;

use crate::domain::people::identity::{AGE_UNKNOWN, Identity, Provider};
use crate::domain::time::Timestamp;
use crate::ports::json::members::read_typed;
use crate::ports::json::parse;

/// The most bytes of a token. Google's have about 1,200.
const MAX_BYTES: usize = 8_192;
/// How many seconds Google's clock and ours may differ.
const SKEW_SECS: i64 = 300;
/// A token that ends later than this is none of Google's, which last an hour.
const LONGEST_SECS: i64 = 86_400;
/// Both spellings of Google's name.
const ISSUERS: [&str; 2] = ["https://accounts.google.com", "accounts.google.com"];
const ALGORITHM: &str = "RS256";
/// The most digits of `sub`.
const SUB_CHARS: usize = 255;
/// The most characters of an e-mail address (RFC 5321) and of a domain (RFC 1035).
const EMAIL_CHARS: usize = 254;
const DOMAIN_CHARS: usize = 253;

/// A token whose signature is not checked yet. Nothing can be read of it but which key has to have signed what.
pub struct UncheckedToken<'a> {
    /// The name of the key.
    pub kid: String,
    /// The text that is signed.
    pub signed: &'a str,
    pub signature: Vec<u8>,
    claims: &'a str,
}

/// A parameter of the header. `crit` names extensions that a reader has to know; we know none.
#[derive(Deserialize)]
struct HeaderBody {
    alg: String,
    kid: String,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct ClaimsBody {
    iss: String,
    aud: String,
    azp: Option<String>,
    sub: String,
    iat: i64,
    exp: i64,
    nonce: String,
    email: String,
    /// A boolean; old tokens have a text.
    email_verified: Value,
    hd: Option<String>,
}

/// What a token has to be made for.
pub struct ExpectedToken<'a> {
    pub client_id: &'a str,
    pub nonce: &'a str,
    pub now: Timestamp,
}

/// Why a token whose signature is good proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// A claim is missing, malformed, or meant for somebody else or for another time.
    Claims,
    /// The person has not verified their e-mail address.
    UnverifiedEmail,
}

impl<'a> UncheckedToken<'a> {
    /// Reads a token. Returns `None` unless it has three segments of base64url, is small enough, and its header asks for
    /// RS256 and names a key.
    pub fn read(token: &'a str) -> Option<Self> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: HeaderBody = object(header)?;
        (header.alg == ALGORITHM && header.crit.is_none()).then_some(())?;
        Some(Self {
            kid: header.kid,
            signed,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
            claims,
        })
    }

    /// The person that the token names. The caller has checked its signature.
    pub fn identity(&self, expected: &ExpectedToken<'_>) -> Result<Identity, TokenRefusal> {
        let claims: ClaimsBody = object(self.claims).ok_or(TokenRefusal::Claims)?;
        if !(claims.is_for(expected) && claims.is_current(expected.now) && claims.is_in_form()) {
            return Err(TokenRefusal::Claims);
        }
        if claims.email_verified != Value::Bool(true) && claims.email_verified != "true" {
            return Err(TokenRefusal::UnverifiedEmail);
        }
        Ok(Identity {
            provider: Provider::Google,
            subject: claims.sub,
            login: claims.email.to_ascii_lowercase(),
            account_created_at: AGE_UNKNOWN,
            hosted_domain: claims.hd.map(|domain| domain.to_ascii_lowercase()),
        })
    }
}

impl ClaimsBody {
    fn is_for(&self, expected: &ExpectedToken<'_>) -> bool {
        let nonce = self.nonce.as_bytes().ct_eq(expected.nonce.as_bytes());
        ISSUERS.contains(&self.iss.as_str())
            && self.aud == expected.client_id
            && self
                .azp
                .as_deref()
                .is_none_or(|azp| azp == expected.client_id)
            && bool::from(nonce)
    }

    fn is_current(&self, now: Timestamp) -> bool {
        let (issued, ends) = (
            Timestamp::from_secs(self.iat),
            Timestamp::from_secs(self.exp),
        );
        issued <= now.plus(SKEW_SECS)
            && now < ends.plus(SKEW_SECS)
            && ends <= now.plus(LONGEST_SECS).plus(SKEW_SECS)
    }

    fn is_in_form(&self) -> bool {
        let is_number = self.sub.bytes().all(|byte| byte.is_ascii_digit());
        let is_plain = |text: &str| !text.chars().any(|c| c.is_control() || c.is_whitespace());
        let domain = self.hd.as_deref().unwrap_or("none");
        is_number
            && (1..=SUB_CHARS).contains(&self.sub.len())
            && self.email.len() <= EMAIL_CHARS
            && self.email.contains('@')
            && is_plain(&self.email)
            && (1..=DOMAIN_CHARS).contains(&domain.len())
            && is_plain(domain)
    }
}

/// Reads a segment: base64url without padding, and in it a JSON object without a member twice.
fn object<T: DeserializeOwned>(segment: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(segment).ok()?;
    read_typed(parse(&bytes)?).ok()
}
