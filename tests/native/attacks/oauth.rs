//! Altered sign-ins: states, codes and attempt cookies that belong to somebody else, or are used up, broken or missing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use keycap::crypto::keyring::{Keyring, Purpose};
use keycap::crypto::seal;
use keycap::domain::key::secret::Secret;
use keycap::ports::{NoRandomness, Random};

use super::{Caller, SECRET, SESSION};
use crate::support::browser::Response;
use crate::support::{Browser, World, oracle};

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

const OWN: &str = "/keys";
const STATE: &str = "/?auth_error=state";
const EXPIRED: &str = "/?auth_error=expired";
const DENIED: &str = "/?auth_error=denied";

/// What is altered, the query and the cookies that come back, and where the browser is redirected.
type Bent = (&'static str, fn(&Three) -> (String, String), &'static str);

/// The query `code=…&state=…` with these values, and this browser's cookies.
fn with(three: &Three, code: &str, state: &str) -> (String, String) {
    (format!("code={code}&state={state}"), three.cookies())
}

const BENT: &[Bent] = &[
    ("nothing", |t| (t.a.query(), t.cookies()), OWN),
    (
        "no state",
        |t| (format!("code={}", t.a.code), t.cookies()),
        STATE,
    ),
    ("an empty state", |t| with(t, &t.a.code, ""), STATE),
    ("no query", |t| (String::new(), t.cookies()), STATE),
    (
        "a longer state",
        |t| with(t, &t.a.code, &format!("{}x", t.a.state)),
        STATE,
    ),
    (
        "a shorter state",
        |t| with(t, &t.a.code, &t.a.state[..t.a.state.len() - 1]),
        STATE,
    ),
    (
        "the suffix alone",
        |t| with(t, &t.a.code, &t.a.state[..8]),
        STATE,
    ),
    (
        "the suffix and a dot",
        |t| with(t, &t.a.code, &t.a.state[..9]),
        STATE,
    ),
    (
        "a state in capitals",
        |t| with(t, &t.a.code, &t.a.state.to_uppercase()),
        STATE,
    ),
    (
        "a blank before the state",
        |t| with(t, &t.a.code, &format!("%20{}", t.a.state)),
        STATE,
    ),
    (
        "a blank after the state",
        |t| with(t, &t.a.code, &format!("{}+", t.a.state)),
        STATE,
    ),
    (
        "a zero byte after the state",
        |t| with(t, &t.a.code, &format!("{}%00", t.a.state)),
        STATE,
    ),
    (
        "a line after the state",
        |t| with(t, &t.a.code, &format!("{}%0d%0aset-cookie:a=b", t.a.state)),
        STATE,
    ),
    (
        "no UTF-8 after the state",
        |t| with(t, &t.a.code, &format!("{}%ff", t.a.state)),
        STATE,
    ),
    (
        "a state encoded twice",
        |t| with(t, &t.a.code, &t.a.state.replace('.', "%252E")),
        STATE,
    ),
    (
        "a state encoded once",
        |t| with(t, &t.a.code, &t.a.state.replace('.', "%2e")),
        OWN,
    ),
    (
        "an encoded parameter name",
        |t| {
            (
                format!("c%6fde={}&st%61te={}", t.a.code, t.a.state),
                t.cookies(),
            )
        },
        OWN,
    ),
    (
        "a parameter in capitals",
        |t| {
            (
                format!("code={}&STATE={}", t.a.code, t.a.state),
                t.cookies(),
            )
        },
        STATE,
    ),
    (
        "a parameter as a list",
        |t| {
            (
                format!("code={}&state[]={}", t.a.code, t.a.state),
                t.cookies(),
            )
        },
        STATE,
    ),
    (
        "parameters in a row of semicolons",
        |t| {
            (
                format!("code={};state={}", t.a.code, t.a.state),
                t.cookies(),
            )
        },
        STATE,
    ),
    (
        "the true state first",
        |t| (format!("{}&state=x", t.a.query()), t.cookies()),
        OWN,
    ),
    (
        "the true state second",
        |t| (format!("state=x&{}", t.a.query()), t.cookies()),
        STATE,
    ),
    (
        "an empty state first",
        |t| (format!("state=&{}", t.a.query()), t.cookies()),
        STATE,
    ),
    (
        "another attempt's state first",
        |t| (format!("state={}&{}", t.b.state, t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "the true code first",
        |t| (format!("{}&code=x", t.a.query()), t.cookies()),
        OWN,
    ),
    (
        "the true code second",
        |t| (format!("code=x&{}", t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "two true codes",
        |t| (format!("code={}&{}", t.b.code, t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "the state of another browser",
        |t| with(t, &t.a.code, &t.other.state),
        STATE,
    ),
    (
        "state and code of another browser",
        |t| (t.other.query(), t.cookies()),
        STATE,
    ),
    (
        "the code of another browser",
        |t| with(t, &t.other.code, &t.a.state),
        EXPIRED,
    ),
    (
        "the code of another attempt: its verifier is another",
        |t| with(t, &t.b.code, &t.a.state),
        EXPIRED,
    ),
    (
        "the state of another attempt",
        |t| with(t, &t.a.code, &t.b.state),
        EXPIRED,
    ),
    (
        "no code",
        |t| (format!("state={}", t.a.state), t.cookies()),
        STATE,
    ),
    ("an empty code", |t| with(t, "", &t.a.state), EXPIRED),
    (
        "a code with a line",
        |t| with(t, "a%0d%0ax:y", &t.a.state),
        EXPIRED,
    ),
    (
        "a code with a zero byte",
        |t| with(t, &format!("{}%00", t.a.code), &t.a.state),
        EXPIRED,
    ),
    (
        "a code with a quote",
        |t| with(t, "%22%2c%22client_id%22%3a%22x", &t.a.state),
        EXPIRED,
    ),
    (
        "a code that is no UTF-8",
        |t| with(t, "%ff%fe", &t.a.state),
        EXPIRED,
    ),
    (
        "a huge code",
        |t| with(t, &"A".repeat(16_384), &t.a.state),
        EXPIRED,
    ),
    (
        "a huge state",
        |t| with(t, &t.a.code, &"a".repeat(16_384)),
        STATE,
    ),
    ("no cookie", |t| (t.a.query(), String::new()), STATE),
    (
        "the other attempt's cookie alone",
        |t| (t.a.query(), t.b.cookie()),
        STATE,
    ),
    (
        "cookies swapped",
        |t| {
            (
                t.a.query(),
                format!("{}={}; {}={}", t.a.name, t.b.sealed, t.b.name, t.a.sealed),
            )
        },
        STATE,
    ),
    (
        "the cookie under the other's name, with its state",
        |t| (t.b.query(), format!("{}={}", t.b.name, t.a.sealed)),
        STATE,
    ),
    (
        "another browser's cookie under this name",
        |t| (t.a.query(), format!("{}={}", t.a.name, t.other.sealed)),
        STATE,
    ),
    (
        "a cookie's name in capitals",
        |t| {
            (
                t.a.query(),
                format!("{}={}", t.a.name.to_uppercase(), t.a.sealed),
            )
        },
        STATE,
    ),
    (
        "a cookie without its prefix",
        |t| (t.a.query(), t.a.cookie().replace("__Host-", "")),
        STATE,
    ),
    (
        "a quoted cookie",
        |t| (t.a.query(), format!("{}=\"{}\"", t.a.name, t.a.sealed)),
        STATE,
    ),
    (
        "a padded cookie",
        |t| (t.a.query(), format!("{}==", t.a.cookie())),
        STATE,
    ),
    (
        "a doubled cookie",
        |t| (t.a.query(), format!("{}{}", t.a.cookie(), t.a.sealed)),
        STATE,
    ),
    (
        "an empty cookie first",
        |t| (t.a.query(), format!("{}=; {}", t.a.name, t.a.cookie())),
        STATE,
    ),
    (
        "a broken cookie second",
        |t| (t.a.query(), format!("{}; {}=x", t.a.cookie(), t.a.name)),
        OWN,
    ),
    (
        "a session in the attempt's place",
        |t| (t.a.query(), format!("{SESSION}={}", t.a.sealed)),
        STATE,
    ),
    (
        "declined, with a code as well",
        |t| (format!("error=access_denied&{}", t.a.query()), t.cookies()),
        DENIED,
    ),
    (
        "declined, without a code",
        |t| {
            (
                format!("error=access_denied&state={}", t.a.state),
                t.cookies(),
            )
        },
        DENIED,
    ),
    (
        "declined in another browser",
        |t| {
            (
                format!("error=access_denied&state={}", t.other.state),
                t.cookies(),
            )
        },
        STATE,
    ),
    (
        "declined without a state",
        |t| (String::from("error=access_denied"), t.cookies()),
        STATE,
    ),
    (
        "the application suspended",
        |t| {
            (
                format!("error=application_suspended&state={}", t.a.state),
                t.cookies(),
            )
        },
        "/?auth_error=suspended_app",
    ),
    (
        "another callback address",
        |t| {
            (
                format!("error=redirect_uri_mismatch&state={}", t.a.state),
                t.cookies(),
            )
        },
        "/?auth_error=misconfigured",
    ),
    (
        "no verified address",
        |t| {
            (
                format!("error=unverified_user_email&state={}", t.a.state),
                t.cookies(),
            )
        },
        "/?auth_error=unverified_email",
    ),
    (
        "an empty error",
        |t| (format!("error=&{}", t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "an unknown error",
        |t| (format!("error=canary-error&{}", t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "an error in capitals",
        |t| (format!("error=ACCESS_DENIED&{}", t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "two errors",
        |t| {
            (
                format!("error=canary&error=access_denied&state={}", t.a.state),
                t.cookies(),
            )
        },
        EXPIRED,
    ),
    (
        "HTML as an error",
        |t| {
            (
                format!("error=%3Cscript%3Ecanary()%3C/script%3E&{}", t.a.query()),
                t.cookies(),
            )
        },
        EXPIRED,
    ),
    (
        "a line in an error",
        |t| {
            (
                format!("error=canary%0d%0aset-cookie:canary=1&{}", t.a.query()),
                t.cookies(),
            )
        },
        EXPIRED,
    ),
    (
        "an address as an error",
        |t| {
            (
                format!("error=https://canary.example&{}", t.a.query()),
                t.cookies(),
            )
        },
        EXPIRED,
    ),
    (
        "HTML as a description",
        |t| {
            (
                format!(
                    "error=access_denied&error_description=%3Cb%3Ecanary&error_uri=//canary.example&{}",
                    t.a.query()
                ),
                t.cookies(),
            )
        },
        DENIED,
    ),
    (
        "a next of the callback's own",
        |t| (format!("{}&next=admin", t.a.query()), t.cookies()),
        OWN,
    ),
    (
        "a redirect address of the callback's own",
        |t| {
            (
                format!("{}&redirect_uri=https://canary.example", t.a.query()),
                t.cookies(),
            )
        },
        OWN,
    ),
];

#[test]
fn only_the_cookie_and_the_state_of_one_attempt_sign_in_together() {
    for (what, bend, leads_to) in BENT {
        let world = World::new();
        let caller = Caller::new(&world);
        let three = Three::of(&caller);
        let (query, cookie) = bend(&three);
        let response = come_back(&caller, &query, &cookie);
        assert_eq!(response.header("location"), *leads_to, "{what}");
        assert_eq!(gives_a_session(&response), *leads_to == OWN, "{what}");
        for (_, value) in &response.headers {
            assert!(
                !value.to_str().unwrap().contains("canary"),
                "{what}: reflected"
            );
        }
        let exchanges = world.calls("github.token");
        let asked =
            u64::from(*leads_to == OWN || (*leads_to == EXPIRED && !query.contains("error=")));
        assert_eq!(
            exchanges, asked,
            "{what}: a code is traded only for a true state"
        );
        let members = i64::from(*leads_to == OWN);
        assert_eq!(
            world.db.number("SELECT COUNT(*) FROM members"),
            members,
            "{what}"
        );
        // The attempt whose state came back is over, whatever the result was.
        for attempt in [&three.a, &three.b, &three.other] {
            if parameter(&format!("?{query}&state="), "state") == attempt.state {
                let gone =
                    |set: &String| set.starts_with(&attempt.name) && set.contains("Max-Age=0");
                assert!(cookies_set(&response).iter().any(gone), "{what}");
            }
        }
        oracle::always(&world);
    }
    println!("counted: {} bent sign-ins", BENT.len());
}

#[test]
fn the_first_callback_uses_up_a_sign_in() {
    let world = World::new();
    let caller = Caller::new(&world);
    let (attempt, location) = Attempt::begun(&caller, "keys");
    let codes: Vec<String> = (0..6)
        .map(|_| parameter(&Browser::new(&world).approve(&location, "member"), "code"))
        .collect();
    let again = |code: &str| {
        let query = format!("code={code}&state={}", attempt.state);
        let response = come_back(&caller, &query, &attempt.cookie());
        assert_eq!(
            gives_a_session(&response),
            response.header("location") == OWN
        );
        response.header("location").to_owned()
    };
    assert_eq!(again(&codes[0]), OWN);
    let written = world.db.dump();
    for code in &codes[1..] {
        assert_eq!(again(code), STATE, "a fresh code, a used state");
    }
    for code in &codes {
        assert_eq!(again(code), EXPIRED, "a used code");
    }
    assert_eq!(world.db.dump(), written, "a replay writes nothing");
    oracle::always(&world);
    println!("counted: {} replayed sign-ins", codes.len() * 2 - 1);
}

#[test]
fn an_attempt_cookie_that_was_changed_opens_nothing() {
    let world = World::new();
    let caller = Caller::new(&world);
    let attempt = Attempt::approved(&caller, "keys", "member");
    let bytes = URL_SAFE_NO_PAD.decode(&attempt.sealed).unwrap();
    let mut forms = Vec::new();
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        forms.push(URL_SAFE_NO_PAD.encode(&flipped));
        forms.push(URL_SAFE_NO_PAD.encode(&bytes[..at]));
        if at % 5 == 0 {
            let mut longer = bytes.clone();
            longer.insert(at, 0);
            forms.push(URL_SAFE_NO_PAD.encode(&longer));
            forms.push(attempt.sealed[at..].to_owned());
        }
    }
    forms.push(attempt.sealed.to_uppercase());
    forms.push(attempt.sealed.chars().rev().collect());
    forms.push("A".repeat(attempt.sealed.len()));
    forms.push("A".repeat(65_536));
    let forms: Vec<String> = forms
        .into_iter()
        .filter(|form| *form != attempt.sealed)
        .collect();
    let before = world.db.dump();
    for form in &forms {
        let cookie = format!("{}={form}", attempt.name);
        let response = come_back(&caller, &attempt.query(), &cookie);
        assert_eq!(response.header("location"), STATE, "{form}");
        assert!(!gives_a_session(&response));
    }
    assert_eq!(world.db.dump(), before);
    assert_eq!(world.calls("github.token"), 0);
    let response = come_back(&caller, &attempt.query(), &attempt.cookie());
    assert_eq!(response.header("location"), OWN);
    oracle::always(&world);
    println!("counted: {} broken attempt cookies", forms.len());
}

struct Fixed;

impl Random for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        bytes.fill(7);
        Ok(())
    }
}

#[test]
fn a_value_sealed_for_another_purpose_is_no_attempt() {
    let world = World::new();
    let caller = Caller::new(&world);
    let state = "0badcafe.state";
    let name = "__Host-keycap_attempt_0badcafe";
    let soon = world.now().plus(60).secs();
    let keyring = |secret: &str| Keyring::new(&[Secret::new(secret.to_owned())]);
    let key = |secret: &str, purpose| keyring(secret).newest(purpose).unwrap().clone();
    let good = serde_json::json!({ "state": state, "verifier": "v", "next": "//evil.example", "expires_at": soon });
    let with = |member: &str, value: serde_json::Value| {
        let mut pending = good.clone();
        pending[member] = value;
        pending.to_string()
    };
    let ours = || key(SECRET, Purpose::SignInAttempt);
    let now = world.now().secs();
    let all = [
        (
            "the session's key",
            key(SECRET, Purpose::Session),
            name,
            good.to_string(),
        ),
        (
            "the rate limit's key",
            key(SECRET, Purpose::RateLimit),
            name,
            good.to_string(),
        ),
        (
            "another secret",
            key(
                "another-session-secret-not-for-production",
                Purpose::SignInAttempt,
            ),
            name,
            good.to_string(),
        ),
        (
            "another name",
            ours(),
            "__Host-keycap_attempt_0badcaff",
            good.to_string(),
        ),
        ("no name", ours(), "", good.to_string()),
        ("the session's name", ours(), SESSION, good.to_string()),
        (
            "another state",
            ours(),
            name,
            with("state", "0badcafe.other".into()),
        ),
        (
            "no state",
            ours(),
            name,
            with("state", serde_json::Value::Null),
        ),
        ("over", ours(), name, with("expires_at", now.into())),
        ("long over", ours(), name, with("expires_at", 0.into())),
        (
            "a text as its end",
            ours(),
            name,
            with("expires_at", soon.to_string().into()),
        ),
        (
            "no verifier",
            ours(),
            name,
            with("verifier", serde_json::Value::Null),
        ),
        ("no JSON", ours(), name, String::from("{")),
        ("nothing", ours(), name, String::new()),
    ];
    for (what, key, sealed_for, pending) in &all {
        let sealed = seal::seal(key, sealed_for, pending.as_bytes(), &Fixed).unwrap();
        let response = come_back(
            &caller,
            &format!("code=x&state={state}"),
            &format!("{name}={sealed}"),
        );
        assert_eq!(response.header("location"), STATE, "{what}");
    }
    assert_eq!(world.calls("github.token"), 0);

    // The seal here is valid, and the `next` inside it is hostile. It is still not used as an address.
    let attempt = Attempt::approved(&caller, "keys", "member");
    let plain = seal::open(&[ours()], &attempt.name, &attempt.sealed).unwrap();
    let mut pending: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    pending["next"] = "//evil.example".into();
    let sealed = seal::seal(
        &ours(),
        &attempt.name,
        pending.to_string().as_bytes(),
        &Fixed,
    )
    .unwrap();
    let response = come_back(
        &caller,
        &attempt.query(),
        &format!("{}={sealed}", attempt.name),
    );
    assert_eq!(response.header("location"), OWN);
    oracle::always(&world);
    println!("counted: {} cookies sealed for something else", all.len());
}

#[test]
fn an_attempt_lasts_ten_minutes_to_the_second() {
    for (after, leads_to) in [
        (0, OWN),
        (599, OWN),
        (600, STATE),
        (601, STATE),
        (86_400, STATE),
    ] {
        let world = World::new();
        let caller = Caller::new(&world);
        let attempt = Attempt::approved(&caller, "keys", "member");
        world.pass(after);
        let response = come_back(&caller, &attempt.query(), &attempt.cookie());
        assert_eq!(response.header("location"), leads_to, "after {after} s");
        assert!(
            cookies_set(&response)
                .iter()
                .any(|set| set.starts_with(&attempt.name))
        );
        oracle::always(&world);
    }
    println!("counted: 5 ends of attempts");
}

#[test]
fn tabs_side_by_side_finish_in_any_order_each_on_its_own_page() {
    // Names of pages that do not exist yet lead to the page of keys.
    let tabs = [("keys", "/keys"), ("docs", "/docs"), ("usage", "/keys")];
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        for declined in 0..=tabs.len() {
            let world = World::new();
            let caller = Caller::new(&world);
            let begun: Vec<Attempt> = tabs
                .iter()
                .map(|(next, _)| Attempt::approved(&caller, next, "member"))
                .collect();
            let mut jar: Vec<String> = begun.iter().map(Attempt::cookie).collect();
            let mut signed_in = false;
            for n in order {
                let attempt = &begun[n];
                let declines = n == declined;
                let query = if declines {
                    format!("error=access_denied&state={}", attempt.state)
                } else {
                    attempt.query()
                };
                // A person whom another tab has signed in goes to the page of this tab, whatever GitHub returned.
                let leads_to = if declines && !signed_in {
                    DENIED
                } else {
                    tabs[n].1
                };
                let response = come_back(&caller, &query, &jar.join("; "));
                assert_eq!(
                    response.header("location"),
                    leads_to,
                    "{order:?} {declined}"
                );
                let set = cookies_set(&response);
                if declines && !signed_in {
                    let own = |set: &String| set.starts_with(&attempt.name);
                    assert!(set.iter().all(own), "{set:?}: another tab's is left alone");
                }
                for line in &set {
                    let cookie = line.split(';').next().unwrap();
                    let name = cookie.split('=').next().unwrap();
                    jar.retain(|kept| kept.split('=').next() != Some(name));
                    if !line.contains("Max-Age=0") {
                        jar.push(cookie.to_owned());
                    }
                }
                signed_in |= gives_a_session(&response);
                let left = jar.iter().filter(|kept| !kept.starts_with(SESSION));
                assert!(
                    !signed_in || left.count() == 0,
                    "{jar:?}: all attempts are over"
                );
            }
            assert!(signed_in, "{order:?} {declined}");
            let members = world.db.number("SELECT COUNT(*) FROM members");
            assert_eq!(members, 1, "one person, however many tabs");
            oracle::always(&world);
        }
    }
    println!(
        "counted: {} interleavings of three tabs",
        orders.len() * (tabs.len() + 1)
    );
}

#[test]
fn the_start_page_never_repeats_text_of_its_address() {
    let world = World::new();
    let caller = Caller::new(&world);
    let payloads = [
        "<script>canary()</script>",
        "\"><img src=x onerror=canary()>",
        "canary",
        "denied canary",
        "denied\u{0}canary",
        "javascript:canary()",
        "{{canary}}",
        "${canary}",
        "%3Ccanary%3E",
        "<!--canary-->",
        "\u{202e}canary",
        "state\r\ncanary: 1",
    ];
    let mut count = 0;
    for payload in payloads {
        let encoded: String = url::form_urlencoded::byte_serialize(payload.as_bytes()).collect();
        for query in [
            format!("auth_error={encoded}"),
            format!("auth_error=denied&auth_error={encoded}"),
            format!("auth_error=denied&error_description={encoded}"),
            format!("{encoded}=1"),
            format!("next={encoded}&auth_error={encoded}"),
            encoded.clone(),
        ] {
            let response = caller.get(&format!("/?{query}"), &[("accept", b"text/html")]);
            assert_eq!(response.status, 200, "{query}");
            assert!(!response.body.contains("canary"), "{query}");
            count += 1;
        }
    }
    println!("counted: {count} addresses of the start page");
}
