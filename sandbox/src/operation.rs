//! The operations that the sandbox plays, their names, and the routes that lead to them.

use crate::google::service_account;
use crate::message::Request;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// github.com, under `/github`.
    Github,
    /// api.github.com, under `/github-api`.
    GithubApi,
    /// accounts.google.com, under `/google`.
    Google,
    /// oauth2.googleapis.com, under `/google-oauth`.
    GoogleToken,
    /// www.googleapis.com, under `/google-apis`.
    GoogleCerts,
    /// admin.googleapis.com, under `/google-admin`.
    GoogleDirectory,
    /// openrouter.ai, under `/openrouter/api/v1`.
    Openrouter,
    /// The pages of openrouter.ai, under `/openrouter`.
    OpenrouterSite,
    /// app.daydream.live, under `/daydream`.
    Daydream,
    /// api.daydream.live, under `/daydream-api`.
    DaydreamApi,
}

impl Host {
    /// The host whose prefix this path has, and the rest of the path.
    #[must_use]
    pub fn of(path: &str) -> Option<(Self, &str)> {
        let prefixes = [
            (Self::GithubApi, "/github-api/"),
            (Self::Github, "/github/"),
            (Self::GoogleToken, "/google-oauth/"),
            (Self::GoogleCerts, "/google-apis/"),
            (Self::Google, "/google/"),
            (Self::GoogleDirectory, "/google-admin/"),
            (Self::Openrouter, "/openrouter/api/v1/"),
            (Self::OpenrouterSite, "/openrouter/"),
            (Self::DaydreamApi, "/daydream-api/"),
            (Self::Daydream, "/daydream/"),
        ];
        prefixes
            .into_iter()
            .find_map(|(host, prefix)| Some((host, path.strip_prefix(prefix)?)))
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Github => "github.com",
            Self::GithubApi => "api.github.com",
            Self::Google => "accounts.google.com",
            Self::GoogleToken => "oauth2.googleapis.com",
            Self::GoogleCerts => "www.googleapis.com",
            Self::Openrouter | Self::OpenrouterSite => "openrouter.ai",
            Self::Daydream => "app.daydream.live",
            Self::DaydreamApi => "api.daydream.live",
            Self::GoogleDirectory => "admin.googleapis.com",
        }
    }
}

macro_rules! operations {
    ($($variant:ident $name:literal $host:ident),* $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Operation { $(#[serde(rename = $name)] $variant),* }

        impl Operation {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// Answers whether the operation returns pages of rows.
            #[must_use]
            pub fn is_list(self) -> bool {
                [".list", ".assignments", ".assigned"]
                    .iter()
                    .any(|end| self.as_str().ends_with(end))
            }

            #[must_use]
            pub const fn host(self) -> Host {
                match self { $(Self::$variant => Host::$host),* }
            }
        }
    };
}

operations! {
    GithubAuthorize "github.authorize" Github,
    GithubToken "github.token" Github,
    GithubUser "github.user" GithubApi,
    GithubRevoke "github.revoke" GithubApi,
    GoogleAuthorize "google.authorize" Google,
    GoogleToken "google.token" GoogleToken,
    GoogleCerts "google.certs" GoogleCerts,
    GithubOrgMembers "github.org.members" GithubApi,
    GithubOrgMember "github.org.member" GithubApi,
    GoogleServiceToken "google.service_token" GoogleToken,
    GoogleUsersList "google.users" GoogleDirectory,
    GoogleUsersDeleted "google.users.deleted" GoogleDirectory,
    GoogleUsersGet "google.users.get" GoogleDirectory,
    KeysCreate "openrouter.keys.create" Openrouter,
    KeysList "openrouter.keys.list" Openrouter,
    KeysGet "openrouter.keys.get" Openrouter,
    KeysUpdate "openrouter.keys.update" Openrouter,
    KeysDelete "openrouter.keys.delete" Openrouter,
    KeyCurrent "openrouter.key.current" Openrouter,
    WorkspacesList "openrouter.workspaces.list" Openrouter,
    WorkspacesGet "openrouter.workspaces.get" Openrouter,
    WorkspacesCreate "openrouter.workspaces.create" Openrouter,
    WorkspacesUpdate "openrouter.workspaces.update" Openrouter,
    WorkspacesDelete "openrouter.workspaces.delete" Openrouter,
    CreditsGet "openrouter.credits.get" Openrouter,
    ActivityGet "openrouter.activity.get" Openrouter,
    AnalyticsMeta "openrouter.analytics.meta" Openrouter,
    AnalyticsQuery "openrouter.analytics.query" Openrouter,
    GuardrailsList "openrouter.guardrails.list" Openrouter,
    GuardrailsGet "openrouter.guardrails.get" Openrouter,
    GuardrailsCreate "openrouter.guardrails.create" Openrouter,
    GuardrailsUpdate "openrouter.guardrails.update" Openrouter,
    GuardrailsDelete "openrouter.guardrails.delete" Openrouter,
    GuardrailsAssignments "openrouter.guardrails.assignments" Openrouter,
    GuardrailsAssigned "openrouter.guardrails.assigned" Openrouter,
    GuardrailsAssign "openrouter.guardrails.assign" Openrouter,
    GuardrailsUnassign "openrouter.guardrails.unassign" Openrouter,
    OpenrouterAuthorize "openrouter.authorize" OpenrouterSite,
    OpenrouterExchange "openrouter.exchange" Openrouter,
    DaydreamSignIn "daydream.sign_in" Daydream,
    DaydreamKey "daydream.key" DaydreamApi,
    DaydreamProfile "daydream.profile" DaydreamApi,
}

impl Operation {
    /// Answers whether a person's browser makes the request.
    #[must_use]
    pub const fn is_page(self) -> bool {
        matches!(
            self,
            Self::GithubAuthorize
                | Self::GoogleAuthorize
                | Self::OpenrouterAuthorize
                | Self::DaydreamSignIn
        )
    }

    /// The operation that a request calls. OpenRouter accepts a trailing slash, and GitHub answers 404 to it.
    #[must_use]
    pub fn of(request: &Request) -> Option<Self> {
        let (host, rest) = Host::of(request.path())?;
        let rest = if host == Host::Openrouter {
            rest.strip_suffix('/').unwrap_or(rest)
        } else {
            rest
        };
        let segments: Vec<&str> = rest.split('/').collect();
        match (host, request.method.as_str(), segments.as_slice()) {
            (Host::Github, "GET" | "POST", ["login", "oauth", "authorize"]) => {
                Some(Self::GithubAuthorize)
            }
            (Host::Github, "POST", ["login", "oauth", "access_token"]) => Some(Self::GithubToken),
            (Host::GithubApi, "GET", ["user"]) => Some(Self::GithubUser),
            (Host::GithubApi, "GET", ["user", id]) if id.parse::<u64>().is_ok() => {
                Some(Self::GithubUser)
            }
            (Host::GithubApi, "DELETE", ["applications", _, "token"]) => Some(Self::GithubRevoke),
            (Host::GithubApi, "GET", ["orgs", _, "members"]) => Some(Self::GithubOrgMembers),
            (Host::GithubApi, "GET", ["orgs", _, "members", _]) => Some(Self::GithubOrgMember),
            (Host::GoogleToken, "POST", ["token"]) if service_account::is_asked(request) => {
                Some(Self::GoogleServiceToken)
            }
            (Host::GoogleDirectory, "GET", ["admin", "directory", "v1", "users"]) => {
                let deleted = request.query_value("showDeleted").as_deref() == Some("true");
                Some(if deleted {
                    Self::GoogleUsersDeleted
                } else {
                    Self::GoogleUsersList
                })
            }
            (Host::GoogleDirectory, "GET", ["admin", "directory", "v1", "users", _]) => {
                Some(Self::GoogleUsersGet)
            }
            (Host::Google, "GET" | "POST", ["o", "oauth2", "v2", "auth"]) => {
                Some(Self::GoogleAuthorize)
            }
            (Host::GoogleToken, "POST", ["token"]) => Some(Self::GoogleToken),
            (Host::GoogleCerts, "GET", ["oauth2", "v3", "certs"]) => Some(Self::GoogleCerts),
            (Host::Openrouter, method, segments) => Self::of_openrouter(method, segments),
            (Host::OpenrouterSite, "GET" | "POST", ["auth"]) => Some(Self::OpenrouterAuthorize),
            (Host::Daydream, "GET" | "POST", ["sign-in", "local"]) => Some(Self::DaydreamSignIn),
            (Host::DaydreamApi, "POST", ["v1", "api-key"]) => Some(Self::DaydreamKey),
            (Host::DaydreamApi, "GET", ["users", "profile"]) => Some(Self::DaydreamProfile),
            _ => None,
        }
    }

    fn of_openrouter(method: &str, segments: &[&str]) -> Option<Self> {
        match (method, segments) {
            ("POST", ["keys"]) => Some(Self::KeysCreate),
            ("GET", ["keys"]) => Some(Self::KeysList),
            ("GET", ["keys", _]) => Some(Self::KeysGet),
            ("PATCH", ["keys", _]) => Some(Self::KeysUpdate),
            ("DELETE", ["keys", _]) => Some(Self::KeysDelete),
            ("GET", ["key"]) => Some(Self::KeyCurrent),
            ("GET", ["workspaces"]) => Some(Self::WorkspacesList),
            ("POST", ["workspaces"]) => Some(Self::WorkspacesCreate),
            ("GET", ["workspaces", _]) => Some(Self::WorkspacesGet),
            ("PATCH", ["workspaces", _]) => Some(Self::WorkspacesUpdate),
            ("DELETE", ["workspaces", _]) => Some(Self::WorkspacesDelete),
            ("POST", ["auth", "keys"]) => Some(Self::OpenrouterExchange),
            ("GET", ["credits"]) => Some(Self::CreditsGet),
            ("GET", ["activity"]) => Some(Self::ActivityGet),
            ("GET", ["analytics", "meta"]) => Some(Self::AnalyticsMeta),
            ("POST", ["analytics", "query"]) => Some(Self::AnalyticsQuery),
            (method, ["guardrails", rest @ ..]) => Self::of_guardrails(method, rest),
            _ => None,
        }
    }

    fn of_guardrails(method: &str, segments: &[&str]) -> Option<Self> {
        match (method, segments) {
            ("GET", []) => Some(Self::GuardrailsList),
            ("POST", []) => Some(Self::GuardrailsCreate),
            ("GET", ["assignments", "keys"]) => Some(Self::GuardrailsAssignments),
            ("GET", [_]) => Some(Self::GuardrailsGet),
            ("PATCH", [_]) => Some(Self::GuardrailsUpdate),
            ("DELETE", [_]) => Some(Self::GuardrailsDelete),
            ("GET", [_, "assignments", "keys"]) => Some(Self::GuardrailsAssigned),
            ("POST", [_, "assignments", "keys"]) => Some(Self::GuardrailsAssign),
            ("POST", [_, "assignments", "keys", "remove"]) => Some(Self::GuardrailsUnassign),
            _ => None,
        }
    }

    /// The operation of this name, such as `openrouter.keys.create`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|operation| operation.as_str() == name)
    }
}

/// The last segment of a path such as `/openrouter/api/v1/keys/{hash}`.
#[must_use]
pub fn last_segment(request: &Request) -> &str {
    request
        .path()
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default()
}
