//! What a guardrail allows, and how a workspace's default guardrail is changed so that it lets no request through.
//!
//! Every workspace has a default guardrail, which governs everything in it; lists of several guardrails combine by
//! intersection. Source: OpenRouter's documentation of guardrails.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::upstream::client::UpstreamClient;
use crate::upstream::openrouter::guardrails::is_plain;
use crate::upstream::openrouter::{UpstreamRefusal, UpstreamReply, management, read, safe};

/// A model that does not exist. Requests for any other model are refused where it is the only one that is allowed.
const NO_MODEL: &str = "keycap/no-model";
/// A provider that does not exist.
const NO_PROVIDER: &str = "keycap-no-provider";

/// The rules of a guardrail that closing a workspace may change. A rule that is `None` does not restrict anything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GuardrailRules {
    #[serde(default)]
    allowed_models: Option<Vec<String>>,
    #[serde(default)]
    allowed_providers: Option<Vec<String>>,
    /// In USD.
    #[serde(default)]
    limit_usd: Option<f64>,
    #[serde(default)]
    reset_interval: Option<String>,
}

impl GuardrailRules {
    /// The rules that let nothing through, in the order in which they are tried. It is not documented which of them
    /// OpenRouter accepts. The last one still lets a key spend a cent in a month.
    pub fn closing(&self) -> [Self; 3] {
        let only = |name: &str| Some(vec![name.to_owned()]);
        [
            Self {
                allowed_models: only(NO_MODEL),
                ..self.clone()
            },
            Self {
                allowed_providers: only(NO_PROVIDER),
                ..self.clone()
            },
            Self {
                limit_usd: Some(0.01),
                reset_interval: Some(String::from("monthly")),
                ..self.clone()
            },
        ]
    }

    /// These rules without what closed the workspace: there, it is as in `before`. Returns `None` if nothing of it is left.
    pub fn opened(&self, before: &Self) -> Option<Self> {
        let [no_model, no_provider, a_cent] = before.closing();
        let mut opened = self.clone();
        if self.allowed_models == no_model.allowed_models {
            opened.allowed_models.clone_from(&before.allowed_models);
        }
        if self.allowed_providers == no_provider.allowed_providers {
            let before = &before.allowed_providers;
            opened.allowed_providers.clone_from(before);
        }
        if (&self.limit_usd, &self.reset_interval) == (&a_cent.limit_usd, &a_cent.reset_interval) {
            opened.limit_usd = before.limit_usd;
            opened.reset_interval.clone_from(&before.reset_interval);
        }
        (opened != *self).then_some(opened)
    }
}

/// `GET /guardrails/{id}`. A default guardrail may be missing until it is changed for the first time: then it restricts
/// nothing.
pub async fn read_rules(
    upstream: &UpstreamClient<'_>,
    guardrail: &str,
) -> UpstreamReply<GuardrailRules> {
    if !is_plain(guardrail) {
        return UpstreamReply::Unknown;
    }
    let path = format!("/guardrails/{guardrail}");
    match safe(upstream, "GET", &path).await.data(upstream) {
        UpstreamReply::Missing => UpstreamReply::Is(GuardrailRules::default()),
        other => other,
    }
}

/// `PATCH /guardrails/{id}`, sent once, since a repeated change could take effect after the next one. It is done only if
/// the answer shows the rules.
pub async fn change_rules(
    upstream: &UpstreamClient<'_>,
    guardrail: &str,
    rules: &GuardrailRules,
) -> UpstreamReply<()> {
    let Some(call) = management(upstream, "PATCH", &format!("/guardrails/{guardrail}")) else {
        return UpstreamReply::Refused(UpstreamRefusal::Credential);
    };
    let outcome = upstream.http.send(call.json(&json!(rules))).await;
    match read(&outcome).data::<GuardrailRules>(upstream) {
        UpstreamReply::Is(shown) if shown == *rules => UpstreamReply::Is(()),
        UpstreamReply::Is(_) => UpstreamReply::Unknown,
        other => other.map(|_| ()),
    }
}
