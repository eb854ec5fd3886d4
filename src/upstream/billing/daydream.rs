//! Livepeer Daydream: the browser comes back with a short-lived token, which one call turns into a key. It is no OAuth:
//! there is no client, no code and no PKCE, and Daydream checks the callback against its own list. What is known comes
//! from the open clients of Daydream and of the NaaP gateway.

use serde_json::json;
use url::Url;

use crate::ports::Call;
use crate::ports::upstreams::Upstreams;
use crate::upstream::billing::provider::{BillingProvider, Proof, SignInRequest};
use crate::upstream::client;

pub static DAYDREAM: BillingProvider = BillingProvider {
    slug: "daydream",
    returns: "token",
    sign_in,
    exchange,
    // The clients read different ones of these.
    key_members: &["apiKey", "api_key", "key"],
    // No client lists keys or ends one.
    keys_page: None,
};

fn sign_in(bases: &Upstreams, request: &SignInRequest<'_>) -> Option<Url> {
    let mut url = bases.daydream_auth.clone();
    url.query_pairs_mut()
        .append_pair("redirect_url", request.callback)
        .append_pair("state", request.state);
    Some(url)
}

fn exchange(bases: &Upstreams, proof: &Proof<'_>) -> Option<Call> {
    let call = client::call("POST", &bases.daydream_api, "/v1/api-key")?;
    let bearer = format!("Bearer {}", proof.value.expose());
    Some(
        call.header("authorization", bearer)
            .json(&json!({ "name": proof.key_name })),
    )
}
