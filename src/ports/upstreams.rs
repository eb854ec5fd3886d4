//! Where the foreign services are, and who we are there.

use url::Url;

use crate::domain::key::secret::Secret;

/// Bases of the foreign services, without a trailing slash; https unless loopback.
pub struct Upstreams {
    /// `OPENROUTER_API_URL`.
    pub openrouter_api: Url,
    /// `GITHUB_URL`.
    pub github: Url,
    /// `GITHUB_API_URL`.
    pub github_api: Url,
}

/// Our OAuth app at a provider.
pub struct OAuthApp {
    pub client_id: String,
    pub client_secret: Secret,
}
