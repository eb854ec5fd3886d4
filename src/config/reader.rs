//! Reads one setting at a time from its text. A malformed setting is fatal. A missing one closes what needs it.

use url::Url;

use crate::config::forms;
use crate::domain::key::secret::Secret;
use crate::domain::money::NanoUsd;
use crate::domain::policy::gate::ClaimTerms;
use crate::domain::policy::origin::{Origin, is_safe};
use crate::domain::policy::plan_seed::PlanSeed;
use crate::domain::run::WorkersPlan;
use crate::domain::time::period::LimitReset;
use crate::ports::upstreams::OAuthApp;
use crate::ports::upstreams::Upstreams;

/// The fewest bytes of a session secret: HS256 needs as many as its hash has (RFC 7518, section 3.2).
const SESSION_SECRET_BYTES: usize = 32;
/// A plan with a higher limit than this, in USD, is taken for a typing error.
const LIMIT_CEILING_USD: &str = "10000";
/// A larger number of seats than this is taken for a typing error.
const SEATS_CEILING: i64 = 10_000_000;
/// The model of the examples if none is set. This name always means the newest model, so it does not become outdated.
const EXAMPLE_MODEL: &str = "~openai/gpt-latest";

/// Google's addresses, as its discovery document has them.
const GOOGLE_AUTH: &str = "https://accounts.google.com/o/oauth2/v2/auth";
const GOOGLE_TOKEN: &str = "https://oauth2.googleapis.com/token";
const GOOGLE_KEYS: &str = "https://www.googleapis.com/oauth2/v3/certs";

/// What is wrong with one setting. It names the variable, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(schemars::JsonSchema),
    schemars(rename = "SettingProblem")
)]
pub struct Problem {
    pub setting: &'static str,
    pub problem: &'static str,
}

/// What the pages say about this deployment in addition to its rules.
pub struct Published {
    /// `EXAMPLE_MODEL`: the model that examples name.
    pub example_model: String,
    /// `SOURCE_URL`: the address of the code. Without it, the pages have no link to the code.
    pub source_url: Option<Url>,
    /// `SECURITY_CONTACT`: the contact in security.txt. Without it, there is no security.txt.
    pub security_contact: Option<Url>,
}

/// Reads settings and collects what is wrong with them.
pub(crate) struct SettingsReader<'a> {
    pub(crate) read: &'a dyn Fn(&str) -> Option<String>,
    pub(crate) fatal: Vec<Problem>,
    pub(crate) closing: Vec<Problem>,
}

impl SettingsReader<'_> {
    pub(super) fn text(&self, setting: &str) -> Option<String> {
        let text = (self.read)(setting)?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    pub(super) fn wrong(&mut self, setting: &'static str, problem: &'static str) {
        self.fatal.push(Problem { setting, problem });
    }

    pub(super) fn closes(&mut self, setting: &'static str, problem: &'static str) {
        self.closing.push(Problem { setting, problem });
    }

    pub(crate) fn secret(&mut self, setting: &'static str) -> Option<Secret> {
        self.credential(setting).map(Secret::new)
    }

    /// Reads a setting that is sent in a header. A character that is not allowed there would otherwise be noticed only
    /// when somebody waits for an answer.
    pub(super) fn credential(&mut self, setting: &'static str) -> Option<String> {
        let found = self.text(setting);
        match &found {
            None => self.closes(setting, "missing"),
            Some(text) if text.bytes().any(|byte| !byte.is_ascii_graphic()) => {
                self.wrong(setting, "must be visible ASCII characters without spaces");
            }
            Some(_) => {}
        }
        found
    }

    pub(crate) fn public_origin(&mut self) -> Option<Origin> {
        let Some(text) = self.text("PUBLIC_ORIGIN") else {
            self.wrong("PUBLIC_ORIGIN", "missing");
            return None;
        };
        let origin = Origin::parse(&text);
        if origin.is_none() {
            self.wrong(
                "PUBLIC_ORIGIN",
                "must be an https origin without a path (http only on loopback)",
            );
        }
        origin
    }

    pub(crate) fn github(&mut self) -> Option<OAuthApp> {
        let client_id = self.credential("GITHUB_OAUTH_CLIENT_ID");
        let client_secret = self.secret("GITHUB_OAUTH_CLIENT_SECRET");
        Some(OAuthApp {
            client_id: client_id?,
            client_secret: client_secret?,
        })
    }

    pub(crate) fn session_secrets(&mut self) -> Vec<Secret> {
        let secrets = self.secrets("AUTH_SESSION_SECRET");
        secrets.unwrap_or_else(|| {
            self.closes("AUTH_SESSION_SECRET", "missing");
            Vec::new()
        })
    }

    /// A list of secrets, newest first. Returns `None` if the setting is missing.
    pub(crate) fn secrets(&mut self, setting: &'static str) -> Option<Vec<Secret>> {
        let text = self.text(setting)?;
        let secrets: Vec<&str> = text.split(',').map(str::trim).collect();
        if secrets.iter().any(|s| s.len() < SESSION_SECRET_BYTES) {
            self.wrong(setting, "each secret of the list needs at least 32 bytes");
            return Some(Vec::new());
        }
        let secrets = secrets.into_iter();
        Some(secrets.map(|s| Secret::new(s.to_owned())).collect())
    }

    pub(crate) fn terms(&mut self, can_mint: bool, in_development: bool) -> ClaimTerms {
        let project_live = self.opens("PROJECT_STATUS", "live", "not live: claims are closed");
        let enabled = self.opens(
            "PROVISIONING_ENABLED",
            "true",
            "not true: claims are closed",
        );
        ClaimTerms {
            project_live,
            provisioning_enabled: enabled,
            can_mint,
            max_total_keys: self.max_total_keys(),
            min_account_age_days: self.number("MIN_ACCOUNT_AGE_DAYS", 30, 0, 36_500),
            claims_per_hour: self.claims_per_hour(),
            upstream_terms_waived: in_development,
        }
    }

    /// The database deletes nothing that is younger than thirty days.
    pub(crate) fn audit_retention_days(&mut self) -> u32 {
        self.number("AUDIT_RETENTION_DAYS", 400, 30, 36_500)
    }

    /// A word that is not known stops the Worker, because a run might take more than it may.
    pub(crate) fn workers_plan(&mut self) -> WorkersPlan {
        let Some(text) = self.text("WORKERS_PLAN") else {
            return WorkersPlan::default();
        };
        let plan = WorkersPlan::parse(&text);
        if plan.is_none() {
            self.wrong("WORKERS_PLAN", "it must be paid or free");
        }
        plan.unwrap_or_default()
    }

    /// A word that is not known stops the Worker, because the workspace of others might be closed.
    pub(crate) fn exclusive_workspace(&mut self) -> Option<String> {
        const SETTING: &str = "OPENROUTER_WORKSPACE_EXCLUSIVE";
        let workspace_id = self.text("OPENROUTER_WORKSPACE_ID");
        match self.text(SETTING).as_deref() {
            None | Some("false") => None,
            Some("true") if workspace_id.is_some() => workspace_id,
            Some("true") => {
                self.wrong(SETTING, "it needs OPENROUTER_WORKSPACE_ID");
                None
            }
            Some(_) => {
                self.wrong(SETTING, "must be true or false");
                None
            }
        }
    }

    /// A gate opens only on its exact word.
    fn opens(&mut self, setting: &'static str, word: &str, otherwise: &'static str) -> bool {
        let open = self.text(setting).as_deref() == Some(word);
        if !open {
            self.closes(setting, otherwise);
        }
        open
    }

    fn max_total_keys(&mut self) -> i64 {
        let Some(text) = self.text("MAX_TOTAL_KEYS") else {
            self.closes("MAX_TOTAL_KEYS", "missing: claims are closed");
            return 0;
        };
        match text.parse::<i64>() {
            Ok(0) => {
                self.closes("MAX_TOTAL_KEYS", "zero: claims are closed");
                0
            }
            Ok(seats) if (1..=SEATS_CEILING).contains(&seats) => seats,
            _ => {
                self.closes("MAX_TOTAL_KEYS", "not a number of keys: claims are closed");
                0
            }
        }
    }

    fn claims_per_hour(&mut self) -> Option<i64> {
        const SETTING: &str = "CLAIMS_PER_HOUR";
        self.text(SETTING)?;
        Some(i64::from(self.number(SETTING, 1, 1, 1_000_000)))
    }

    fn number(&mut self, setting: &'static str, unset: u32, low: u32, high: u32) -> u32 {
        match self.text(setting).map(|text| text.parse::<u32>()) {
            None => unset,
            Some(Ok(number)) if (low..=high).contains(&number) => number,
            Some(_) => {
                self.wrong(setting, "not a whole number in the allowed range");
                unset
            }
        }
    }

    pub(crate) fn plan_seed(&mut self) -> Option<PlanSeed> {
        let limit = self.key_limit();
        let limit_reset = match self.text("KEY_LIMIT_RESET") {
            None => Some(LimitReset::Daily),
            // A default plan must give something, because nothing is paid for it.
            Some(text) => LimitReset::parse(&text).filter(|reset| *reset != LimitReset::None),
        };
        if limit_reset.is_none() {
            self.wrong("KEY_LIMIT_RESET", "must be daily, weekly or monthly");
        }
        let expiry_days = self.number("KEY_EXPIRY_DAYS", 90, 1, 365);
        let workspace_id = self.text("OPENROUTER_WORKSPACE_ID");
        if !workspace_id.as_deref().is_none_or(forms::is_uuid) {
            self.wrong("OPENROUTER_WORKSPACE_ID", "must be a UUID");
        }
        Some(PlanSeed {
            limit: limit?,
            limit_reset: limit_reset?,
            expiry_days,
            workspace_id,
        })
    }

    fn key_limit(&mut self) -> Option<NanoUsd> {
        let Some(text) = self.text("KEY_LIMIT_USD") else {
            self.closes("KEY_LIMIT_USD", "missing: there is no plan to give");
            return None;
        };
        let ceiling = NanoUsd::parse_typed(LIMIT_CEILING_USD)?;
        let limit =
            NanoUsd::parse_typed(&text).filter(|limit| (NanoUsd::CENT..=ceiling).contains(limit));
        if limit.is_none() {
            self.wrong(
                "KEY_LIMIT_USD",
                "must be an amount from 0.01 to 10000 with at most two places",
            );
        }
        limit
    }

    pub(crate) fn keys_page(&mut self, in_development: bool) -> bool {
        let on = match self.text("API_KEYS_PAGE").as_deref() {
            None => in_development,
            Some("true") => true,
            Some("false") => false,
            Some(_) => {
                self.wrong("API_KEYS_PAGE", "must be true or false");
                false
            }
        };
        if !on {
            self.closes(
                "API_KEYS_PAGE",
                "off: members have no page and nothing to claim with",
            );
        }
        on
    }

    pub(crate) fn upstreams(&mut self) -> Option<Upstreams> {
        let openrouter_api = self.base("OPENROUTER_API_URL", "https://openrouter.ai/api/v1");
        let github = self.base("GITHUB_URL", "https://github.com");
        let github_api = self.base("GITHUB_API_URL", "https://api.github.com");
        let google_auth = self.base("GOOGLE_AUTH_URL", GOOGLE_AUTH);
        let google_token = self.base("GOOGLE_TOKEN_URL", GOOGLE_TOKEN);
        let google_keys = self.base("GOOGLE_JWKS_URL", GOOGLE_KEYS);
        let openrouter_auth = self.base("OPENROUTER_AUTH_URL", "https://openrouter.ai/auth");
        let daydream_auth = self.base(
            "DAYDREAM_AUTH_URL",
            "https://app.daydream.live/sign-in/local",
        );
        let daydream_api = self.base("DAYDREAM_API_BASE", "https://api.daydream.live");
        let google_directory = self.base("GOOGLE_DIRECTORY_URL", "https://admin.googleapis.com");
        Some(Upstreams {
            openrouter_api: openrouter_api?,
            github: github?,
            github_api: github_api?,
            google_auth: google_auth?,
            google_token: google_token?,
            google_keys: google_keys?,
            openrouter_auth: openrouter_auth?,
            daydream_auth: daydream_auth?,
            daydream_api: daydream_api?,
            google_directory: google_directory?,
        })
    }

    pub(super) fn base(&mut self, setting: &'static str, unset: &str) -> Option<Url> {
        let text = self.text(setting).unwrap_or_else(|| unset.to_owned());
        let url = Url::parse(text.trim_end_matches('/'))
            .ok()
            .filter(|url| is_safe(url) && url.query().is_none() && url.fragment().is_none())
            .filter(|url| url.username().is_empty() && url.password().is_none());
        if url.is_none() {
            self.wrong(
                setting,
                "must be an https URL without a name, password or query (http only on loopback)",
            );
        }
        url
    }

    pub(crate) fn published(&mut self) -> Published {
        let model = self.text("EXAMPLE_MODEL");
        if !model.as_deref().is_none_or(forms::is_model) {
            self.wrong("EXAMPLE_MODEL", "must be a model: author/name");
        }
        Published {
            example_model: model.unwrap_or_else(|| EXAMPLE_MODEL.to_owned()),
            source_url: self.address("SOURCE_URL", forms::link, "must be an https URL"),
            security_contact: self.address(
                "SECURITY_CONTACT",
                forms::contact,
                "must be https: or mailto:",
            ),
        }
    }

    fn address(
        &mut self,
        setting: &'static str,
        parse: fn(&str) -> Option<Url>,
        problem: &'static str,
    ) -> Option<Url> {
        let text = self.text(setting)?;
        let address = parse(&text);
        if address.is_none() {
            self.wrong(setting, problem);
        }
        address
    }
}
