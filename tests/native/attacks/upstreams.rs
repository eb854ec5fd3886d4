//! Upstream services that are hostile or broken, or that another service impersonates: their answers are altered in
//! every way that could confuse a client. Nothing is delivered that was not asked for, nothing of theirs is repeated,
//! and the promises hold.

use keycap::ports::Answer;
use sandbox::Operation;

use crate::explorer::{Cast, all_is_well, recover, signed_in};
use crate::support::{Browser, TEN_MINUTES, World, oracle};

/// A text that no answer, log line or row may contain.
const CANARY: &str = "canary-of-a-hostile-upstream";

/// A function that makes an answer hostile in one way.
type Twist = fn(&mut Answer);

fn body(answer: &mut Answer, text: String) {
    answer.body = text.into_bytes();
}

/// Replaces every text, number, boolean and null that is a member of an object in the answer's JSON, at any depth, by
/// `value`.
fn every_member(answer: &mut Answer, value: &serde_json::Value) {
    fn bend(at: &mut serde_json::Value, value: &serde_json::Value) {
        match at {
            serde_json::Value::Object(members) => {
                members.values_mut().for_each(|member| match member {
                    serde_json::Value::Object(_) | serde_json::Value::Array(_) => {
                        bend(member, value);
                    }
                    _ => *member = value.clone(),
                });
            }
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| bend(item, value)),
            _ => {}
        }
    }
    let Ok(mut json) = serde_json::from_slice(&answer.body) else {
        return;
    };
    bend(&mut json, value);
    body(answer, json.to_string());
}

const TWISTS: [(&str, Twist); 24] = [
    ("nothing", |a| a.body.clear()),
    ("no type", |a| a.content_type.clear()),
    ("another type", |a| {
        a.content_type = String::from("text/html")
    }),
    ("a page", |a| {
        a.content_type = String::from("text/html");
        body(a, format!("<html><title>{CANARY}</title></html>"));
    }),
    ("a page that says it is JSON", |a| {
        body(a, format!("<html>{CANARY}</html>"))
    }),
    ("no UTF-8", |a| a.body = vec![0xff, 0xfe, 0x00, 0xc3]),
    ("null", |a| body(a, String::from("null"))),
    ("a list", |a| body(a, format!("[\"{CANARY}\"]"))),
    ("a number", |a| body(a, String::from("1e999"))),
    ("deep", |a| {
        body(a, format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)))
    }),
    ("deep members", |a| body(a, "{\"data\":".repeat(50_000))),
    ("followed by more", |a| {
        a.body.extend_from_slice(b"{\"data\":null}")
    }),
    ("without data", |a| {
        body(a, format!("{{\"message\":\"{CANARY}\"}}"))
    }),
    ("data twice", |a| {
        let text = String::from_utf8_lossy(&a.body).replacen('{', "{\"data\":null,\"id\":1,", 1);
        body(a, text);
    }),
    ("all null", |a| every_member(a, &serde_json::Value::Null)),
    ("all true", |a| every_member(a, &serde_json::json!(true))),
    ("all negative", |a| every_member(a, &serde_json::json!(-1))),
    ("all huge", |a| every_member(a, &serde_json::json!(1.7e308))),
    ("all text", |a| every_member(a, &serde_json::json!(CANARY))),
    ("all markup", |a| {
        every_member(
            a,
            &serde_json::json!(format!("<img src=x onerror=\"{CANARY}\">")),
        );
    }),
    ("all long", |a| {
        every_member(a, &serde_json::json!(CANARY.repeat(10_000)))
    }),
    ("all objects", |a| {
        every_member(a, &serde_json::json!({ "a": CANARY }))
    }),
    ("status 299 and nothing", |a| {
        a.status = 299;
        a.body.clear();
    }),
    ("a redirect", |a| {
        a.status = 302;
        body(a, format!("{{\"message\":\"{CANARY}\"}}"));
    }),
];

/// Unusual statuses, and values of Retry-After that nobody would honour.
const STATUSES: [(u16, Option<&str>); 12] = [
    (100, None),
    (204, None),
    (304, None),
    (308, None),
    (402, None),
    (407, None),
    (418, None),
    (429, Some("-1")),
    (429, Some("99999999999999999999")),
    (429, Some("Wed, 21 Oct 2099 07:28:00 GMT")),
    (503, Some("\u{661}\u{662}")),
    (999, None),
];

/// Runs a story. Returns everything that was answered while the answers of one operation are hostile.
fn everything(world: &World, cast: &Cast) -> String {
    let mut response = Vec::new();
    let newcomer = Browser::new(world);
    response.push(newcomer.sign_in("second"));
    response.push(newcomer.claim());
    let member = Browser::with(world, &cast.member);
    let operator = Browser::with(world, &cast.operator);
    let id = world
        .db
        .text("SELECT public_id FROM keys ORDER BY id LIMIT 1");
    let key = format!("/api/v1/keys/{id}");
    let posts = [
        ("/api/v1/keys/refresh", "{}"),
        (&*format!("{key}/limit"), r#"{"limit_usd":"2.00"}"#),
        (&*format!("{key}/rotate"), r#"{"grace_hours":1}"#),
        (&*format!("{key}/leaked"), "{}"),
    ];
    for (target, body) in posts {
        response.push(member.post(target, body));
        oracle::always(world);
    }
    response.push(member.patch(&key, r#"{"disabled":true}"#));
    response.push(operator.delete(&key));
    world.pass(TEN_MINUTES);
    assert!(world.sweep());
    assert!(world.reconcile());
    oracle::always(world);
    for target in ["/api/v1/me", "/api/v1/keys", "/api/v1/admin/jobs"] {
        response.push(operator.get(target));
    }
    format!("{response:?}")
}

/// The upstream operations that the story uses when every answer is good.
fn operations() -> Vec<Operation> {
    let (world, cast) = begun();
    everything(&world, &cast);
    let asked = |operation: &&Operation| world.calls(operation.as_str()) > 0;
    let found = Operation::ALL.iter().filter(asked).copied();
    found.filter(|o| *o != Operation::GithubAuthorize).collect()
}

fn begun() -> (World, Cast) {
    let world = World::new();
    let cast = signed_in(&world);
    let member = Browser::signed_in(&world, "member");
    assert_eq!(member.claim().status, 201);
    world.pass(TEN_MINUTES);
    (world, cast)
}

/// Runs the story with hostile answers of one operation, and checks everything that could have leaked or broken.
fn play(
    begun: &(World, Cast),
    operation: Operation,
    what: &str,
    twist: impl Fn(&mut Answer) + 'static,
) {
    let (world, cast) = (begun.0.forked(), &begun.1);
    *world.twist.borrow_mut() = Some((operation, Box::new(twist)));
    let answers = everything(&world, cast);
    let log = world.log.borrow().join("\n");
    for (place, text) in [("a log line", log), ("an answer", answers)] {
        assert!(
            !text.contains(CANARY),
            "{what} of {} is in {place}",
            operation.as_str()
        );
    }
    *world.twist.borrow_mut() = None;
    recover(&world, cast, 0);
    all_is_well(&world, cast);
}

/// A quarter of the items, a different one for each operation. A larger run takes all of them.
fn part_of<T: Copy, const N: usize>(all: [T; N], operation: usize) -> Vec<T> {
    let whole = std::env::var("KEYCAP_SCALE").is_ok();
    let chosen = |n: usize| whole || (n + operation).is_multiple_of(4);
    let all = all.into_iter().enumerate();
    all.filter(|(n, _)| chosen(*n))
        .map(|(_, item)| item)
        .collect()
}

#[test]
fn no_answer_of_a_hostile_upstream_breaks_the_service_or_leaks_anything() {
    let begun = begun();
    let mut cells = 0;
    for (n, operation) in operations().into_iter().enumerate() {
        for (what, twist) in part_of(TWISTS, n) {
            play(&begun, operation, what, twist);
            cells += 1;
        }
        for (status, retry_after) in part_of(STATUSES, n) {
            let wait = retry_after.map(str::to_owned);
            play(
                &begun,
                operation,
                &format!("{status} {retry_after:?}"),
                move |answer| {
                    answer.status = status;
                    answer.retry_after.clone_from(&wait);
                },
            );
            cells += 1;
        }
    }
    println!("counted: {cells} hostile answers of upstream operations");
}
