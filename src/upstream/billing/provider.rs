//! What a billing provider is, and the one call by which it makes a key.

use serde_json::Value;
use url::Url;

use crate::domain::key::secret::Secret;
use crate::ports::upstreams::Upstreams;
use crate::ports::{Answer, Call, Outcome};
use crate::upstream::client::UpstreamClient;

/// The deadline of the exchange in milliseconds. It is sent once: each repetition could make one more key.
const EXCHANGE_DEADLINE_MS: u32 = 10_000;
/// The longest code, token or key that is taken. A token of Daydream's is a JWT of a few hundred characters.
const VALUE_CHARS: usize = 4_096;
/// The fewest characters of a key.
const KEY_CHARS: usize = 16;

/// A provider, as data.
pub struct BillingProvider {
    /// Its name in addresses and in the database.
    pub slug: &'static str,
    /// The parameter of our callback that has the code or token.
    pub returns: &'static str,
    pub(super) sign_in: fn(&Upstreams, &SignInRequest<'_>) -> Option<Url>,
    pub(super) exchange: fn(&Upstreams, &Proof<'_>) -> Option<Call>,
    /// The members of a good answer of which one has the key.
    pub(super) key_members: &'static [&'static str],
    /// Where a member ends such a key, if the provider has a page for it.
    pub keys_page: Option<&'static str>,
}

/// What the provider's sign-in page gets.
pub struct SignInRequest<'a> {
    /// The address of our callback for this provider.
    pub callback: &'a str,
    pub state: &'a str,
    /// The PKCE challenge of the verifier (RFC 7636, S256).
    pub challenge: &'a str,
    /// The name that the key gets at the provider.
    pub key_name: &'a str,
}

/// What the exchange needs.
pub struct Proof<'a> {
    /// The code or token with which the browser came back.
    pub value: &'a Secret,
    pub verifier: &'a str,
    pub key_name: &'a str,
}

/// How an exchange ended.
pub enum Exchanged {
    Key(Secret),
    /// The provider made no key.
    Refused,
    /// The provider may have made a key, which nobody has.
    Unknown,
}

impl BillingProvider {
    /// The address at which the person signs in.
    pub fn sign_in_url(&self, bases: &Upstreams, request: &SignInRequest<'_>) -> Option<Url> {
        (self.sign_in)(bases, request)
    }

    /// Turns a code or token into a key, in one call that carries no credential of ours.
    pub async fn exchange(&self, upstream: &UpstreamClient<'_>, proof: &Proof<'_>) -> Exchanged {
        let Some(call) = (self.exchange)(upstream.bases, proof) else {
            return Exchanged::Refused;
        };
        match upstream
            .http
            .send(call.within_ms(EXCHANGE_DEADLINE_MS))
            .await
        {
            Outcome::Unsent => Exchanged::Refused,
            Outcome::Unknown => Exchanged::Unknown,
            Outcome::Answer(answer) => self.read(&answer),
        }
    }

    /// What an answer to the exchange says.
    pub(super) fn read(&self, answer: &Answer) -> Exchanged {
        match answer.status {
            200..=299 => self
                .key_in(answer)
                .map_or(Exchanged::Unknown, Exchanged::Key),
            // A page of something on the way says nothing about what the provider did.
            400..=499 if answer.status != 408 && !answer.content_type.starts_with("text/html") => {
                Exchanged::Refused
            }
            _ => Exchanged::Unknown,
        }
    }

    fn key_in(&self, answer: &Answer) -> Option<Secret> {
        let body: Value = crate::ports::json::parse(&answer.body)?;
        let mut texts = self
            .key_members
            .iter()
            .filter_map(|name| body.get(name)?.as_str());
        let key = texts.next()?;
        (key.len() >= KEY_CHARS && is_value(key)).then(|| Secret::new(key.to_owned()))
    }
}

/// Answers whether a text can be a code, a token or a key: visible ASCII, and not too long.
pub fn is_value(text: &str) -> bool {
    (1..=VALUE_CHARS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The masked form of a key, as OpenRouter writes it: the beginning and the last characters. Of a short key it shows less.
pub fn mask(key: &str) -> String {
    let head = if key.starts_with("sk-or-v1-") { 12 } else { 4 };
    let tail = key.len().saturating_sub(3);
    let part = |range: std::ops::Range<usize>| key.get(range).unwrap_or_default();
    format!("{}...{}", part(0..head), part(tail..key.len()))
}
