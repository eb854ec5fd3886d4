//! A JWT library with another implementation of RSA reads the same tokens: what it refuses, we refuse too, and what it
//! takes, we take.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use sandbox::{GOOGLE_CLIENT_ID, Request, TokenLie};
use serde_json::Value;

use super::lies;
use crate::support::{Browser, World};

/// What only we ask of a token, beyond what the library checks.
const OURS: [TokenLie; 14] = [
    TokenLie::WrongAzp,
    TokenLie::NotYetIssued,
    TokenLie::LastsTooLong,
    TokenLie::OtherNonce,
    TokenLie::NoNonce,
    TokenLie::NoSub,
    TokenLie::EmptySub,
    TokenLie::NumericSub,
    TokenLie::LongSub,
    TokenLie::NoEmail,
    TokenLie::EmailUnverified,
    TokenLie::Oversized,
    TokenLie::ListOfAudiences,
    // serde takes the last of two members.
    TokenLie::ClaimTwice,
];

/// Answers whether the library takes a token, with the keys that the sandbox publishes.
fn library_takes(world: &World, token: &str) -> bool {
    let request = Request {
        method: String::from("GET"),
        target: String::from("/google-apis/oauth2/v3/certs"),
        headers: vec![(String::from("user-agent"), String::from("library"))],
        body: Vec::new(),
    };
    let now = world.upstream_now_ms();
    let delivery = world.sandbox.borrow_mut().handle_by_hand(&request, now);
    let published = delivery.answer().unwrap().value();
    let Ok(header) = decode_header(token) else {
        return false;
    };
    let keys = published["keys"].as_array().unwrap();
    let Some(key) = keys
        .iter()
        .find(|key| key["kid"].as_str() == header.kid.as_deref())
    else {
        return false;
    };
    let (n, e) = (key["n"].as_str().unwrap(), key["e"].as_str().unwrap());
    let key = DecodingKey::from_rsa_components(n, e).unwrap();
    let mut wanted = Validation::new(Algorithm::RS256);
    wanted.set_issuer(&["https://accounts.google.com", "accounts.google.com"]);
    wanted.set_audience(&[GOOGLE_CLIENT_ID]);
    // The library's clock is the machine's.
    wanted.validate_exp = false;
    let Ok(read) = decode::<Value>(token, &key, &wanted) else {
        return false;
    };
    let exp = read.claims["exp"].as_i64().unwrap();
    exp + 300 > world.now().secs()
}

#[test]
fn a_token_that_a_jwt_library_refuses_is_refused_here_too() {
    let (mut taken, mut refused) = (0, 0);
    let truth = std::iter::once(None);
    for lie in truth.chain(TokenLie::ALL.iter().copied().map(Some)) {
        let world = World::new();
        if let Some(lie) = lie {
            lies(&world, lie);
        }
        let location = Browser::new(&world)
            .sign_in_at("google", "employee")
            .header("location")
            .to_owned();
        let token = world.sandbox.borrow().ledger().google_tokens[0]
            .id_token
            .clone();
        let library = library_takes(&world, &token) && lie != Some(TokenLie::NoToken);
        if lie.is_some_and(|lie| OURS.contains(&lie)) {
            assert_ne!(location, "/keys", "{lie:?}");
            continue;
        }
        assert_eq!(location == "/keys", library, "{lie:?}");
        taken += i32::from(library);
        refused += i32::from(!library);
    }
    assert!(taken >= 3 && refused >= 12, "{taken} {refused}");
}

#[test]
fn no_changed_byte_of_a_token_passes() {
    let world = World::new();
    let browser = Browser::new(&world);
    let mut refused = 0;
    for at in (0..1_000).step_by(23) {
        let changed = move |answer: &mut keycap::ports::Answer| {
            let mut body: Value = serde_json::from_slice(&answer.body).unwrap();
            let mut token = body["id_token"].as_str().unwrap().as_bytes().to_vec();
            let at = at % token.len();
            token[at] = if token[at] == b'A' { b'B' } else { b'A' };
            body["id_token"] = String::from_utf8(token).unwrap().into();
            answer.body = body.to_string().into_bytes();
        };
        *world.twist.borrow_mut() = Some((sandbox::Operation::GoogleToken, Box::new(changed)));
        let location = browser
            .sign_in_at("google", "employee")
            .header("location")
            .to_owned();
        assert_eq!(location, "/?auth_error=google_unproved", "{at}");
        refused += 1;
        world.pass(61);
    }
    assert!(refused > 40);
    *world.twist.borrow_mut() = None;
    assert_eq!(
        browser.sign_in_at("google", "employee").header("location"),
        "/keys"
    );
}
