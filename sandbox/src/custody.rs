//! Which host may see which credential. Every request is searched, whatever it requests, and a credential at the wrong
//! host is a violation.

use crate::{
    Sandbox,
    generator::{
        DAYDREAM_KEY_MARK, DAYDREAM_TOKEN_MARK, DIRECTORY_TOKEN_MARK, GOOGLE_TOKEN_MARK, TOKEN_MARK,
    },
    github::ORGANIZATION_TOKEN,
    ledger::{Violation, ViolationKind},
    message::Request,
    operation::{Host, Operation},
};
use base64::{Engine, engine::general_purpose::STANDARD};

/// Searches a request for violations, and notes each in the ledger.
pub(crate) fn inspect(
    sandbox: &mut Sandbox,
    operation: Option<Operation>,
    request: &Request,
    now: i64,
) {
    let Some((host, rest)) = Host::of(request.path()) else {
        return;
    };
    if rest == "style.css" {
        return;
    }
    let mut found: Vec<(ViolationKind, String)> = Vec::new();
    if !request.has_user_agent() {
        found.push((
            ViolationKind::MissingUserAgent,
            "no User-Agent header".to_owned(),
        ));
    }
    if operation.is_none() && host != Host::Github && host != Host::Google {
        found.push((
            ViolationKind::UnknownRoute,
            format!("{} is not an operation", request.method),
        ));
    }
    let url: String = form_urlencoded::parse(request.target.as_bytes())
        .map(|(name, value)| format!("{name} {value} "))
        .collect();
    found.extend(
        secrets_in(sandbox, &url)
            .map(|secret| (ViolationKind::SecretInUrl, format!("{secret} in the URL"))),
    );
    found.extend(foreign(sandbox, host, operation, request));
    for (kind, detail) in found {
        note(sandbox, kind, host, request, detail, now);
    }
}

/// Notes a member or parameter that the host's documentation does not have.
pub(crate) fn unknown_field(sandbox: &mut Sandbox, request: &Request, name: &str, now: i64) {
    let detail = format!("request member or parameter {name}");
    note(
        sandbox,
        ViolationKind::UnknownField,
        Host::of(request.path()).map_or(Host::Openrouter, |(host, _)| host),
        request,
        detail,
        now,
    );
}

/// Notes what an operation itself has found.
pub(crate) fn violation(
    sandbox: &mut Sandbox,
    kind: ViolationKind,
    request: &Request,
    detail: String,
    now: i64,
) {
    if let Some((host, _)) = Host::of(request.path()) {
        note(sandbox, kind, host, request, detail, now);
    }
}

fn note(
    sandbox: &mut Sandbox,
    kind: ViolationKind,
    host: Host,
    request: &Request,
    detail: String,
    at_ms: i64,
) {
    let target = format!("{} {}", request.method, request.path());
    sandbox.ledger.violations.push(Violation {
        kind,
        at_ms,
        host: host.name(),
        target,
        detail,
    });
}

/// Lists the credentials in headers and body that this host must never see.
fn foreign(
    sandbox: &Sandbox,
    host: Host,
    operation: Option<Operation>,
    request: &Request,
) -> Vec<(ViolationKind, String)> {
    let mut seen = request.text().into_owned();
    for (name, value) in &request.headers {
        seen.push(' ');
        seen.push_str(value);
        if name == "authorization" {
            seen.push_str(&decoded_basic(request).unwrap_or_default());
        }
    }
    // A person's browser visits the pages and may send loopback cookies. No other caller sends any.
    let cookies = request
        .header("cookie")
        .is_some_and(|value| !value.is_empty());
    let cookie = cookies && !operation.is_some_and(Operation::is_page);
    let held = secrets_in(sandbox, &seen)
        .filter(|secret| !secret.belongs_to(host))
        .map(|secret| secret.to_string());
    held.chain(cookie.then(|| "a cookie".to_owned()))
        .map(|what| {
            (
                ViolationKind::ForeignCredential,
                format!("{what} sent to {}", host.name()),
            )
        })
        .collect()
}

/// The `id:secret` pair of Basic credentials, or `None`.
pub(crate) fn decoded_basic(request: &Request) -> Option<String> {
    String::from_utf8(STANDARD.decode(request.credential("basic")?).ok()?).ok()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secret {
    OpenrouterKey,
    GithubClient,
    GithubToken,
    GoogleClient,
    GoogleToken,
    DaydreamToken,
    DaydreamKey,
    /// The token of a member of the organization.
    OrganizationToken,
    DirectoryToken,
    /// The private key of the service account.
    ServiceAccountKey,
}

impl Secret {
    fn belongs_to(self, host: Host) -> bool {
        match self {
            Self::OpenrouterKey => host == Host::Openrouter,
            Self::GithubClient => [Host::Github, Host::GithubApi].contains(&host),
            Self::GoogleClient => host == Host::GoogleToken,
            // Sign-in needs the ID token only, so an access token belongs nowhere.
            Self::GoogleToken => false,
            Self::DaydreamToken | Self::DaydreamKey => host == Host::DaydreamApi,
            Self::GithubToken | Self::OrganizationToken => host == Host::GithubApi,
            Self::DirectoryToken => host == Host::GoogleDirectory,
            // It signs, and it leaves the Worker for nobody.
            Self::ServiceAccountKey => false,
        }
    }
}

impl std::fmt::Display for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::OpenrouterKey => "an OpenRouter key",
            Self::GithubClient => "the GitHub client secret",
            Self::GithubToken => "a GitHub token",
            Self::GoogleClient => "the Google client secret",
            Self::GoogleToken => "a Google token",
            Self::DaydreamToken => "a token of Daydream's",
            Self::DaydreamKey => "a key of Daydream's",
            Self::OrganizationToken => "the organization's token",
            Self::DirectoryToken => "a token for the directory",
            Self::ServiceAccountKey => "the service account's key",
        })
    }
}

fn secrets_in(sandbox: &Sandbox, text: &str) -> impl Iterator<Item = Secret> {
    let settings = sandbox.settings();
    let openrouter = text.contains("sk-or-v1-") || text.contains(&settings.management_key);
    let client_secret = text.contains(&settings.github_client_secret);
    // The search uses the whole mark, because `gho_` alone would sooner or later appear in a random state.
    let token = text.contains(TOKEN_MARK);
    let google_client = text.contains(&settings.google_client_secret);
    let google_token = text.contains(GOOGLE_TOKEN_MARK);
    [
        (openrouter, Secret::OpenrouterKey),
        (client_secret, Secret::GithubClient),
        (token, Secret::GithubToken),
        (google_client, Secret::GoogleClient),
        (google_token, Secret::GoogleToken),
        (text.contains(DAYDREAM_TOKEN_MARK), Secret::DaydreamToken),
        (text.contains(DAYDREAM_KEY_MARK), Secret::DaydreamKey),
        (text.contains(ORGANIZATION_TOKEN), Secret::OrganizationToken),
        (text.contains(DIRECTORY_TOKEN_MARK), Secret::DirectoryToken),
        (text.contains("PRIVATE KEY"), Secret::ServiceAccountKey),
    ]
    .into_iter()
    .filter_map(|(found, secret)| found.then_some(secret))
}
