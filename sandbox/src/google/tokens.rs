//! `/token`: exchanges a code for tokens, and makes the ID token, truthfully or with a lie that a test asks for.

use super::certs::{self, Signer256};
use super::oauth_error;
use super::sign_in::Grant;
use super::sign_in_personas::GoogleBehaviour;
use crate::{
    Sandbox,
    clock::SECOND_MS,
    ledger::GoogleToken,
    message::{Request, Response, first, form},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const CODE_LIFE_MS: i64 = 600 * SECOND_MS;
const HOUR: i64 = 3_600;

/// How ID tokens, their keys and the answers around them are made, until a test says otherwise.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GoogleTokens {
    /// What is wrong with each ID token.
    pub lie: Option<TokenLie>,
    /// `max-age` of the published keys, in seconds.
    pub max_age: u32,
    /// No key is published.
    pub no_keys: bool,
    /// `expires_in` is a string.
    pub text_expires_in: bool,
}

impl Default for GoogleTokens {
    fn default() -> Self {
        Self {
            lie: None,
            max_age: 18_000,
            no_keys: false,
            text_expires_in: false,
        }
    }
}

macro_rules! lies {
    ($($(#[$about:meta])* $variant:ident),* $(,)?) => {
        /// What is odd about an ID token. All but `short_issuer` and `verified_as_text` have to be refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum TokenLie { $($(#[$about])* $variant),* }

        impl TokenLie {
            pub const ALL: &[Self] = &[$(Self::$variant),*];
        }
    };
}

lies! {
    /// The issuer without `https://`, which Google has used.
    ShortIssuer,
    /// `email_verified` as text, which old tokens have.
    VerifiedAsText,
    AlgNone,
    AlgHs256,
    AlgRs512,
    NoAlg,
    /// The `kid` of a published key, and the signature of another one.
    WrongSignature,
    EmptySignature,
    UnknownKid,
    NoKid,
    WrongIssuer,
    WrongAudience,
    ListOfAudiences,
    WrongAzp,
    Expired,
    NotYetIssued,
    LastsTooLong,
    OtherNonce,
    NoNonce,
    NoSub,
    EmptySub,
    NumericSub,
    LongSub,
    NoEmail,
    EmailUnverified,
    TwoSegments,
    FourSegments,
    ClaimTwice,
    HeaderTwice,
    NotJson,
    PaddedSegment,
    Oversized,
    NoToken,
}

impl TokenLie {
    /// Answers whether a token with this oddity is still one of Google's.
    #[must_use]
    pub const fn is_harmless(self) -> bool {
        matches!(self, Self::ShortIssuer | Self::VerifiedAsText)
    }
}

/// Exchanges a code.
pub(super) fn exchange(sandbox: &mut Sandbox, request: &Request, now: i64) -> Response {
    let fields = form(&request.body);
    let answer = match redeem(sandbox, &fields, now) {
        Ok(grant) => tokens(sandbox, &grant, now),
        Err((status, error, description)) => oauth_error(status, error, description),
    };
    answer.with(
        "cache-control",
        "no-cache, no-store, max-age=0, must-revalidate",
    )
}

type Refusal = (u16, &'static str, &'static str);

/// Redeems a code. The first exchange by the right client uses the code up, whether it succeeds or not.
fn redeem(sandbox: &mut Sandbox, fields: &[(String, String)], now: i64) -> Result<Grant, Refusal> {
    let given = |name: &str| first(fields, name);
    let settings = sandbox.settings();
    if given("client_id").as_deref() != Some(&settings.google_client_id) {
        return Err((401, "invalid_client", "The OAuth client was not found."));
    }
    if given("client_secret").as_deref() != Some(&settings.google_client_secret) {
        return Err((401, "invalid_client", "Unauthorized"));
    }
    if given("grant_type").as_deref() != Some("authorization_code") {
        return Err((400, "unsupported_grant_type", "Invalid grant_type"));
    }
    let codes = &mut sandbox.google.sign_in.codes;
    let grant = given("code").and_then(|code| codes.remove(&code));
    let grant = grant.ok_or((400, "invalid_grant", "Malformed auth code."))?;
    if now - grant.issued_at_ms >= CODE_LIFE_MS {
        return Err((400, "invalid_grant", "Bad Request"));
    }
    if given("redirect_uri").as_deref() != Some(&grant.redirect_uri) {
        return Err((400, "redirect_uri_mismatch", "Bad Request"));
    }
    let verifier = given("code_verifier")
        .map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())));
    if grant.challenge.is_some() && verifier != grant.challenge {
        return Err((400, "invalid_grant", "Invalid code verifier."));
    }
    Ok(grant)
}

fn tokens(sandbox: &mut Sandbox, grant: &Grant, now: i64) -> Response {
    let access_token = sandbox.generator.google_token();
    let id_token = id_token(sandbox, grant, now);
    let behaviour = &sandbox.google.tokens;
    let mut answer = json!({
        "access_token": access_token, "expires_in": 3_599, "token_type": "Bearer", "id_token": id_token,
        "scope": "openid https://www.googleapis.com/auth/userinfo.email",
    });
    if let Some(members) = answer.as_object_mut() {
        if behaviour.text_expires_in {
            members.insert("expires_in".to_owned(), json!("3599"));
        }
        if behaviour.lie == Some(TokenLie::NoToken) || !grant.scope.contains("openid") {
            members.remove("id_token");
        }
    }
    sandbox.ledger.google_tokens.push(GoogleToken {
        access_token,
        id_token,
        persona: grant.persona.id.to_string(),
        issued_at_ms: now,
    });
    Response::json(200, &answer)
}

/// The ID token of a grant.
fn id_token(sandbox: &Sandbox, grant: &Grant, now: i64) -> String {
    let lie = sandbox.google.tokens.lie;
    let state = sandbox.google.certs;
    let signer = match lie {
        Some(TokenLie::UnknownKid | TokenLie::WrongSignature) => Signer256::Unpublished,
        _ => Signer256::Current,
    };
    let kid = match lie {
        Some(TokenLie::WrongSignature) => certs::kid(state, Signer256::Current),
        _ => certs::kid(state, signer),
    };
    let mut header = json!({"alg": "RS256", "kid": kid, "typ": "JWT"});
    let mut claims = claims(sandbox, grant, now / SECOND_MS);
    if let (Some(lie), Some(header), Some(claims)) =
        (lie, header.as_object_mut(), claims.as_object_mut())
    {
        for (name, value) in header_lie(lie) {
            set(header, name, value);
        }
        for (name, value) in claim_lie(lie, now / SECOND_MS) {
            set(claims, name, value);
        }
    }
    let (header, claims) = (header.to_string(), claims.to_string());
    let (header, claims) = match lie {
        Some(TokenLie::HeaderTwice) => (twice(&header, "alg", "none"), claims),
        Some(TokenLie::ClaimTwice) => (header, twice(&claims, "sub", "1")),
        Some(TokenLie::NotJson) => (header, "a person".to_owned()),
        _ => (header, claims),
    };
    let mut signed = format!("{}.{}", encoded(&header), encoded(&claims));
    if lie == Some(TokenLie::PaddedSegment) {
        signed.push('=');
    }
    let signature = certs::sign(state, signer, &signed);
    match lie {
        Some(TokenLie::TwoSegments) => signed,
        Some(TokenLie::FourSegments) => format!("{signed}.{signature}.{signature}"),
        Some(TokenLie::AlgNone | TokenLie::EmptySignature) => format!("{signed}."),
        _ => format!("{signed}.{signature}"),
    }
}

fn claims(sandbox: &Sandbox, grant: &Grant, now: i64) -> Value {
    let persona = &grant.persona;
    let client = &sandbox.settings().google_client_id;
    let mut claims = json!({
        "iss": "https://accounts.google.com", "azp": client, "aud": client, "sub": persona.sub,
        "email": persona.email, "email_verified": persona.behaviour != GoogleBehaviour::Unverified, "at_hash": "c2FuZGJveC1hdC1oYXNo",
        "iat": now, "exp": now + HOUR,
    });
    if let Some(members) = claims.as_object_mut() {
        members.extend(persona.hd.map(|hd| ("hd".to_owned(), json!(hd))));
        members.extend(
            grant
                .nonce
                .as_ref()
                .map(|nonce| ("nonce".to_owned(), json!(nonce))),
        );
    }
    claims
}

/// The members of the header that a lie changes. Null takes the member out.
fn header_lie(lie: TokenLie) -> Vec<(&'static str, Value)> {
    match lie {
        TokenLie::AlgNone => vec![("alg", json!("none"))],
        TokenLie::AlgHs256 => vec![("alg", json!("HS256"))],
        TokenLie::AlgRs512 => vec![("alg", json!("RS512"))],
        TokenLie::NoAlg => vec![("alg", Value::Null)],
        TokenLie::NoKid => vec![("kid", Value::Null)],
        _ => Vec::new(),
    }
}

/// The claims that a lie changes. Null takes the claim out.
fn claim_lie(lie: TokenLie, now: i64) -> Vec<(&'static str, Value)> {
    const OTHER: &str = "another-client.apps.googleusercontent.example";
    match lie {
        TokenLie::ShortIssuer => vec![("iss", json!("accounts.google.com"))],
        TokenLie::WrongIssuer => vec![("iss", json!("https://accounts.google.com.evil.example"))],
        TokenLie::WrongAudience => vec![("aud", json!(OTHER))],
        TokenLie::ListOfAudiences => vec![("aud", json!([OTHER, crate::GOOGLE_CLIENT_ID]))],
        TokenLie::WrongAzp => vec![("azp", json!(OTHER))],
        TokenLie::Expired => vec![("iat", json!(now - 2 * HOUR)), ("exp", json!(now - 301))],
        TokenLie::NotYetIssued => vec![("iat", json!(now + 302)), ("exp", json!(now + HOUR))],
        TokenLie::LastsTooLong => vec![("exp", json!(now + 24 * HOUR + 302))],
        TokenLie::OtherNonce => vec![("nonce", json!("the nonce of another sign-in"))],
        TokenLie::NoNonce => vec![("nonce", Value::Null)],
        TokenLie::NoSub => vec![("sub", Value::Null)],
        TokenLie::EmptySub => vec![("sub", json!(""))],
        TokenLie::NumericSub => vec![("sub", json!(1_100_000_000_u64))],
        TokenLie::LongSub => vec![("sub", json!("1".repeat(256)))],
        TokenLie::NoEmail => vec![("email", Value::Null)],
        TokenLie::EmailUnverified => vec![("email_verified", json!(false))],
        TokenLie::VerifiedAsText => vec![("email_verified", json!("true"))],
        TokenLie::Oversized => vec![("picture", json!("x".repeat(16_000)))],
        _ => Vec::new(),
    }
}

fn set(members: &mut serde_json::Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value);
    }
}

/// The object with a member a second time.
fn twice(object: &str, name: &str, value: &str) -> String {
    let rest = object.strip_prefix('{').unwrap_or_default();
    format!("{{\"{name}\":\"{value}\",{rest}")
}

fn encoded(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}
