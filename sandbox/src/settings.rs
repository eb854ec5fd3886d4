//! The settings of a sandbox. The defaults are those that `npm start` configures the Worker for.

pub const GITHUB_CLIENT_ID: &str = "Ov23liSANDBOXCLIENT";
pub const GITHUB_CLIENT_SECRET: &str = "sandbox-github-client-secret-not-real";
pub const GOOGLE_CLIENT_ID: &str = "000000000000-sandboxclient.apps.googleusercontent.example";
pub const GOOGLE_CLIENT_SECRET: &str = "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-not-real";
pub const MANAGEMENT_KEY: &str = "sk-or-v1-sandbox-management-key-not-real";

#[derive(Clone, Debug)]
pub struct Settings {
    /// Two sandboxes with the same seed give the same answers, byte for byte.
    pub seed: u64,
    pub github_client_id: String,
    pub github_client_secret: String,
    /// The callback that is registered with GitHub. Loopback callbacks match on any port.
    pub github_callback_url: String,
    /// The callback that Daydream has on its list. Loopback callbacks match on any port.
    pub daydream_callback_url: String,
    /// Calls per hour for each account, and for each app with Basic credentials. GitHub's own number is 5,000.
    pub github_hourly_limit: u32,
    pub google_client_id: String,
    pub google_client_secret: String,
    /// The redirect address that is registered with Google.
    pub google_callback_url: String,
    pub management_key: String,
    /// The id of the account's default workspace. Another id means another account.
    pub default_workspace_id: String,
    /// What `GET /credits` answers as `total_credits`.
    pub total_credits_usd: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            github_client_id: GITHUB_CLIENT_ID.to_owned(),
            github_client_secret: GITHUB_CLIENT_SECRET.to_owned(),
            github_callback_url: "http://localhost:8787/auth/github/callback".to_owned(),
            daydream_callback_url: "http://localhost:8787/auth/providers/daydream/callback"
                .to_owned(),
            github_hourly_limit: 5_000,
            google_client_id: GOOGLE_CLIENT_ID.to_owned(),
            google_client_secret: GOOGLE_CLIENT_SECRET.to_owned(),
            google_callback_url: "http://localhost:8787/auth/google/callback".to_owned(),
            management_key: MANAGEMENT_KEY.to_owned(),
            default_workspace_id: "5a4db0c5-0000-4000-8000-000000000001".to_owned(),
            total_credits_usd: 1_000.0,
        }
    }
}
