//! The environment, read once into parsed types. All problems are named at once, and no value ever is.
//!
//! A malformed setting stops the Worker. A missing one closes what needs it: a fresh deployment serves its pages and
//! starts nothing. Each of the three gates (`PROJECT_STATUS`, `PROVISIONING_ENABLED`, `MAX_TOTAL_KEYS`) opens only on
//! its exact word or a valid number.

pub mod directories;
mod forms;
pub mod page_files;
pub mod people;
mod reader;

use crate::config::directories::{DirectorySetting, OrganizationSetting};
use crate::config::page_files::PageFiles;
use crate::config::reader::SettingsReader;
pub use crate::config::reader::{Problem, Published};
use crate::domain::key::secret::Secret;
use crate::domain::people::identity::Provider;
use crate::domain::policy::gate::ClaimTerms;
use crate::domain::policy::origin::Origin;
use crate::domain::policy::plan_seed::PlanSeed;
use crate::domain::policy::relay::Relay;
use crate::domain::run::WorkersPlan;
use crate::ports::upstreams::{OAuthApp, Upstreams};

pub struct Config {
    /// `PUBLIC_ORIGIN`: the only source of our own URLs. It is required.
    pub public_origin: Origin,
    /// `GITHUB_OAUTH_CLIENT_ID` and `GITHUB_OAUTH_CLIENT_SECRET`: sign-in is closed without both.
    pub github: Option<OAuthApp>,
    /// `GOOGLE_OAUTH_CLIENT_ID` and `GOOGLE_OAUTH_CLIENT_SECRET`: without both, nobody signs in with Google.
    pub google: Option<OAuthApp>,
    /// `GOOGLE_ALLOWED_DOMAINS`: the Google Workspaces whose people may claim, by their domains in lower case, separated
    /// by commas. Without it, nobody claims with a Google account.
    pub google_domains: Vec<String>,
    /// `TRUSTED_ORIGINS`, `RELAY_ORIGIN`, `RELAY_SECRET`: whether this deployment signs people in for its previews, or is
    /// one.
    pub relay: Relay,
    /// `RELAY_SECRET`: a list like `AUTH_SESSION_SECRET`.
    pub relay_secrets: Vec<Secret>,
    /// `AUTH_SESSION_SECRET`: a list separated by commas, newest first. The first secret signs, and all of them verify.
    /// Sign-in is closed without it.
    pub session_secrets: Vec<Secret>,
    /// `OPENROUTER_MANAGEMENT_KEY`: without it, no key is made and no job runs.
    pub management_key: Option<Secret>,
    /// `PROJECT_STATUS`, `PROVISIONING_ENABLED`, `MAX_TOTAL_KEYS`, `MIN_ACCOUNT_AGE_DAYS`, `CLAIMS_PER_HOUR`.
    pub terms: ClaimTerms,
    /// `KEY_LIMIT_USD`, `KEY_LIMIT_RESET`, `KEY_EXPIRY_DAYS`, `OPENROUTER_WORKSPACE_ID`: the default plan is made from
    /// these once.
    pub plan_seed: Option<PlanSeed>,
    /// `AUDIT_RETENTION_DAYS`: how many days the audit retains sign-ins and changes of limits. The default is 400.
    pub audit_retention_days: u32,
    /// `WORKERS_PLAN`: `paid` or `free`, which decides what a run may use at a time. The default is `paid`.
    pub workers_plan: WorkersPlan,
    /// `OPENROUTER_WORKSPACE_EXCLUSIVE`: the workspace of `OPENROUTER_WORKSPACE_ID`, if it holds nothing but keys of this
    /// deployment. Only then it is closed while all keys must be disabled.
    pub exclusive_workspace: Option<String>,
    /// The names of the admins in the database. `ADMIN_GITHUB_USER_IDS`: the numeric account ids, separated by commas.
    /// `ADMIN_EMAILS`: the addresses of Google accounts, separated by commas, of which only the SHA-256 is stored. A
    /// preview has no admins.
    pub admins: Vec<String>,
    /// `API_KEYS_PAGE`: whether members have their pages and routes. Without it, they do only in development.
    pub keys_page: bool,
    /// `GOOGLE_SA_KEY_JSON` and `GOOGLE_DIRECTORY_SUBJECT`: the directory that says who has left.
    pub directory: DirectorySetting,
    /// `GITHUB_ORG` and `GITHUB_ORG_TOKEN`: the organization that says who has left.
    pub organization: OrganizationSetting,
    pub upstreams: Upstreams,
    pub published: Published,
    /// No setting: the build gives it.
    pub page_files: PageFiles,
    /// Settings that are missing, or that keep a gate closed because they are malformed, for the log and the health
    /// route.
    pub closed_by: Vec<Problem>,
}

impl Config {
    /// Reads every setting through `read`, which returns a variable's text if it is set.
    pub fn from_env(read: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<Problem>> {
        let mut env = SettingsReader {
            read,
            fatal: Vec::new(),
            closing: Vec::new(),
        };
        let public_origin = env.public_origin();
        let github = env.github();
        let google = env.google();
        let google_domains = env.google_domains();
        let relay_secrets = env.relay_secrets();
        let relay = env.relay(public_origin.as_ref(), !relay_secrets.is_empty());
        let session_secrets = env.session_secrets();
        let management_key = env.secret("OPENROUTER_MANAGEMENT_KEY");
        let in_development = public_origin.as_ref().is_some_and(Origin::is_development);
        let terms = env.terms(management_key.is_some(), in_development);
        let plan_seed = env.plan_seed();
        let audit_retention_days = env.audit_retention_days();
        let workers_plan = env.workers_plan();
        let exclusive_workspace = env.exclusive_workspace();
        let admins = env.admins(&relay);
        let keys_page = env.keys_page(in_development);
        let directory = env.directory(&google_domains);
        let organization = env.organization();
        let upstreams = env.upstreams();
        let published = env.published();
        match (public_origin, upstreams) {
            (Some(public_origin), Some(upstreams)) if env.fatal.is_empty() => Ok(Self {
                public_origin,
                github,
                google,
                google_domains,
                relay,
                relay_secrets,
                session_secrets,
                management_key,
                terms,
                plan_seed,
                audit_retention_days,
                workers_plan,
                exclusive_workspace,
                admins,
                keys_page,
                directory,
                organization,
                upstreams,
                published,
                page_files: PageFiles::default(),
                closed_by: env.closing,
            }),
            _ => {
                env.fatal.extend(env.closing);
                Err(env.fatal)
            }
        }
    }

    /// Answers whether the configuration lets anyone claim.
    pub fn claims_open(&self) -> bool {
        self.terms.open() && self.keys_page
    }

    /// `OPENROUTER_WORKSPACE_ID`: the workspace that stays the default one, however many are enabled.
    pub fn default_workspace(&self) -> Option<&str> {
        self.plan_seed.as_ref()?.workspace_id.as_deref()
    }

    /// Answers whether people can sign in: there must be a provider, a session secret, and a plan to give them.
    pub fn sign_in_configured(&self) -> bool {
        Provider::ALL.into_iter().any(|is| self.signs_in_with(is))
    }

    /// Answers whether people can sign in with this provider. A preview has no app of its own; it cannot know whether the
    /// deployment that signs its people in has one at Google, and offers that where people of Google may claim.
    pub fn signs_in_with(&self, provider: Provider) -> bool {
        let offered = match (&self.relay, provider) {
            (Relay::Through(_), Provider::GitHub) => true,
            (Relay::Through(_), Provider::Google) => !self.google_domains.is_empty(),
            (Relay::Off | Relay::For(_), _) => self.oauth_app(provider).is_some(),
        };
        offered && !self.session_secrets.is_empty() && self.plan_seed.is_some()
    }

    /// Our app at a provider.
    pub const fn oauth_app(&self, provider: Provider) -> Option<&OAuthApp> {
        match provider {
            Provider::GitHub => self.github.as_ref(),
            Provider::Google => self.google.as_ref(),
        }
    }

    /// The domains of `GOOGLE_ALLOWED_DOMAINS`, as the guards bind them.
    pub fn google_domains_json(&self) -> String {
        serde_json::json!(self.google_domains).to_string()
    }

    /// The names of the admins, as the statements bind them.
    pub fn admins_json(&self) -> String {
        serde_json::json!(self.admins).to_string()
    }
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
    fn a_complete_configuration_opens_everything() {
        let config = with(&[]).ok().unwrap();
        assert!(config.claims_open() && config.sign_in_configured() && config.closed_by.is_empty());
        assert_eq!(config.admins, ["1", "22"]);
    }

    #[test]
    fn every_problem_is_named_at_once_and_no_value_is() {
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
            ("EXAMPLE_MODEL", "gpt' && rm"),
            ("SOURCE_URL", "javascript:alert(1)"),
            ("SECURITY_CONTACT", "http://keys.example"),
            ("CLAIMS_PER_HOUR", "no end"),
            ("AUDIT_RETENTION_DAYS", "29"),
            ("OPENROUTER_WORKSPACE_EXCLUSIVE", "yes"),
            ("GOOGLE_OAUTH_CLIENT_ID", "two words"),
            ("GOOGLE_ALLOWED_DOMAINS", "company.example,@other"),
            ("ADMIN_EMAILS", "operator"),
            ("GOOGLE_AUTH_URL", "http://accounts.google.example"),
            ("GOOGLE_TOKEN_URL", "ftp://oauth.google.example"),
            ("GOOGLE_JWKS_URL", "https://certs.google.example?v=3"),
            ("TRUSTED_ORIGINS", "https://*.workers.example"),
            ("RELAY_ORIGIN", "https://keys.example.org/path"),
            ("RELAY_SECRET", "a-short-secret"),
            ("OPENROUTER_AUTH_URL", "https://openrouter.example/auth?a=b"),
            ("DAYDREAM_AUTH_URL", "http://daydream.example/sign-in"),
            ("DAYDREAM_API_BASE", "ftp://daydream.example"),
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
    fn the_pages_name_a_model_and_nothing_else_unless_it_is_set() {
        let unset = with(&[]).ok().unwrap().published;
        assert_eq!(unset.example_model, "~openai/gpt-latest");
        assert!(unset.source_url.is_none() && unset.security_contact.is_none());
        let set = [
            ("EXAMPLE_MODEL", "meta-llama/llama-4:free"),
            ("SOURCE_URL", "https://code.example/keycap"),
            ("SECURITY_CONTACT", "mailto:security@keys.example"),
        ];
        let set = with(&set).ok().unwrap().published;
        assert_eq!(set.example_model, "meta-llama/llama-4:free");
        assert!(set.source_url.is_some() && set.security_contact.is_some());
    }

    #[test]
    fn gates_open_only_on_their_exact_word() {
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
    fn a_missing_setting_closes_what_needs_it() {
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
    fn the_limits_of_numbers_are_exact() {
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
