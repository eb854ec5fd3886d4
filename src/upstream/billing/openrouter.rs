//! OpenRouter's OAuth with PKCE: the member's own OpenRouter account makes the key. Such keys are in no list of ours.
//! <https://openrouter.ai/docs/use-cases/oauth-pkce>

use serde_json::json;
use url::Url;

use crate::ports::Call;
use crate::ports::upstreams::Upstreams;
use crate::upstream::billing::provider::{BillingProvider, Proof, SignInRequest};
use crate::upstream::client;

pub static OPENROUTER: BillingProvider = BillingProvider {
    slug: "openrouter",
    returns: "code",
    sign_in,
    exchange,
    key_members: &["key"],
    keys_page: Some("https://openrouter.ai/settings/keys"),
};

/// OpenRouter documents no `state`, so it travels in the address of the callback.
fn sign_in(bases: &Upstreams, request: &SignInRequest<'_>) -> Option<Url> {
    let mut callback = Url::parse(request.callback).ok()?;
    callback
        .query_pairs_mut()
        .append_pair("state", request.state);
    let mut url = bases.openrouter_auth.clone();
    url.query_pairs_mut()
        .append_pair("callback_url", callback.as_str())
        .append_pair("code_challenge", request.challenge)
        .append_pair("code_challenge_method", "S256")
        .append_pair("key_label", request.key_name);
    Some(url)
}

/// The code is proof enough: the call carries no credential, and above all not the management key.
fn exchange(bases: &Upstreams, proof: &Proof<'_>) -> Option<Call> {
    let call = client::call("POST", &bases.openrouter_api, "/auth/keys")?;
    Some(call.json(&json!({
        "code": proof.value.expose(),
        "code_verifier": proof.verifier,
        "code_challenge_method": "S256",
    })))
}
