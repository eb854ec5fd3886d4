//! What rests in KV opens only for its own hand-off, in its own browser, under a listed secret, and in time.

use super::*;

/// Redeems after KV's value was replaced. Returns the answer's code.
fn with_value(change: impl Fn(&World, &Browser<'_>, &str, &str) -> String) -> (String, u64) {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let begun = confirmed(&member, "openrouter");
    let (name, value) = blobs(&world)[0].clone();
    let changed = change(&world, &member, &name, &value);
    world.kv.put_by_hand(&name, &changed);
    let code = redeems(&member, &begun).code();
    // Nothing was used up.
    world.kv.put_by_hand(&name, &value);
    assert_eq!(status(&member, &begun), "ready");
    assert_eq!(redeems(&member, &begun).status, 201);
    (code, exchanges(&world))
}

#[test]
fn a_value_that_is_swapped_flipped_cut_or_of_another_purpose_is_refused_alike_and_uses_nothing_up()
{
    type Change = fn(&World, &Browser<'_>, &str, &str) -> String;
    let changes: [Change; 6] = [
        |_, _, _, _| String::from("nonsense"),
        |_, _, _, value| value[..value.len() - 1].to_owned(),
        |_, _, _, value| {
            let mut bytes = value.to_owned().into_bytes();
            let at = bytes.len() - 20;
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            String::from_utf8(bytes).unwrap()
        },
        // The value of the same member's hand-off at the other provider.
        |world, member, name, _| {
            confirmed(member, "daydream");
            let stored = blobs(world);
            stored
                .into_iter()
                .find(|(other, _)| other != name)
                .unwrap()
                .1
        },
        // The value of another member's hand-off at the same provider.
        |world, _, name, _| {
            let second = Browser::signed_in(world, "second");
            confirmed(&second, "openrouter");
            let stored = blobs(world);
            stored
                .into_iter()
                .find(|(other, _)| other != name)
                .unwrap()
                .1
        },
        // The end of its life, written later.
        |_, _, _, value| {
            let parts: Vec<&str> = value.splitn(3, '.').collect();
            format!(
                "{}.{}.{}",
                parts[0],
                parts[1].parse::<i64>().unwrap() + 1,
                parts[2]
            )
        },
    ];
    for (n, change) in changes.into_iter().enumerate() {
        let (code, exchanges) = with_value(change);
        assert_eq!((code.as_str(), exchanges), ("handoff_unreadable", 1), "{n}");
    }
}

#[test]
fn a_new_secret_in_front_loses_no_open_hand_off_and_without_the_old_one_nothing_opens() {
    const OLD: &str = "native-session-secret-not-for-production";
    const NEW: &str = "another-session-secret-not-for-production";
    let world = world();
    let member = Browser::signed_in(&world, "member");
    let [first, second, third] = [0; 3].map(|_| confirmed(&member, "openrouter"));
    let unconfirmed = starts(&member, "openrouter");
    let code = signs_in(&member, &unconfirmed);
    let pending = starts(&member, "daydream");
    world.set("AUTH_SESSION_SECRET", &format!("{NEW},{OLD}"));
    let rotated = member.at_fresh_isolate();
    assert_eq!(redeems(&rotated, &first).status, 201);
    assert_eq!(confirms(&rotated, &unconfirmed, &code).status, 200);
    assert_eq!(redeems(&rotated, &unconfirmed).status, 201);
    let code = signs_in(&rotated, &pending);
    assert_eq!(confirms(&rotated, &pending, &code).status, 200);
    assert_eq!(redeems(&rotated, &pending).status, 201);
    // An isolate that has the old configuration still opens what it sealed itself.
    assert_eq!(redeems(&member, &second).status, 201);
    world.set("AUTH_SESSION_SECRET", NEW);
    let anew = Browser::signed_in(&world, "member");
    let own = member.cookies.borrow().clone();
    let verifiers = own.into_iter().filter(|(name, _)| name.contains("handoff"));
    anew.cookies.borrow_mut().extend(verifiers);
    assert_eq!(redeems(&anew, &third).code(), "handoff_unreadable");
    assert_eq!(made(&world), 4);
}

#[test]
fn a_dump_of_both_stores_holds_nothing_usable() {
    let world = world();
    let member = Browser::signed_in(&world, "member");
    confirmed(&member, "openrouter");
    let ready = starts(&member, "daydream");
    signs_in(&member, &ready);
    let redeemed = confirmed(&member, "openrouter");
    assert_eq!(redeems(&member, &redeemed).status, 201);
    let mut dump = world.db.dump();
    for value in world.kv.values() {
        dump.push_str(&value);
    }
    let sandbox = world.sandbox.borrow();
    let ledger = sandbox.ledger();
    let values = ledger.sign_in_values.iter().chain(&ledger.secrets_minted);
    let cookies = member.cookies.borrow();
    let verifiers = cookies.iter().filter(|(name, _)| name.contains("handoff"));
    let secrets = values.chain(verifiers.map(|(_, value)| value));
    let mut looked_for = 0;
    for secret in secrets {
        assert!(!dump.contains(&secret[secret.len() - 16..]), "at rest");
        looked_for += 1;
    }
    assert!(looked_for >= 7, "{looked_for}");
}
