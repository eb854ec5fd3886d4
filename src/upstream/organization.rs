//! The members of an organization at GitHub, by their account numbers. A person whom the list does not show is asked for
//! by themselves: first whether the account exists, then whether it is a member.

use serde::Deserialize;

use crate::domain::people::departure::{Doubt, Found};
use crate::ports::upstreams::Organization;
use crate::ports::{Answer, Outcome};
use crate::upstream::client::{UpstreamClient, read, send_safe};
use crate::upstream::directory::{DirectoryPage, ListedPerson};
use crate::upstream::github;

/// The largest page that GitHub gives.
const PAGE: usize = 100;

#[derive(Deserialize)]
struct OrganizationMember {
    id: u64,
    login: String,
}

/// Reads a page of the members. `at` is its number, from 1.
pub async fn page(
    upstream: &UpstreamClient<'_>,
    organization: &Organization,
    at: Option<&str>,
) -> Result<DirectoryPage, Doubt> {
    let number: u32 = at.unwrap_or("1").parse().map_err(|_| Doubt::Unreadable)?;
    let path = format!(
        "/orgs/{}/members?per_page={PAGE}&page={number}",
        organization.login
    );
    let answer = asked(upstream, organization, &path).await?;
    if answer.status != 200 {
        return Err(refused(&answer));
    }
    let body = answer.json().ok_or(Doubt::Unreadable)?;
    let members: Vec<OrganizationMember> = read(upstream.log, body).ok_or(Doubt::Unreadable)?;
    // Only an empty page ends the list: a short one may have been filtered.
    let next = (!members.is_empty()).then(|| number.saturating_add(1).to_string());
    let people = members.into_iter().map(|member| ListedPerson {
        id: member.id.to_string(),
        found: Found::Active,
        deleted_at: None,
    });
    Ok(DirectoryPage {
        people: people.collect(),
        next,
    })
}

/// What has become of the person with this account number, who had this login when they last signed in.
pub async fn person(
    upstream: &UpstreamClient<'_>,
    organization: &Organization,
    id: &str,
    login: &str,
) -> Result<Found, Doubt> {
    let answer = asked(upstream, organization, &format!("/user/{id}")).await?;
    let account: OrganizationMember = match answer.status {
        200 => {
            let account = answer.json().ok_or(Doubt::Unreadable)?;
            read(upstream.log, account).ok_or(Doubt::Unreadable)?
        }
        // GitHub hides the accounts that an enterprise manages, and only their logins have an underscore.
        404 if answer.json().is_some() && !login.contains('_') => return Ok(Found::NoAccount),
        404 => return Ok(Found::Unknown),
        _ => return Err(refused(&answer)),
    };
    let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if account.id.to_string() != id || !account.login.bytes().all(is_path) {
        return Ok(Found::Unknown);
    }
    let path = format!("/orgs/{}/members/{}", organization.login, account.login);
    let answer = asked(upstream, organization, &path).await?;
    match answer.status {
        204 => Ok(Found::Active),
        404 if answer.json().is_some() => Ok(Found::NotAMember),
        // A redirect means that the token is none of a member's, so GitHub tells it public members only.
        302 | 404 => Ok(Found::Unknown),
        _ => Err(refused(&answer)),
    }
}

async fn asked(
    upstream: &UpstreamClient<'_>,
    organization: &Organization,
    path: &str,
) -> Result<Answer, Doubt> {
    let call = github::api(upstream, "GET", path).ok_or(Doubt::Unavailable)?;
    let token = format!("Bearer {}", organization.token.expose());
    match send_safe(upstream, call.header("authorization", token)).await {
        Outcome::Answer(answer) => Ok(answer),
        Outcome::Unsent | Outcome::Unknown => Err(Doubt::Unavailable),
    }
}

fn refused(answer: &Answer) -> Doubt {
    match answer.status {
        401 | 404 => Doubt::Forbidden,
        403 | 429 if github::is_rate_limit(answer) => Doubt::Busy,
        403 => Doubt::Forbidden,
        500..=599 => Doubt::Unavailable,
        _ => Doubt::Unreadable,
    }
}
