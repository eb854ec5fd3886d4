//! KV serves nothing, something old, or what was deleted: nothing is redeemed twice, and nothing is lost.

use super::*;

#[test]
fn while_kv_serves_nothing_for_a_minute_it_is_not_yet_and_then_there_is_one_key() {
    for slug in PROVIDERS {
        let world = world();
        world.kv.lag_ms.set(60_000);
        let member = Browser::signed_in(&world, "member");
        let begun = confirmed(&member, slug);
        for _ in 0..4 {
            let response = redeems(&member, &begun);
            assert_eq!(response.status, 202, "{response:?}");
            let body = response.json();
            assert_eq!(
                (
                    &body["handoff"]["status"],
                    &body["handoff"]["poll_after_ms"]
                ),
                (&json!("ready"), &json!(1_500))
            );
            world.pass(15);
        }
        let response = redeems(&member, &begun);
        assert_eq!(response.status, 201, "{response:?}");
        assert_eq!((exchanges(&world), made(&world)), (1, 1));
    }
}

#[test]
fn while_kv_does_not_answer_it_is_not_yet_and_a_return_uses_nothing_up() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = confirmed(&member, "openrouter");
    world.kv.down.set(true);
    assert_eq!(redeems(&member, &begun).status, 202);
    let waiting = starts(&member, "openrouter");
    let callback = chooses(&world, &waiting, "sign-in");
    assert!(comes_back(&member, &callback).ends_with("error=storage_unavailable"));
    assert_eq!(status(&member, &waiting), "pending");
    world.kv.down.set(false);
    assert_eq!(redeems(&member, &begun).status, 201);
    assert!(comes_back(&member, &callback).contains("handoff="));
}

#[test]
fn what_kv_still_serves_after_it_was_redeemed_makes_no_second_key() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = confirmed(&member, "openrouter");
    let (name, value) = blobs(&world)[0].clone();
    assert_eq!(redeems(&member, &begun).status, 201);
    assert!(blobs(&world).is_empty());
    world.kv.put_by_hand(&name, &value);
    for secs in [0, 30, 60] {
        world.pass(secs);
        assert_eq!(redeems(&member, &begun).code(), "handoff_redeemed");
    }
    assert_eq!((exchanges(&world), made(&world)), (1, 1));
}

#[test]
fn what_kv_lost_for_good_ends_as_expired_and_another_can_begin() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = confirmed(&member, "openrouter");
    world.kv.forget();
    assert_eq!(redeems(&member, &begun).status, 202);
    world.pass(600);
    assert_eq!(redeems(&member, &begun).code(), "handoff_expired");
    let another = confirmed(&member, "openrouter");
    assert_eq!(redeems(&member, &another).status, 201);
}
