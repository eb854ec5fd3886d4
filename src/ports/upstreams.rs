//! The addresses of the foreign services, and our identity there.

use url::Url;

use crate::domain::key::secret::Secret;

/// The base URLs of the foreign services, without a trailing slash. They are https unless the host is loopback.
pub struct Upstreams {
    /// `OPENROUTER_API_URL`.
    pub openrouter_api: Url,
    /// `GITHUB_URL`.
    pub github: Url,
    /// `GITHUB_API_URL`.
    pub github_api: Url,
    /// `GOOGLE_AUTH_URL`: the whole address of the page where a person signs in.
    pub google_auth: Url,
    /// `GOOGLE_TOKEN_URL`: the whole address of the token endpoint.
    pub google_token: Url,
    /// `GOOGLE_JWKS_URL`: the whole address of the keys that sign ID tokens.
    pub google_keys: Url,
    /// `OPENROUTER_AUTH_URL`: the page where a person lets OpenRouter make a key for their own account.
    pub openrouter_auth: Url,
    /// `DAYDREAM_AUTH_URL`: the page where a person signs in at Daydream.
    pub daydream_auth: Url,
    /// `DAYDREAM_API_BASE`.
    pub daydream_api: Url,
    /// `GOOGLE_DIRECTORY_URL`.
    pub google_directory: Url,
}

/// Our OAuth app at a sign-in provider.
pub struct OAuthApp {
    pub client_id: String,
    pub client_secret: Secret,
}

/// A service account of Google that may read the people of a Workspace for one of its administrators.
pub struct ServiceAccount {
    /// The account's own address, which its tokens name as their issuer.
    pub email: String,
    /// The id of its key, if the key file names one.
    pub key_id: Option<String>,
    /// The private key: PKCS#8, as base64 of its DER form.
    pub key: Secret,
    /// `GOOGLE_DIRECTORY_SUBJECT`: the administrator for whom it reads.
    pub subject: String,
    /// `GOOGLE_ALLOWED_DOMAINS`: the domains whose people are ours, in lower case.
    pub domains: Vec<String>,
}

/// An organization at GitHub, and the token of one of its members.
pub struct Organization {
    /// `GITHUB_ORG`: the organization's login.
    pub login: String,
    /// `GITHUB_ORG_TOKEN`.
    pub token: Secret,
}
