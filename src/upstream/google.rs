//! Google's sign-in (OpenID Connect): the page, the exchange of a code for an ID token, and the keys that sign ID
//! tokens. Nothing else is asked of Google, and its access token is never read.

use serde::Deserialize;
use url::Url;

use crate::ports::signatures::RsaPublicKey;
use crate::ports::upstreams::OAuthApp;
use crate::ports::{Answer, Outcome};
use crate::upstream::client::{self, UpstreamClient, read, send_safe};
use crate::upstream::sign_in::{Authorization, Failed};

/// The name under which Google issues answers and tokens.
pub const ISSUER: &str = "https://accounts.google.com";
/// Sign-in reads who the person is, and no more.
const SCOPE: &str = "openid email";
/// The most bytes of an answer to a code: Google's tokens are about 2 KB.
const MAX_BYTES: usize = 32_768;
/// The fewest characters of a modulus that is taken: those of 2,048 bits.
const MODULUS_CHARS: usize = 342;
/// How long published keys are used, in seconds, if the answer does not say it; and the shortest and longest time that
/// is believed.
const USED_SECS: i64 = 300;
const USED_SECS_RANGE: (i64, i64) = (60, 86_400);

/// Reads the `error` that Google sends with the callback or in a token answer. An unknown one counts as an expired code.
pub fn failed(error: &str) -> Failed {
    match error {
        "access_denied" | "org_internal" | "admin_policy_enforced" => Failed::Denied,
        "redirect_uri_mismatch"
        | "invalid_client"
        | "unauthorized_client"
        | "deleted_client"
        | "disabled_client"
        | "unsupported_grant_type"
        | "invalid_request" => Failed::Misconfigured,
        "internal_failure" | "server_error" | "temporarily_unavailable" => Failed::Unavailable,
        _ => Failed::Expired,
    }
}

/// The URL where the person signs in. It uses PKCE with S256 and a nonce.
pub fn authorize_url(
    upstream: &UpstreamClient<'_>,
    oauth: &OAuthApp,
    ask: &Authorization<'_>,
) -> Option<Url> {
    let mut url = upstream.bases.google_auth.clone();
    url.query_pairs_mut()
        .append_pair("client_id", &oauth.client_id)
        .append_pair("redirect_uri", ask.callback)
        .append_pair("response_type", "code")
        .append_pair("scope", SCOPE)
        .append_pair("state", ask.state)
        .append_pair("nonce", ask.nonce)
        .append_pair("code_challenge", ask.challenge)
        .append_pair("code_challenge_method", "S256");
    if ask.choose_account {
        url.query_pairs_mut()
            .append_pair("prompt", "select_account");
    }
    Some(url)
}

#[derive(Deserialize)]
struct GoogleTokenBody {
    id_token: String,
}

/// The error of Google's token endpoint.
#[derive(Deserialize)]
struct GoogleErrorBody {
    error: String,
}

/// Exchanges the callback's code for an ID token. The call is sent once: a code can be used only once, so a repeated call
/// could only fail.
pub async fn exchange(
    upstream: &UpstreamClient<'_>,
    oauth: &OAuthApp,
    callback: &str,
    code: &str,
    verifier: &str,
) -> Result<String, Failed> {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("code", code)
        .append_pair("client_id", &oauth.client_id)
        .append_pair("client_secret", oauth.client_secret.expose())
        .append_pair("redirect_uri", callback)
        .append_pair("grant_type", "authorization_code")
        .append_pair("code_verifier", verifier)
        .finish();
    let mut call =
        client::call("POST", &upstream.bases.google_token, "").ok_or(Failed::Misconfigured)?;
    call.body = Some(form);
    call.max_bytes = MAX_BYTES;
    let call = call.header(
        "content-type",
        String::from("application/x-www-form-urlencoded"),
    );
    let Outcome::Answer(answer) = upstream.http.send(call).await else {
        return Err(Failed::Unavailable);
    };
    match answer.status {
        200 => {
            let body = answer.json().ok_or(Failed::Unavailable)?;
            let body: GoogleTokenBody = read(upstream.log, body).ok_or(Failed::Unproved)?;
            Ok(body.id_token)
        }
        429 => Err(Failed::RateLimited),
        400..=403 => Err(refused(upstream, &answer)),
        _ => Err(Failed::Unavailable),
    }
}

/// A proxy on the way that refuses with a page of its own knows nothing of the code.
fn refused(upstream: &UpstreamClient<'_>, answer: &Answer) -> Failed {
    let body = answer.json().and_then(|body| read(upstream.log, body));
    body.map_or(Failed::Unavailable, |body: GoogleErrorBody| {
        failed(&body.error)
    })
}

/// A key that signs ID tokens, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    pub kid: String,
    pub key: RsaPublicKey,
}

#[derive(Deserialize)]
struct CertsBody {
    keys: Vec<CertBody>,
}

/// A key of any kind, of which only those for RS256 are read.
#[derive(Deserialize)]
struct CertBody {
    kid: Option<String>,
    kty: String,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl CertBody {
    fn published(self) -> Option<PublishedKey> {
        let for_rs256 = self.kty == "RSA" && self.alg.is_none_or(|alg| alg == "RS256");
        let n = self.n.filter(|n| for_rs256 && n.len() >= MODULUS_CHARS)?;
        Some(PublishedKey {
            kid: self.kid?,
            key: RsaPublicKey { n, e: self.e? },
        })
    }
}

/// Reads the keys that sign ID tokens now, and for how many seconds they may be used. Returns `None` if Google does not
/// answer.
pub async fn keys(upstream: &UpstreamClient<'_>) -> Option<(Vec<PublishedKey>, i64)> {
    let call = client::call("GET", &upstream.bases.google_keys, "")?;
    let Outcome::Answer(answer) = send_safe(upstream, call).await else {
        return None;
    };
    let body = answer.json().filter(|_| answer.status == 200)?;
    let body: CertsBody = read(upstream.log, body)?;
    let keys = body.keys.into_iter().filter_map(CertBody::published);
    Some((keys.collect(), used_secs(&answer)))
}

/// How long the answer may be used from now on: `max-age` of `Cache-Control`, less the `Age` that it has already.
fn used_secs(answer: &Answer) -> i64 {
    let control = answer.cache_control.as_deref().unwrap_or_default();
    let max_age = control
        .split(',')
        .find_map(|part| part.trim().strip_prefix("max-age=")?.parse().ok());
    let age = answer
        .age
        .as_deref()
        .and_then(|age| age.trim().parse().ok());
    let (shortest, longest) = USED_SECS_RANGE;
    max_age
        .unwrap_or(USED_SECS)
        .saturating_sub(age.unwrap_or(0))
        .clamp(shortest, longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_keys_are_used_as_long_as_their_answer_says_within_reason() {
        let answer = |control: Option<&str>, age: Option<&str>| Answer {
            status: 200,
            content_type: String::new(),
            retry_after: None,
            cache_control: control.map(str::to_owned),
            age: age.map(str::to_owned),
            body: Vec::new(),
        };
        for (control, age, secs) in [
            (Some("public, max-age=18000, must-revalidate"), None, 18_000),
            (Some("public, max-age=18000"), Some("17000"), 1_000),
            (Some("max-age=18000"), Some("18000"), 60),
            (Some("max-age=0"), None, 60),
            (Some("max-age=99999999"), None, 86_400),
            (Some("max-age=-1"), Some("x"), 60),
            (Some("no-store"), None, 300),
            (None, Some("10"), 290),
            (None, None, 300),
        ] {
            assert_eq!(
                used_secs(&answer(control, age)),
                secs,
                "{control:?} {age:?}"
            );
        }
    }

    #[test]
    fn only_long_keys_for_rs256_are_taken() {
        let key = |kty: &str, alg: Option<&str>, n: Option<&str>| CertBody {
            kid: Some(String::from("a")),
            kty: kty.to_owned(),
            alg: alg.map(str::to_owned),
            n: n.map(str::to_owned),
            e: Some(String::from("AQAB")),
        };
        let long = "A".repeat(342);
        assert!(key("RSA", Some("RS256"), Some(&long)).published().is_some());
        assert!(key("RSA", None, Some(&long)).published().is_some());
        for other in [
            key("EC", Some("ES256"), None),
            key("oct", Some("HS256"), Some(&long)),
            key("RSA", Some("PS256"), Some(&long)),
            key("RSA", Some("RS256"), Some(&long[1..])),
            key("RSA", Some("RS256"), None),
        ] {
            assert!(other.published().is_none());
        }
    }
}
