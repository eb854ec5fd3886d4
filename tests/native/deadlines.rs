//! How long a person waits when an upstream does not answer, and which calls are tried again meanwhile. Reads, and
//! changes that may be repeated, are tried three times; a call that cannot be repeated is tried once.

use sandbox::Operation;
use serde_json::json;

use crate::caps::{assign, spends};
use crate::support::browser::Response;
use crate::support::{Browser, World};

/// The longest that any answer may take, in milliseconds, whichever upstream does not answer. README states this
/// number.
const LONGEST_ANSWER_MS: i64 = 45_000;
/// The longest that all tries of one repeatable call take: three deadlines of 5 s, with pauses of 250 ms and 1 s
/// between them.
const LONGEST_REPEATED_CALL_MS: i64 = 16_250;
/// The pauses alone. A person waits only for them when the upstream answers at once that it cannot serve.
const PAUSES_MS: i64 = 1_250;
/// The operations that are sent once and never again: a repeated create makes a second key, a repeated code has been
/// used already, and nobody needs to wait for the revocation of a token.
const ONCE: [Operation; 3] = [
    Operation::KeysCreate,
    Operation::GithubToken,
    Operation::GithubRevoke,
];

/// The people who act. All of them sign in before any upstream stops answering.
struct Cast<'w> {
    world: &'w World,
    member: Browser<'w>,
    operator: Browser<'w>,
}

impl Cast<'_> {
    fn key(&self) -> String {
        self.world
            .db
            .text("SELECT public_id FROM keys ORDER BY id DESC LIMIT 1")
    }

    /// Posts `body` to the key's route `verb`, as the key's owner.
    fn verb(&self, verb: &str, body: &str) -> Response {
        let target = format!("/api/v1/keys/{}/{verb}", self.key());
        self.member.post(&target, body)
    }

    /// Posts `body` to the admin route `verb` of the member, as the operator.
    fn about_member(&self, verb: &str, body: &str) -> Response {
        let member = self.world.member("member");
        let target = format!("/api/v1/admin/members/{member}/{verb}");
        self.operator.post(&target, body)
    }
}

/// Makes a member without a key.
fn newcomer(world: &World) -> Cast<'_> {
    Cast {
        world,
        member: Browser::signed_in(world, "member"),
        operator: Browser::signed_in(world, "operator"),
    }
}

/// Makes a member whose key has spent something.
fn holder(world: &World) -> Cast<'_> {
    let cast = newcomer(world);
    assert_eq!(cast.member.claim().status, 201);
    spends(world, 1.0);
    world.pass(600);
    assert!(world.sweep());
    cast
}

/// Makes a member who prepays and whose key has spent something.
fn prepaying(world: &World) -> Cast<'_> {
    let cast = newcomer(world);
    assign(world, &cast.member, "prepaid");
    let paid = r#"{"payment_id":"first","amount_usd":"10.00"}"#;
    assert!(cast.about_member("payments", paid).status < 300);
    assert_eq!(cast.member.claim().status, 201);
    spends(world, 1.0);
    cast
}

/// Makes a member whose key expires soon.
fn at_the_end(world: &World) -> Cast<'_> {
    holder(world);
    world.pass(85 * 86_400);
    assert!(world.sweep());
    newcomer(world)
}

type Prepare = fn(&World) -> Cast<'_>;
type Act = fn(&Cast<'_>) -> Response;

/// The acts that a person waits for: a name, the state that the act needs, and the act itself.
const ACTS: [(&str, Prepare, Act); 15] = [
    ("sign in", newcomer, |c| {
        Browser::new(c.world).sign_in("second")
    }),
    ("claim", newcomer, |c| c.member.claim()),
    ("refresh", holder, |c| {
        c.member.post("/api/v1/keys/refresh", "{}")
    }),
    ("disable", holder, |c| {
        let target = format!("/api/v1/keys/{}", c.key());
        c.member.patch(&target, r#"{"disabled":true}"#)
    }),
    ("delete", holder, |c| {
        c.member.delete(&format!("/api/v1/keys/{}", c.key()))
    }),
    ("lower limit", holder, |c| {
        c.verb("limit", r#"{"limit_usd":"2.00"}"#)
    }),
    ("rotate", holder, |c| c.verb("rotate", "{}")),
    ("rotate with grace", holder, |c| {
        c.verb("rotate", r#"{"grace_hours":1}"#)
    }),
    ("renew", at_the_end, |c| c.verb("renew", "{}")),
    ("report a leak", holder, |c| c.verb("leaked", "{}")),
    ("report a leak as an admin", holder, |c| {
        let target = format!("/api/v1/keys/{}/leaked", c.key());
        c.operator.post(&target, "{}")
    }),
    ("raise", holder, |c| {
        let target = format!("/api/v1/admin/keys/{}/raises", c.key());
        let body = r#"{"amount_usd":"1.00","until":null}"#;
        c.operator.post(&target, body)
    }),
    ("assign a plan", holder, |c| {
        c.about_member("plan", r#"{"plan":"pro"}"#)
    }),
    ("book a payment", prepaying, |c| {
        let paid = r#"{"payment_id":"second","amount_usd":"5.00"}"#;
        c.about_member("payments", paid)
    }),
    ("ban", holder, |c| {
        let target = format!("/api/v1/admin/members/{}", c.world.member("member"));
        c.operator.patch(&target, r#"{"status":"banned"}"#)
    }),
];

/// Counts the calls of each operation, in the order of `Operation::ALL`.
fn counted(world: &World) -> Vec<u64> {
    let all = Operation::ALL.iter();
    all.map(|operation| world.calls(operation.as_str()))
        .collect()
}

/// Plays an act, with or without a fault. Returns the answer, how long it took in milliseconds, and how many calls of
/// each operation the act made.
fn played(
    prepare: Prepare,
    act: Act,
    fault: Option<(Operation, &str)>,
) -> (Response, i64, Vec<u64>) {
    let world = World::new();
    let cast = prepare(&world);
    let before = counted(&world);
    if let Some((operation, kind)) = fault {
        let more = match kind {
            "error_before" => json!({ "times": 0, "status": 500 }),
            _ => json!({ "times": 0 }),
        };
        world.add_fault(operation.as_str(), kind, more);
    }
    let began = world.now_ms.get();
    let response = act(&cast);
    let waited = world.now_ms.get() - began;
    world.sandbox.borrow_mut().clear_faults();
    let calls = counted(&world).into_iter().zip(before);
    (
        response,
        waited,
        calls.map(|(now, then)| now - then).collect(),
    )
}

/// Lists the operations that an act leads to when every call is answered.
fn operations_of(name: &str, prepare: Prepare, act: Act) -> Vec<(usize, Operation)> {
    let (response, waited, calls) = played(prepare, act, None);
    assert!(response.status < 400, "{name}: {response:?}");
    assert_eq!(waited, 0, "{name} waits for nothing of its own accord");
    let all = Operation::ALL.iter().copied().enumerate();
    let called = all.filter(|(n, o)| calls[*n] > 0 && *o != Operation::GithubAuthorize);
    called.collect()
}

#[test]
fn every_request_is_answered_within_its_bound_whichever_upstream_operation_stalls() {
    let (mut cells, mut longest) = (0, 0);
    for (name, prepare, act) in ACTS {
        let operations = operations_of(name, prepare, act);
        assert!(!operations.is_empty(), "{name} asks nobody");
        for (n, operation) in operations {
            // The deadline is 2 s for a look before a key is disabled, and 5 s for any other call.
            for (kind, each_ms) in [("stall_before", 2_000), ("stall_after", 2_000)] {
                let (response, waited, calls) = played(prepare, act, Some((operation, kind)));
                let cell = format!("{name}, {} {kind}: {response:?}", operation.as_str());
                assert!(waited >= each_ms, "{waited} ms: {cell}");
                assert!(waited <= LONGEST_ANSWER_MS, "{waited} ms: {cell}");
                let tries = i64::try_from(calls[n]).unwrap();
                if ONCE.contains(&operation) {
                    assert_eq!(tries, 1, "{cell}");
                } else {
                    // Each call has at most three tries, however many calls there are.
                    let rounds = (tries + 2) / 3;
                    assert!(waited <= rounds * LONGEST_REPEATED_CALL_MS, "{cell}");
                }
                longest = longest.max(waited);
                cells += 1;
            }
        }
    }
    println!("counted: {cells} stalls within requests; the longest answer took {longest} ms");
}

#[test]
fn a_call_that_is_refused_at_once_is_repeated_only_where_that_is_harmless_and_with_short_pauses() {
    for (name, prepare, act) in ACTS {
        for (n, operation) in operations_of(name, prepare, act) {
            let (response, waited, calls) = played(prepare, act, Some((operation, "error_before")));
            let cell = format!("{name}, {}: {response:?}", operation.as_str());
            let tries = i64::try_from(calls[n]).unwrap();
            if ONCE.contains(&operation) {
                assert_eq!((tries, waited), (1, 0), "{cell}");
            } else {
                let rounds = (tries + 2) / 3;
                assert!(waited <= rounds * PAUSES_MS, "{waited} ms: {cell}");
            }
        }
    }
}

/// OpenRouter puts this text into its errors; no answer of the Worker may repeat it.
const CANARY: &str = "canary-of-upstreams-own-words";

/// The ways in which an overloaded or broken OpenRouter refuses: fault, status, and `Retry-After` in seconds.
const OVERLOADED: [(&str, u16, Option<u32>); 4] = [
    ("rate_limited", 429, Some(7)),
    ("rate_limited", 429, None),
    ("error_before", 500, None),
    ("error_before", 503, None),
];

#[test]
fn an_overloaded_upstream_is_a_503_with_a_wait_whatever_was_asked_and_in_our_own_words() {
    let mut cells = 0;
    for (name, prepare, act) in ACTS {
        for (_, operation) in operations_of(name, prepare, act) {
            for (kind, status, wait) in OVERLOADED {
                let world = World::new();
                let cast = prepare(&world);
                let mut more = json!({ "times": 0 });
                if let Some(wait) = wait {
                    more["retry_after"] = json!(wait);
                }
                if kind == "error_before" {
                    more["status"] = json!(status);
                }
                world.add_fault(operation.as_str(), kind, more);
                world.bend.set(Some(|_, answer| {
                    for member in ["error", "message", "error_description"] {
                        if answer[member].is_object() {
                            answer[member]["message"] = json!(CANARY);
                        } else if answer[member].is_string() {
                            answer[member] = json!(CANARY);
                        }
                    }
                }));
                let response = act(&cast);
                world.bend.set(None);
                world.sandbox.borrow_mut().clear_faults();
                let cell = format!("{name}, {} {status}: {response:?}", operation.as_str());
                // A change that is recorded and will be carried out later is not an error. A sign-in redirects back
                // with its reason.
                let carried_out = [200, 201, 202, 204, 303].contains(&response.status);
                assert!(carried_out || response.status == 503, "{cell}");
                if response.status == 503 {
                    let wait: u32 = response.header("retry-after").parse().expect(&cell);
                    assert!((1..=600).contains(&wait), "{cell}");
                }
                let log = world.log.borrow().join("\n");
                assert!(
                    !response.body.contains(CANARY) && !log.contains(CANARY),
                    "{cell}"
                );
                cells += 1;
            }
        }
    }
    println!("counted: {cells} acts at an upstream that is overloaded or broken");
}
