//! Who signs in with Google: exchanges the code, checks the ID token's signature with the key that it names, and reads its
//! claims.

use crate::app::context::App;
use crate::crypto::id_token::{ExpectedToken, TokenRefusal, UncheckedToken};
use crate::domain::people::identity::Identity;
use crate::ports::signatures::RsaPublicKey;
use crate::ports::upstreams::OAuthApp;
use crate::upstream::google;
use crate::upstream::google_keys::KnownKey;
use crate::upstream::sign_in::Failed;

/// Returns the person to whom the code belongs. `nonce` is the one that the person was sent to Google with.
pub async fn identify(
    app: &App,
    oauth: &OAuthApp,
    callback: &str,
    code: &str,
    verifier: &str,
    nonce: &str,
) -> Result<Identity, Failed> {
    let token = google::exchange(&app.upstream(), oauth, callback, code, verifier).await?;
    let token = UncheckedToken::read(&token).ok_or(Failed::Unproved)?;
    let key = key_of(app, &token.kid).await?;
    let is_signed = app
        .signatures
        .is_rs256(&key, token.signed, &token.signature)
        .await;
    if is_signed != Ok(true) {
        return Err(Failed::Unproved);
    }
    let expected = ExpectedToken {
        client_id: &oauth.client_id,
        nonce,
        now: app.now(),
    };
    token.identity(&expected).map_err(|refusal| match refusal {
        TokenRefusal::Claims => Failed::Unproved,
        TokenRefusal::UnverifiedEmail => Failed::UnverifiedEmail,
    })
}

/// Returns the key of this name. Google is asked if this isolate does not know it, or has not asked for long.
async fn key_of(app: &App, kid: &str) -> Result<RsaPublicKey, Failed> {
    let find = || app.google_keys.borrow().find(kid, app.now());
    let mut found = find();
    if found == KnownKey::Ask {
        app.google_keys.borrow_mut().ask(app.now());
        if let Some(keys) = google::keys(&app.upstream()).await {
            app.google_keys.borrow_mut().learn(keys, app.now());
        }
        found = find();
    }
    match found {
        KnownKey::Key(key) => Ok(key),
        KnownKey::Unknown => Err(Failed::Unproved),
        KnownKey::Ask | KnownKey::Unanswered => Err(Failed::Unavailable),
    }
}
