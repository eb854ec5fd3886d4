//! Callbacks that are bent in every way: each ends on the page that its row names, and gives no session.

use super::altered_cookies::ALTERED_COOKIES;
use super::altered_queries::ALTERED_QUERIES;
use super::errors::ERRORS;
use super::{EXPIRED, OWN, Three, come_back, cookies_set, gives_a_session, parameter};
use crate::attacks::Caller;
use crate::support::{World, oracle};

#[test]
fn only_the_cookie_and_the_state_of_one_attempt_sign_in_together() {
    let all = [ALTERED_QUERIES, ALTERED_COOKIES, ERRORS].concat();
    for (what, bend, leads_to) in &all {
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
    println!("counted: {} bent sign-ins", all.len());
}
