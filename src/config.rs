//! The environment, read once, into parsed types; every problem is named at once, and no value ever is.
//!
//! Malformed settings stop the Worker. Missing ones close what needs them: a fresh deployment serves its pages and
//! starts nothing. The three gates (`PROJECT_STATUS`, `PROVISIONING_ENABLED`, `MAX_TOTAL_KEYS`) close on anything
//! but their exact opening word.

use url::Url;

use crate::domain::gate::Terms;
use crate::domain::money::NanoUsd;
use crate::domain::origin::{Origin, is_safe};
use crate::domain::period::LimitReset;
use crate::domain::secret::Secret;

/// Fewest bytes of each session secret: HS256 wants as many as its hash has (RFC 7518, section 3.2).
const SESSION_SECRET_BYTES: usize = 32;
/// A plan of more than this a period is taken for a typing error, in USD.
const LIMIT_CEILING_USD: &str = "10000";
/// More seats than this is taken for a typing error.
const SEATS_CEILING: i64 = 10_000_000;

/// What is wrong with one setting. Names the variable, never its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    pub setting: &'static str,
    pub problem: &'static str,
}

pub struct Config {
    /// `PUBLIC_ORIGIN`: the only source of our own URLs. Required.
    pub public_origin: Origin,
    /// `GITHUB_OAUTH_CLIENT_ID` and `GITHUB_OAUTH_CLIENT_SECRET`: sign-in is closed without both.
    pub github: Option<OAuthApp>,
    /// `AUTH_SESSION_SECRET`: a list separated by commas, newest first; the first signs, all verify. Sign-in is closed without.
    pub session_secrets: Vec<Secret>,
    /// `OPENROUTER_MANAGEMENT_KEY`: nothing is minted or swept without.
    pub management_key: Option<Secret>,
    /// `PROJECT_STATUS`, `PROVISIONING_ENABLED`, `MAX_TOTAL_KEYS`, `MIN_ACCOUNT_AGE_DAYS`, `CLAIMS_PER_HOUR`.
    pub terms: Terms,
    /// `KEY_LIMIT_USD`, `KEY_LIMIT_RESET`, `KEY_EXPIRY_DAYS`, `OPENROUTER_WORKSPACE_ID`: seed the default plan once (A5).
    pub plan_seed: Option<PlanSeed>,
    /// `ADMIN_GITHUB_USER_IDS`: numeric ids, separated by commas.
    pub admin_github_ids: Vec<String>,
    /// `API_KEYS_PAGE`: members' pages and routes; on in development when unset, off elsewhere.
    pub keys_page: bool,
    pub upstreams: Upstreams,
    /// Settings that are missing or shut a gate by being malformed, for the log and the health route.
    pub closed_by: Vec<Problem>,
}

pub struct OAuthApp {
    pub client_id: String,
    pub client_secret: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanSeed {
    pub limit: NanoUsd,
    pub limit_reset: LimitReset,
    pub expiry_days: u32,
    pub workspace_id: Option<String>,
}

/// Bases of the foreign services, without a trailing slash; https unless loopback.
pub struct Upstreams {
    /// `OPENROUTER_API_URL`.
    pub openrouter_api: Url,
    /// `GITHUB_URL`.
    pub github: Url,
    /// `GITHUB_API_URL`.
    pub github_api: Url,
}

impl Config {
    /// Reads every setting through `read`, which answers a variable's text if it is set.
    pub fn from_env(read: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        let mut env = Reader {
            read,
            fatal: Vec::new(),
            closing: Vec::new(),
        };
        let public_origin = env.public_origin();
        let github = env.github();
        let session_secrets = env.session_secrets();
        let management_key = env.secret("OPENROUTER_MANAGEMENT_KEY");
        let in_development = public_origin.as_ref().is_some_and(Origin::is_development);
        let terms = env.terms(management_key.is_some(), in_development);
        let plan_seed = env.plan_seed();
        let admin_github_ids = env.admin_github_ids();
        let keys_page = env.keys_page(in_development);
        let upstreams = env.upstreams();
        match (public_origin, upstreams) {
            (Some(public_origin), Some(upstreams)) if env.fatal.is_empty() => Ok(Self {
                public_origin,
                github,
                session_secrets,
                management_key,
                terms,
                plan_seed,
                admin_github_ids,
                keys_page,
                upstreams,
                closed_by: env.closing,
            }),
            _ => {
                env.fatal.extend(env.closing);
                Err(env.fatal)
            }
        }
    }

    /// Whether configuration lets anybody claim.
    pub fn claims_open(&self) -> bool {
        self.terms.open() && self.keys_page
    }

    /// Whether people can sign in: an OAuth app, a session secret, and a plan to give them.
    pub fn sign_in_configured(&self) -> bool {
        self.github.is_some() && !self.session_secrets.is_empty() && self.plan_seed.is_some()
    }
}

struct Reader<'a> {
    read: &'a dyn Fn(&str) -> Option<String>,
    fatal: Vec<Problem>,
    closing: Vec<Problem>,
}

impl Reader<'_> {
    fn text(&self, setting: &str) -> Option<String> {
        let text = (self.read)(setting)?.trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    fn wrong(&mut self, setting: &'static str, problem: &'static str) {
        self.fatal.push(Problem { setting, problem });
    }

    fn closes(&mut self, setting: &'static str, problem: &'static str) {
        self.closing.push(Problem { setting, problem });
    }

    fn secret(&mut self, setting: &'static str) -> Option<Secret> {
        let found = self.text(setting);
        if found.is_none() {
            self.closes(setting, "missing");
        }
        found.map(Secret::new)
    }

    fn public_origin(&mut self) -> Option<Origin> {
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

    fn github(&mut self) -> Option<OAuthApp> {
        let client_id = self.text("GITHUB_OAUTH_CLIENT_ID");
        if client_id.is_none() {
            self.closes("GITHUB_OAUTH_CLIENT_ID", "missing");
        }
        let client_secret = self.secret("GITHUB_OAUTH_CLIENT_SECRET");
        Some(OAuthApp {
            client_id: client_id?,
            client_secret: client_secret?,
        })
    }

    fn session_secrets(&mut self) -> Vec<Secret> {
        let Some(text) = self.text("AUTH_SESSION_SECRET") else {
            self.closes("AUTH_SESSION_SECRET", "missing");
            return Vec::new();
        };
        let secrets: Vec<&str> = text.split(',').map(str::trim).collect();
        if secrets.iter().any(|s| s.len() < SESSION_SECRET_BYTES) {
            self.wrong(
                "AUTH_SESSION_SECRET",
                "each secret of the list needs at least 32 bytes",
            );
            return Vec::new();
        }
        secrets
            .into_iter()
            .map(|s| Secret::new(s.to_owned()))
            .collect()
    }

    fn terms(&mut self, can_mint: bool, in_development: bool) -> Terms {
        let project_live = self.opens("PROJECT_STATUS", "live", "not live: claims are closed");
        let enabled = self.opens(
            "PROVISIONING_ENABLED",
            "true",
            "not true: claims are closed",
        );
        Terms {
            project_live,
            provisioning_enabled: can_mint && enabled,
            max_total_keys: self.max_total_keys(),
            min_account_age_days: self.number("MIN_ACCOUNT_AGE_DAYS", 30, 0, 36_500),
            claims_per_hour: self.claims_per_hour(),
            upstream_terms_waived: in_development,
        }
    }

    /// A gate opens on its exact word only.
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

    fn plan_seed(&mut self) -> Option<PlanSeed> {
        let limit = self.key_limit();
        let limit_reset = match self.text("KEY_LIMIT_RESET") {
            None => Some(LimitReset::Daily),
            Some(text) => LimitReset::parse(&text),
        };
        if limit_reset.is_none() {
            self.wrong("KEY_LIMIT_RESET", "must be daily, weekly or monthly");
        }
        let expiry_days = self.number("KEY_EXPIRY_DAYS", 90, 1, 365);
        let workspace_id = self.text("OPENROUTER_WORKSPACE_ID");
        if !workspace_id.as_deref().is_none_or(is_uuid) {
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

    fn admin_github_ids(&mut self) -> Vec<String> {
        let text = self.text("ADMIN_GITHUB_USER_IDS").unwrap_or_default();
        let ids: Vec<String> = text
            .split(',')
            .map(|id| id.trim().to_owned())
            .filter(|id| !id.is_empty())
            .collect();
        if ids
            .iter()
            .any(|id| id.parse::<u64>().map_or(true, |n| n.to_string() != *id))
        {
            self.wrong(
                "ADMIN_GITHUB_USER_IDS",
                "must be numeric ids separated by commas",
            );
        }
        ids
    }

    fn keys_page(&mut self, in_development: bool) -> bool {
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

    fn upstreams(&mut self) -> Option<Upstreams> {
        let openrouter_api = self.base("OPENROUTER_API_URL", "https://openrouter.ai/api/v1");
        let github = self.base("GITHUB_URL", "https://github.com");
        let github_api = self.base("GITHUB_API_URL", "https://api.github.com");
        Some(Upstreams {
            openrouter_api: openrouter_api?,
            github: github?,
            github_api: github_api?,
        })
    }

    fn base(&mut self, setting: &'static str, unset: &str) -> Option<Url> {
        let text = self.text(setting).unwrap_or_else(|| unset.to_owned());
        let url = Url::parse(text.trim_end_matches('/'))
            .ok()
            .filter(|url| is_safe(url) && url.query().is_none() && url.fragment().is_none());
        if url.is_none() {
            self.wrong(
                setting,
                "must be an https URL without a query (http only on loopback)",
            );
        }
        url
    }
}

/// Hexadecimal digits in groups of 8, 4, 4, 4 and 12.
fn is_uuid(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: [(&str, &str); 11] = [
        ("API_KEYS_PAGE", "true"),
        ("PUBLIC_ORIGIN", "https://keys.example.org"),
        ("GITHUB_OAUTH_CLIENT_ID", "client"),
        ("GITHUB_OAUTH_CLIENT_SECRET", "not-a-secret"),
        ("AUTH_SESSION_SECRET", "0123456789abcdef0123456789abcdef"),
        ("OPENROUTER_MANAGEMENT_KEY", "not-a-key"),
        ("PROJECT_STATUS", "live"),
        ("PROVISIONING_ENABLED", "true"),
        ("MAX_TOTAL_KEYS", "500"),
        ("KEY_LIMIT_USD", "5"),
        ("ADMIN_GITHUB_USER_IDS", "1, 22"),
    ];

    fn with(changes: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
        Config::from_env(&|name| {
            let changed = changes.iter().chain(&WHOLE).find(|(key, _)| *key == name);
            changed.map(|(_, value)| (*value).to_owned())
        })
    }

    fn named(result: Result<Config, Vec<Problem>>) -> Vec<&'static str> {
        match result {
            Ok(config) => config.closed_by.iter().map(|p| p.setting).collect(),
            Err(problems) => problems.iter().map(|p| p.setting).collect(),
        }
    }

    #[test]
    fn a_whole_configuration_opens_everything() {
        let config = with(&[]).ok().unwrap();
        assert!(config.claims_open() && config.sign_in_configured() && config.closed_by.is_empty());
        assert_eq!(config.admin_github_ids, ["1", "22"]);
    }

    #[test]
    fn s4_43_s2_39_every_problem_is_named_at_once_and_no_value_is() {
        let bad = [
            ("PUBLIC_ORIGIN", "http://keys.example.org"),
            ("AUTH_SESSION_SECRET", "short-not-a-secret"),
            ("KEY_LIMIT_USD", "-5"),
            ("KEY_LIMIT_RESET", "hourly"),
            ("KEY_EXPIRY_DAYS", "366"),
            ("ADMIN_GITHUB_USER_IDS", "1,octo"),
            ("API_KEYS_PAGE", "perhaps"),
            ("OPENROUTER_API_URL", "http://openrouter.example"),
            ("MIN_ACCOUNT_AGE_DAYS", "-1"),
            ("OPENROUTER_WORKSPACE_ID", "my workspace"),
            ("CLAIMS_PER_HOUR", "no end"),
        ];
        let problems = with(&bad).err().unwrap();
        for (setting, value) in bad {
            assert!(problems.iter().any(|p| p.setting == setting), "{setting}");
            assert!(
                problems.iter().all(|p| !p.problem.contains(value)),
                "{value}"
            );
        }
    }

    #[test]
    fn s4_20_s4_38_s4_39_s4_40_s4_78_gates_open_on_their_exact_word_only() {
        for (setting, value) in [
            ("PROJECT_STATUS", ""),
            ("PROJECT_STATUS", "Live"),
            ("PROJECT_STATUS", "pending"),
            ("PROVISIONING_ENABLED", "1"),
            ("PROVISIONING_ENABLED", "TRUE"),
            ("PROVISIONING_ENABLED", ""),
            ("MAX_TOTAL_KEYS", ""),
            ("MAX_TOTAL_KEYS", "many"),
            ("MAX_TOTAL_KEYS", "-1"),
            ("MAX_TOTAL_KEYS", "0"),
            ("MAX_TOTAL_KEYS", "1e9"),
            ("API_KEYS_PAGE", "false"),
            ("API_KEYS_PAGE", ""),
        ] {
            let config = with(&[(setting, value)]).ok().unwrap();
            assert!(!config.claims_open(), "{setting}={value}");
            assert_eq!(named(Ok(config)), [setting], "{value}");
        }
    }

    #[test]
    fn s4_35_s4_37_what_is_missing_closes_what_needs_it() {
        for setting in [
            "GITHUB_OAUTH_CLIENT_ID",
            "GITHUB_OAUTH_CLIENT_SECRET",
            "AUTH_SESSION_SECRET",
            "KEY_LIMIT_USD",
        ] {
            let config = with(&[(setting, "")]).ok().unwrap();
            assert!(!config.sign_in_configured(), "{setting}");
            assert_eq!(named(Ok(config)), [setting]);
        }
        assert_eq!(named(with(&[("PUBLIC_ORIGIN", "")])), ["PUBLIC_ORIGIN"]);
    }

    #[test]
    fn s4_41_s4_42_s4_36_bounds_hold_at_their_edges() {
        for (setting, value, good) in [
            ("KEY_LIMIT_USD", "0.01", true),
            ("KEY_LIMIT_USD", "10000", true),
            ("KEY_LIMIT_USD", "0", false),
            ("KEY_LIMIT_USD", "10000.01", false),
            ("KEY_EXPIRY_DAYS", "1", true),
            ("KEY_EXPIRY_DAYS", "365", true),
            ("KEY_EXPIRY_DAYS", "0", false),
            (
                "AUTH_SESSION_SECRET",
                "0123456789abcdef0123456789abcde",
                false,
            ),
            (
                "AUTH_SESSION_SECRET",
                "0123456789abcdef0123456789abcdef,short",
                false,
            ),
        ] {
            assert_eq!(with(&[(setting, value)]).is_ok(), good, "{setting}={value}");
        }
        let rotating = "0123456789abcdef0123456789abcdef, fedcba9876543210fedcba9876543210";
        let config = with(&[("AUTH_SESSION_SECRET", rotating)]).ok().unwrap();
        assert_eq!(config.session_secrets.len(), 2);
    }
}
