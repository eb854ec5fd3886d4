//! An organization: who its members are, page by page and one by one.

use super::api::error;
use crate::{
    message::{Request, Response},
    operation::last_segment,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The organization that is played.
pub const ORGANIZATION: &str = "sandbox-company";
/// The credential of a member of the organization.
pub const ORGANIZATION_TOKEN: &str = "ghp_sandbox-organization-token-not-real";

/// The organization, as a test sets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Organization {
    /// The members by their account numbers, in the order of the list.
    pub members: Vec<u64>,
    /// Accounts that do not exist any more, whoever asks.
    pub deleted: Vec<u64>,
    /// The token is none of a member's: the list shows nobody, and a question about one person is redirected.
    pub outsider: bool,
    /// Every page of the list is the first one.
    pub same_page: bool,
    /// The organization has this login instead of [`ORGANIZATION`].
    pub renamed: Option<String>,
}

/// `GET /orgs/{org}/members`.
pub(super) fn members(organization: &Organization, request: &Request) -> Response {
    if !is_played(organization, request, 2) {
        return error(404, "Not Found");
    }
    if organization.outsider {
        return Response::json(200, &json!([]));
    }
    let number = |name: &str, unset: usize| {
        let given = request.query_value(name).and_then(|text| text.parse().ok());
        given.unwrap_or(unset).max(1)
    };
    let most = number("per_page", 30).min(100);
    let page = if organization.same_page {
        1
    } else {
        number("page", 1)
    };
    let from = (page - 1).saturating_mul(most);
    let shown = organization.members.iter().skip(from).take(most);
    let shown: Vec<Value> = shown
        .map(|id| json!({"id": id, "login": login_of(*id), "type": "User", "site_admin": false}))
        .collect();
    Response::json(200, &Value::Array(shown))
}

/// `GET /orgs/{org}/members/{username}`.
pub(super) fn member(organization: &Organization, request: &Request) -> Response {
    if !is_played(organization, request, 3) {
        return error(404, "Not Found");
    }
    let login = last_segment(request);
    if organization.outsider {
        let public = format!("https://api.github.com/orgs/{ORGANIZATION}/public_members/{login}");
        return Response::empty(302).with("location", &public);
    }
    if organization.members.iter().any(|id| login_of(*id) == login) {
        Response::empty(204)
    } else {
        error(404, "Not Found")
    }
}

fn is_played(organization: &Organization, request: &Request, from_end: usize) -> bool {
    let login = organization.renamed.as_deref().unwrap_or(ORGANIZATION);
    request.path().rsplit('/').nth(from_end - 1) == Some(login)
}

/// The login of an account. An account that is none of the personas has its number in its login.
fn login_of(id: u64) -> String {
    super::personas::by_github_id(id).map_or_else(
        || format!("account-{id}"),
        |persona| persona.login.into_owned(),
    )
}
