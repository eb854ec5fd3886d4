//! `admin.googleapis.com`: the list of a Workspace's people, and one of them.

use super::directory_people::{DirectoryLie, DirectoryPerson, Standing};
use crate::{
    Sandbox,
    clock::{DAY_MS, SECOND_MS, timestamp_secs},
    message::{Request, Response},
    operation::last_segment,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The most people of one page, and how many a page has if nothing is said.
const MOST: usize = 500;
const USUAL: usize = 100;
/// The name of a page is valid for three days.
const PAGE_LIFE_MS: i64 = 3 * DAY_MS;
const TOKEN_LIFE_MS: i64 = 3_600 * SECOND_MS;
const FIELDS: &str = "nextPageToken,users(";

#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    people: BTreeMap<String, DirectoryPerson>,
    lies: Vec<DirectoryLie>,
    /// When the directory was first asked after an account was deleted.
    deleted_at: BTreeMap<String, i64>,
    /// The access tokens that were issued, with the time.
    tokens: BTreeMap<String, i64>,
}

impl State {
    /// Adds these people, or changes those of the same ids.
    pub fn put(&mut self, people: Vec<DirectoryPerson>) {
        for person in people {
            self.people.insert(person.id.clone(), person);
        }
    }

    pub fn tell(&mut self, lies: Vec<DirectoryLie>) {
        self.lies = lies;
    }

    pub fn issue(&mut self, token: &str, now: i64) {
        self.tokens.insert(token.to_owned(), now);
    }

    fn lies(&self, lie: DirectoryLie) -> bool {
        self.lies.contains(&lie)
    }

    /// The people that a list shows, oldest id first.
    fn listed(&self, deleted: bool) -> Vec<&DirectoryPerson> {
        let shown = |person: &&DirectoryPerson| match person.standing {
            Standing::Active | Standing::Suspended | Standing::Archived => !deleted,
            Standing::Deleted => deleted,
            Standing::Purged | Standing::Refused => false,
        };
        let all: Vec<&DirectoryPerson> = self.people.values().filter(shown).collect();
        if deleted {
            return all;
        }
        let half = all.len() / 2;
        let hides = |lie: &DirectoryLie, n: usize| match lie {
            DirectoryLie::Empty => true,
            DirectoryLie::TwoFifthsMissing => n % 5 < 2,
            DirectoryLie::OneInHundredMissing => n.is_multiple_of(100),
            DirectoryLie::Half => n >= half,
            _ => false,
        };
        let is_told = |n: usize| !self.lies.iter().any(|lie| hides(lie, n));
        let all = all.into_iter().enumerate();
        all.filter(|(n, _)| is_told(*n))
            .map(|(_, one)| one)
            .collect()
    }
}

/// Answers a list or a reading of one account.
pub(crate) fn answer(sandbox: &mut Sandbox, request: &Request, now: i64) -> Response {
    let state = &mut sandbox.directory;
    for person in state.people.values() {
        if person.standing == Standing::Deleted {
            state.deleted_at.entry(person.id.clone()).or_insert(now);
        } else {
            state.deleted_at.remove(&person.id);
        }
    }
    let state = &sandbox.directory;
    let token = request.credential("bearer").unwrap_or_default();
    let issued = state.tokens.get(token);
    if issued.is_none_or(|at| now - at >= TOKEN_LIFE_MS) {
        return error(
            401,
            "authError",
            "Request had invalid authentication credentials.",
        );
    }
    if state.lies(DirectoryLie::Forbidden) {
        return error(
            403,
            "forbidden",
            "Not Authorized to access this resource/api",
        );
    }
    match last_segment(request) {
        "users" => list(state, request, now),
        id => one(state, id),
    }
}

fn list(state: &State, request: &Request, now: i64) -> Response {
    let customer = request.query_value("customer");
    if customer.as_deref() != Some("my_customer") && request.query_value("domain").is_none() {
        return error(400, "badRequest", "Bad Request");
    }
    let most = match request.query_value("maxResults").map(|text| text.parse()) {
        None => USUAL,
        Some(Ok(most)) if (1..=MOST).contains(&most) => most,
        Some(_) => return error(400, "invalid", "Invalid Input: maxResults"),
    };
    let fields = request.query_value("fields");
    if fields.is_some_and(|fields| !fields.starts_with(FIELDS)) {
        return error(400, "invalid", "Invalid field selection");
    }
    let deleted = request.query_value("showDeleted").as_deref() == Some("true");
    let from = match request
        .query_value("pageToken")
        .map(|token| page_of(&token, now))
    {
        None => 0,
        Some(Some(_)) if state.lies(DirectoryLie::SamePage) && !deleted => 0,
        Some(Some(from)) => from,
        Some(None) => return error(400, "invalid", "Invalid Input: pageToken"),
    };
    let all = state.listed(deleted);
    let page: Vec<Value> = all
        .iter()
        .skip(from)
        .take(most)
        .map(|one| shown(state, one))
        .collect();
    let mut body = json!({"kind": "admin#directory#users", "etag": "\"sandbox\""});
    let is_full = page.len() == most;
    if let Some(members) = body.as_object_mut() {
        // Like Google, a list whose last page is full ends with one more answer, which has no `users` at all.
        if is_full {
            let next = if state.lies(DirectoryLie::SameToken) {
                most
            } else {
                from + most
            };
            members.insert("nextPageToken".to_owned(), json!(page_name(next, now)));
        }
        if !page.is_empty() {
            members.insert("users".to_owned(), Value::Array(page));
        }
    }
    Response::json(200, &body)
}

/// The name of the page that begins at this position. It says when it was made, and nobody else reads it.
fn page_name(from: usize, now: i64) -> String {
    format!("page-{now}-{from}")
}

fn page_of(name: &str, now: i64) -> Option<usize> {
    let (made, from) = name.strip_prefix("page-")?.split_once('-')?;
    let made: i64 = made.parse().ok()?;
    (now - made < PAGE_LIFE_MS).then(|| from.parse().ok())?
}

fn one(state: &State, id: &str) -> Response {
    if state.lies(DirectoryLie::Refuses) {
        return error(412, "conditionNotMet", "User is deleted.");
    }
    let by_address = |one: &&DirectoryPerson| one.email == id;
    let person = state
        .people
        .get(id)
        .or_else(|| state.people.values().find(by_address));
    match person {
        None => error(404, "notFound", "Resource Not Found: userKey"),
        Some(person) => match person.standing {
            Standing::Active | Standing::Suspended | Standing::Archived => {
                Response::json(200, &shown(state, person))
            }
            Standing::Deleted | Standing::Purged => {
                error(404, "notFound", "Resource Not Found: userKey")
            }
            Standing::Refused => error(412, "conditionNotMet", "User is deleted."),
        },
    }
}

fn shown(state: &State, person: &DirectoryPerson) -> Value {
    let mut user = json!({"primaryEmail": person.email, "creationTime": timestamp_secs(0)});
    if let Some(members) = user.as_object_mut() {
        if !state.lies(DirectoryLie::NoIds) {
            members.insert("id".to_owned(), json!(person.id));
        }
        if !state.lies(DirectoryLie::NoStates) {
            let is = |standing| json!(person.standing == standing);
            members.insert("suspended".to_owned(), is(Standing::Suspended));
            members.insert("archived".to_owned(), is(Standing::Archived));
        }
        if let Some(at) = state.deleted_at.get(&person.id) {
            members.insert("deletionTime".to_owned(), json!(timestamp_secs(*at)));
        }
        if person.standing == Standing::Suspended {
            members.insert("suspensionReason".to_owned(), json!("ADMIN"));
        }
    }
    user
}

/// An error in the form of the Directory API.
pub(crate) fn error(status: u16, reason: &str, message: &str) -> Response {
    let one = json!({"message": message, "domain": "global", "reason": reason});
    Response::json(
        status,
        &json!({"error": {"code": status, "message": message, "errors": [one]}}),
    )
}

/// The reason that the directory gives with an error of this status.
pub(crate) const fn usual_reason(status: u16) -> &'static str {
    match status {
        401 => "authError",
        403 => "forbidden",
        404 => "notFound",
        429 => "rateLimitExceeded",
        500..=599 => "backendError",
        _ => "badRequest",
    }
}
