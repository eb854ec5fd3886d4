//! Altered sign-ins: states, codes and attempt cookies that belong to somebody else, or are used up, broken or missing.

mod altered_cookies;
mod altered_queries;
mod bent;
mod errors;
mod sealed;
mod several;

use super::{Caller, SESSION};
use crate::support::Browser;
use crate::support::browser::Response;

/// A sign-in that has begun and been approved at GitHub.
struct Attempt {
    name: String,
    sealed: String,
    state: String,
    code: String,
}

impl Attempt {
    fn begun(caller: &Caller<'_>, next: &str) -> (Self, String) {
        let started = caller.get(&format!("/auth/github?next={next}"), &[]);
        assert_eq!(started.status, 302);
        let set = started.header("set-cookie");
        let (name, rest) = set.split_once('=').unwrap();
        let sealed = rest.split(';').next().unwrap().to_owned();
        let location = started.header("location").to_owned();
        let attempt = Self {
            name: name.to_owned(),
            sealed,
            state: parameter(&location, "state"),
            code: String::new(),
        };
        (attempt, location)
    }

    fn approved(caller: &Caller<'_>, next: &str, persona: &str) -> Self {
        let (mut attempt, location) = Self::begun(caller, next);
        let back = Browser::new(caller.world).approve(&location, persona);
        attempt.code = parameter(&back, "code");
        attempt
    }

    fn cookie(&self) -> String {
        format!("{}={}", self.name, self.sealed)
    }

    fn query(&self) -> String {
        format!("code={}&state={}", self.code, self.state)
    }
}

fn parameter(address: &str, name: &str) -> String {
    let query = address.split_once('?').unwrap().1;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == name).unwrap().1.into_owned()
}

fn come_back(caller: &Caller<'_>, query: &str, cookie: &str) -> Response {
    let target = format!("/auth/github/callback?{query}");
    let response = caller.get(&target, &[("cookie", cookie.as_bytes())]);
    assert_eq!(response.status, 303, "{query}");
    assert_eq!(response.body, "", "{query}");
    response
}

fn cookies_set(response: &Response) -> Vec<String> {
    let all = response.headers.get_all("set-cookie").iter();
    all.map(|set| set.to_str().unwrap().to_owned()).collect()
}

fn gives_a_session(response: &Response) -> bool {
    cookies_set(response)
        .iter()
        .any(|set| set.starts_with(SESSION))
}

const OWN: &str = "/keys";

const STATE: &str = "/?auth_error=state";

const EXPIRED: &str = "/?auth_error=expired";

const DENIED: &str = "/?auth_error=denied";

/// Two attempts of this browser, and one of another person's browser.
struct Three {
    a: Attempt,
    b: Attempt,
    other: Attempt,
}

impl Three {
    fn of(caller: &Caller<'_>) -> Self {
        Self {
            a: Attempt::approved(caller, "keys", "member"),
            b: Attempt::approved(caller, "docs", "member"),
            other: Attempt::approved(caller, "admin", "second"),
        }
    }

    fn cookies(&self) -> String {
        format!("{}; {}", self.a.cookie(), self.b.cookie())
    }
}

/// What is altered, the query and the cookies that come back, and where the browser is redirected.
type Bent = (&'static str, fn(&Three) -> (String, String), &'static str);

/// The query `code=…&state=…` with these values, and this browser's cookies.
fn with(three: &Three, code: &str, state: &str) -> (String, String) {
    (format!("code={code}&state={state}"), three.cookies())
}
