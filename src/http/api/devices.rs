//! `/api/v1/device/…`: device grants (RFC 8628). A terminal begins one and asks for its key with forms, as the clients of OAuth
//! do; a member looks up, approves or denies it by its code.

use serde::{Deserialize, Serialize};

use crate::app::device::{self, Approval, Terminal, Typing};
use crate::app::error::Error;
use crate::domain::key::secret::Secret;
use crate::domain::people::device::{
    DeviceRefusal, DeviceState, GRANT_SECS, GRANT_TYPE, INTERVAL_SECS, claimed_name,
};
use crate::domain::time::Timestamp;
use crate::http::api::claim;
use crate::http::api::key_answer;
use crate::http::api::keys::KeyBody;
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;
use crate::store::devices::TypedGrant;

const BAD_CLIENT: Error = Error::BadRequest {
    detail: "client_id must have 1 to 64 characters, and at least one that can be seen.",
};
const BAD_DEVICE: Error = Error::BadRequest {
    detail: "device_name must have 1 to 64 characters, and at least one that can be seen.",
};
const NO_GRANT_TYPE: Error = Error::BadRequest {
    detail: "grant_type is required.",
};
const NO_DEVICE_CODE: Error = Error::BadRequest {
    detail: "device_code is required.",
};

/// What a terminal begins with, as a form.
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DeviceCodeRequest {
    /// What the terminal calls itself: 1 to 64 characters. No client is registered; the page shows it as the terminal's own
    /// word.
    client_id: String,
    /// The machine that it runs on: 1 to 64 characters, shown alike.
    device_name: Option<String>,
}

/// A terminal's question, as a form.
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DeviceTokenRequest {
    /// `urn:ietf:params:oauth:grant-type:device_code`.
    grant_type: String,
    device_code: String,
    /// The same as at the beginning.
    client_id: String,
}

/// The codes of a grant (RFC 8628, section 3.2).
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DeviceCodesBody {
    /// What the terminal asks with. It stays in the terminal.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "String"))]
    device_code: (),
    /// What the person types.
    user_code: String,
    /// Where they type it.
    verification_uri: String,
    /// The same page, which then shows the terminal at once. The code is typed there all the same.
    verification_uri_complete: String,
    /// In seconds.
    expires_in: i64,
    /// How long the terminal waits between two questions, in seconds. Each `slow_down` adds five.
    interval: i64,
}

/// The key that was made for a terminal (RFC 6749, section 5.1).
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DeviceTokenBody {
    /// The secret of the key, only in this one answer, and never again. OpenRouter takes it as a bearer token.
    #[cfg_attr(not(target_arch = "wasm32"), schemars(with = "String"))]
    access_token: (),
    /// `Bearer`.
    token_type: &'static str,
    /// In seconds, until the key expires.
    expires_in: i64,
    key: KeyBody,
    /// Why the key does not work yet.
    note: Option<String>,
}

/// The code that a terminal shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct UserCodeRequest {
    /// Eight letters. Capitals, blanks and dashes make no difference.
    user_code: String,
}

/// A terminal's request is approved: the next question of the terminal makes the key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DeviceApproveRequest {
    /// Eight letters. Capitals, blanks and dashes make no difference.
    user_code: String,
    /// The revision of the terms that the member accepts with this approval, as a claim does.
    accept_terms: Option<i64>,
    /// The id of the workspace in which the key is made. It is needed while several are enabled.
    workspace_id: Option<String>,
}

/// A terminal that asks for a key.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct DeviceGrantBody {
    /// What the terminal calls itself. Nobody has checked it.
    client: String,
    /// The machine that it says it runs on. Nobody has checked it.
    device: Option<String>,
    state: DeviceState,
    /// Whether it asks from the network address of this browser. It is null if one of them is not known.
    same_address: Option<bool>,
    created_at: Timestamp,
    expires_at: Timestamp,
}

/// The terminal with this code.
#[derive(Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct OneDeviceGrantBody {
    grant: DeviceGrantBody,
}

/// A field of the form, or an empty text, which counts as missing.
fn field(context: &Context, name: &str) -> Result<String, Error> {
    Ok(context.field(name)?.unwrap_or_default())
}

/// Answers 200 with the codes of a new grant.
pub async fn begin(context: Context) -> Result<Reply, Error> {
    let asked = DeviceCodeRequest {
        client_id: field(&context, "client_id")?,
        device_name: context.field("device_name")?,
    };
    let client = claimed_name(&asked.client_id).map_err(|_| BAD_CLIENT)?;
    let device = asked.device_name.as_deref().map(claimed_name).transpose();
    let device = device.map_err(|_| BAD_DEVICE)?;
    let terminal = Terminal {
        client: &client,
        device: device.as_deref(),
        address: context.address.as_deref(),
    };
    let codes = device::begin(&context.app, &terminal).await?;
    let page = [context.app.config.public_origin.as_str(), "/device"].concat();
    let body = DeviceCodesBody {
        device_code: (),
        verification_uri_complete: [&page, "#", &codes.user_code].concat(),
        verification_uri: page,
        user_code: codes.user_code,
        expires_in: GRANT_SECS,
        interval: INTERVAL_SECS,
    };
    Ok(Reply::json(200, &body)?.with_secret_in("device_code", codes.device_code))
}

/// Answers 200 with the key, once; every other answer says why not, or when to ask again.
pub async fn token(context: Context) -> Result<Reply, Error> {
    let asked = DeviceTokenRequest {
        grant_type: field(&context, "grant_type")?,
        device_code: field(&context, "device_code")?,
        client_id: field(&context, "client_id")?,
    };
    if asked.grant_type.is_empty() {
        return Err(NO_GRANT_TYPE);
    }
    if asked.grant_type != GRANT_TYPE {
        return Err(DeviceRefusal::UnsupportedGrantType.into());
    }
    if asked.device_code.is_empty() {
        return Err(NO_DEVICE_CODE);
    }
    let client = claimed_name(&asked.client_id).map_err(|_| BAD_CLIENT)?;
    let device_code = Secret::new(asked.device_code);
    let (card, secret) = device::ask(&context.app, &device_code, &client).await?;
    let now = context.app.now();
    let body = DeviceTokenBody {
        access_token: (),
        token_type: "Bearer",
        expires_in: card.expires_at.since(now),
        note: key_answer::waits_for_its_window(&card, now),
        key: KeyBody::new(card, now),
    };
    Ok(Reply::json(200, &body)?.with_secret_in("access_token", secret))
}

fn told(found: TypedGrant) -> Result<Reply, Error> {
    let grant = DeviceGrantBody {
        client: found.client,
        device: found.device,
        state: found.state,
        same_address: found.same_address,
        created_at: found.created_at,
        expires_at: found.expires_at,
    };
    Reply::json(200, &OneDeviceGrantBody { grant })
}

/// Answers 200 with the terminal that has this code.
pub async fn look_up(context: Context) -> Result<Reply, Error> {
    let UserCodeRequest { user_code } = context.json()?;
    let typing = Typing {
        session: &context.member()?,
        code: &user_code,
        address: context.address.as_deref(),
    };
    told(device::look_up(&context.app, &typing).await?)
}

/// Answers 200 with the terminal, which gets a key with its next question.
pub async fn approve(context: Context) -> Result<Reply, Error> {
    let wanted: DeviceApproveRequest = context.json()?;
    let approval = Approval {
        accepts_terms: claim::accepts_terms(wanted.accept_terms)?,
        workspace: claim::workspace(wanted.workspace_id.as_deref())?,
    };
    let typing = Typing {
        session: &context.member()?,
        code: &wanted.user_code,
        address: context.address.as_deref(),
    };
    told(device::approve(&context.app, &typing, approval).await?)
}

/// Answers 200 with the terminal, which gets no key.
pub async fn deny(context: Context) -> Result<Reply, Error> {
    let UserCodeRequest { user_code } = context.json()?;
    let typing = Typing {
        session: &context.member()?,
        code: &user_code,
        address: context.address.as_deref(),
    };
    told(device::deny(&context.app, &typing).await?)
}
