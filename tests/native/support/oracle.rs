//! The promises of keycap as one oracle: what the database, the sandbox's ledger, the delivered secrets and the log
//! must agree on after every test.

use std::collections::HashMap;

use sandbox::UpstreamKey;

use super::world::World;

/// Checks what must hold at every moment, also in the middle of a failure.
pub fn always(world: &World) {
    let now_ms = world.upstream_now_ms();
    world.outside_changes_are_kept();
    let sandbox = world.sandbox.borrow();
    let ledger = sandbox.ledger();
    one_delivered_key_per_slot(world, now_ms);
    let marker = format!("keycap/{}/", world.db.text("SELECT name FROM instance"));
    let ours = ledger.keys.iter();
    let ours: Vec<_> = ours
        .filter(|key| !key.foreign && key.name.starts_with(&marker))
        .collect();
    each_maps_to_one_row(world, &ours);
    each_is_capped(world, &ours);
    secrets_are_nowhere(world);
    seats_are_counted(world);
    off_is_off(world, now_ms);
    retained_keys_exist(world, ledger);
    nothing_was_freed_that_was_there(world, now_ms);
    unknown_outcomes_are_bounded(world);
    every_state_is_audited(world);
    who_left_is_nobody(world);
    a_key_is_held_to_what_is_on_record(world);
    no_hand_off_makes_two_keys(world);
    assert_eq!(ledger.violations.len(), 0, "{:?}", ledger.violations);
}

/// Answers whether someone deleted the recorded key of this name by hand. A second upstream key of the same name is
/// then left and reported, because it might be that very key.
fn is_reported(world: &World, name: &str) -> bool {
    let gone = world.gone.borrow();
    let recorded = world.db.texts(&format!(
        "SELECT COALESCE(upstream_hash, '') FROM generations WHERE upstream_name = '{name}'"
    ));
    recorded.iter().any(|hash| gone.contains(hash))
}

/// Checks what must hold after two sweeps during which OpenRouter was reachable.
pub fn settled(world: &World) {
    always(world);
    let rows = recorded(world);
    for key in world.usable() {
        let row = rows.get(&key.hash);
        if row.is_none() && is_reported(world, &key.name) {
            continue;
        }
        assert!(
            row.is_some_and(|state| ["active", "disabled"].contains(&state.as_str())),
            "a stray lives on: {} {row:?}",
            key.name
        );
    }
    let put_out = world.db.texts(
        "SELECT g.upstream_hash FROM generations g JOIN members m ON m.owner_id = g.owner_id
         WHERE m.status <> 'active' AND g.upstream_hash IS NOT NULL",
    );
    for key in world.usable() {
        assert!(!put_out.contains(&key.hash), "a key of who is out works");
    }
    let theirs = world.db.number(
        "SELECT COUNT(*) FROM keys k JOIN members m ON m.owner_id = k.owner_id
         WHERE m.status <> 'active' AND k.ended_at IS NULL",
    );
    assert_eq!(theirs, 0, "who is out has a key");
    let held = world.db.number(
        "SELECT COUNT(*) FROM generations g WHERE g.state = 'active'
           AND EXISTS (SELECT 1 FROM holds h WHERE h.key_id = g.key_id)",
    );
    assert_eq!(held, 0, "a key with a hold is on");
    for (hash, state) in &rows {
        let on = world.usable().iter().any(|key| key.hash == *hash);
        assert!(
            state != "active" || on || world.gone.borrow().contains(hash),
            "an active key is off upstream: {hash}"
        );
    }
    let unsettled = world.db.texts(
        "SELECT state FROM generations WHERE state IN ('reserved', 'minting', 'verifying', 'revoking')",
    );
    assert!(unsettled.is_empty(), "left unsettled: {unsettled:?}");
    no_cap_is_above_the_plan(world);
    a_key_is_held_to_its_plan(world);
    let late = world.db.number(&format!(
        "SELECT COUNT(*) FROM generations WHERE state = 'revoked' AND erased_at IS NULL
           AND readings_since_off >= 2 AND (erase_at < {now} - 600 OR usage_lifetime_nano = 0)",
        now = world.now().secs(),
    ));
    assert_eq!(late, 0, "what is settled and over is kept on");
    assert_eq!(
        world.db.number("SELECT COUNT(*) FROM findings"),
        0,
        "a marker without a row"
    );
    nothing_differs(world);
}

/// Checks that a reconcile run finds no difference once everything has settled. The run leaves no trace in the world.
fn nothing_differs(world: &World) {
    let before = world.db.number("SELECT COALESCE(MAX(id), 0) FROM runs");
    assert!(world.reconcile_dry());
    let counts = world.db.texts(&format!(
        "SELECT COALESCE(json_extract(counts, '$.drift'), 0) || ' ' || COALESCE(json_extract(counts, '$.missing'), 0)
         FROM runs WHERE id > {before} AND job = 'reconcile' ORDER BY id DESC LIMIT 1"
    ));
    let differs = world.db.texts("SELECT kind FROM drift");
    let of_nothing = world.held_for_nothing();
    let expected = format!("{of_nothing} {}", world.missing());
    let may_differ = |kind: &String| kind == "missing" || (of_nothing > 0 && kind == "limit");
    assert!(
        differs.iter().all(may_differ) && counts.iter().all(|is| *is == expected),
        "{differs:?} {counts:?}"
    );
    world.db.run(&format!(
        "DELETE FROM runs WHERE id > {before}; DELETE FROM sightings; DELETE FROM drift WHERE last_seen_at = {}",
        world.now().secs()
    ));
}

/// Checks that the limit of a key at OpenRouter is not above its owner's plan and raises, once nothing is in flight.
fn no_cap_is_above_the_plan(world: &World) {
    let now = world.now().secs();
    let above = world.db.texts(&format!(
        "SELECT g.public_id || ' ' || g.limit_nano FROM generations g JOIN keys k ON k.id = g.key_id
         JOIN owners o ON o.id = g.owner_id JOIN plans p ON p.id = o.plan_id
         WHERE g.state IN ('active', 'disabled') AND p.limit_reset <> 'none' AND COALESCE(g.cap_due_at, {now} + 1) > {now}
           AND g.limit_nano > MIN(COALESCE(k.own_limit_nano, 9e15), COALESCE(k.upstream_limit_nano, 9e15), p.limit_nano + (SELECT COALESCE(SUM(r.amount_nano), 0)
             FROM raises r WHERE r.key_id = k.id AND COALESCE(r.until, {now} + 1) > {now}))"
    ));
    assert!(above.is_empty(), "above the plan: {above:?}");
    for key in world.usable() {
        if is_reported(world, &key.name) {
            continue;
        }
        let on_record = world.db.number(&format!(
            "SELECT MAX(limit_nano, COALESCE(limit_sent_nano, 0)) FROM generations WHERE upstream_hash = '{}'",
            key.hash
        ));
        let limit = key.limit.unwrap().nanos;
        assert!(
            limit <= on_record,
            "{}: {limit} at OpenRouter, {on_record} on record",
            key.name
        );
    }
}

/// Checks that each key whose secret was delivered is assigned to the guardrail that its row names, unless another
/// guardrail is in flight.
fn a_key_is_held_to_what_is_on_record(world: &World) {
    held_to(world, "g.guardrail_id", "g.guardrail_sent_at IS NULL");
}

/// Checks that each live key is assigned to the guardrail of its plan, once nothing is in flight.
fn a_key_is_held_to_its_plan(world: &World) {
    held_to(world, "p.guardrail_id", "g.live = 1");
}

fn held_to(world: &World, named: &str, of: &str) {
    let rows = world.db.texts(&format!(
        "SELECT g.upstream_hash || ' ' || COALESCE({named}, '') FROM generations g
         JOIN owners o ON o.id = g.owner_id JOIN plans p ON p.id = o.plan_id
         WHERE g.recorded_at IS NOT NULL AND g.upstream_hash IS NOT NULL AND {of}"
    ));
    let working: Vec<String> = world.usable().into_iter().map(|key| key.hash).collect();
    for row in rows {
        let (hash, guardrail) = row.split_once(' ').unwrap();
        if working.iter().any(|one| one == hash) {
            let has = world.held_to(hash).unwrap_or_default();
            assert_eq!(has, guardrail, "{named} of {hash}");
        }
    }
}

/// The state of each generation that has an upstream key, by the hash of that key.
fn recorded(world: &World) -> HashMap<String, String> {
    world
        .db
        .texts(
            "SELECT upstream_hash || ' ' || state FROM generations WHERE upstream_hash IS NOT NULL",
        )
        .iter()
        .map(|row| row.split_once(' ').unwrap())
        .map(|(hash, state)| (hash.to_owned(), state.to_owned()))
        .collect()
}

/// Checks that at most one delivered secret per key works, or two during a grace, which together can never spend more
/// than the limit of the key; and that each slot has at most one live row. A key and the ended keys of the same member
/// that it follows count as one.
fn one_delivered_key_per_slot(world: &World, now_ms: i64) {
    let sandbox = world.sandbox.borrow();
    let mut working: HashMap<String, Vec<String>> = HashMap::new();
    for secret in world.delivered.borrow().iter() {
        let hash = sandbox::sha256_hex(secret.as_bytes());
        if sandbox.ledger().is_linked(secret) {
            // A provider made it for the member's own account. It was recorded, and may be forgotten since.
            let linked = world
                .db
                .number("SELECT COUNT(*) FROM audit WHERE action = 'provider_key_linked'");
            assert!(linked > 0, "delivered only what was recorded");
            continue;
        }
        let key = sandbox
            .ledger()
            .key(&hash)
            .expect("a delivered secret is a key");
        if key.is_usable(now_ms) && !world.by_hand.borrow().enabled(&hash) {
            let place = world.db.texts(&format!(
                "SELECT k.owner_id || '/' || k.ordinal FROM generations g JOIN keys k ON k.id = g.key_id
                 WHERE g.upstream_hash = '{hash}' AND g.recorded_at IS NOT NULL"
            ));
            let place = place.first().expect("delivered only what was recorded");
            working.entry(place.clone()).or_default().push(hash);
        }
    }
    for (place, hashes) in working.iter().filter(|(_, hashes)| hashes.len() > 1) {
        let [one, other] = &hashes[..] else {
            panic!("{place} has {hashes:?}");
        };
        // The answer with the older secret may have been delivered after the answer with the newer one.
        let with_grace = world.db.number(&format!(
            "SELECT COUNT(*) FROM generations n JOIN generations o ON o.id = n.replaces
             WHERE o.upstream_hash IN ('{one}', '{other}') AND n.upstream_hash IN ('{one}', '{other}')
               AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.target = o.public_id AND a.action = 'superseded')"
        ));
        assert_eq!(with_grace, 1, "{place} has {hashes:?}");
        let limit = |hash: &String| {
            if world.by_hand.borrow().raised(hash) {
                return world.on_record(hash);
            }
            sandbox.ledger().key(hash).unwrap().limit.unwrap().nanos
        };
        let together: i64 = hashes.iter().map(limit).sum();
        let allowed = world.db.number(
            "SELECT (SELECT MAX(limit_nano) FROM plans) + COALESCE((SELECT SUM(amount_nano) FROM raises), 0)",
        );
        assert!(together <= allowed, "{place} may spend {together}");
    }
    let doubled = world.db.number(
        "SELECT COUNT(*) FROM (SELECT 1 FROM generations g JOIN keys k ON k.id = g.key_id
         WHERE g.state NOT IN ('revoked', 'expired', 'void')
         GROUP BY k.owner_id, k.ordinal, g.slot HAVING COUNT(*) > 1)",
    );
    assert_eq!(doubled, 0, "two live generations in one slot");
}

/// Checks that the name of each upstream key belongs to exactly one row.
fn each_maps_to_one_row(world: &World, ours: &[&UpstreamKey]) {
    let names = world.db.texts("SELECT upstream_name FROM generations");
    for key in ours {
        let rows = names.iter().filter(|name| **name == key.name).count();
        assert_eq!(rows, 1, "{}", key.name);
    }
}

/// Checks that each key has a limit, an expiry and a reset, and that no limit is higher than the one that is recorded
/// as in force or sent. A key of an owner who prepays needs no reset; nor does a key of an owner who did so before a
/// limit that is still in flight. A second upstream key of the same name, whose secret nobody has, keeps the limit that
/// it was made with until it is deleted; that limit is at most what plans, raises and payments can give.
fn each_is_capped(world: &World, ours: &[&UpstreamKey]) {
    let rows = world.db.texts(
        "SELECT g.upstream_name || ' ' || MAX(g.limit_nano, COALESCE(g.limit_sent_nano, 0)) || ' '
           || (p.limit_reset = 'none' OR g.limit_reset = 'none' OR (g.limit_sent_at IS NOT NULL AND EXISTS (SELECT 1
             FROM audit a JOIN members m ON m.public_id = a.target WHERE m.owner_id = g.owner_id AND a.action = 'plan_assigned'
               AND 'prepaid' IN (a.before, a.after)))) || ' ' || COALESCE(g.upstream_hash, '')
         FROM generations g JOIN owners o ON o.id = g.owner_id JOIN plans p ON p.id = o.plan_id",
    );
    let of = |name: &str| {
        let row = rows.iter().find(|row| row.split(' ').next() == Some(name));
        let parts: Vec<&str> = row.unwrap().split(' ').collect();
        let most: i64 = parts[1].parse().unwrap();
        (most, parts[2] == "1", parts[3].to_owned())
    };
    let delivered = world.delivered.borrow();
    let is_delivered = |hash: &str| {
        let mut secrets = delivered.iter();
        secrets.any(|secret| sandbox::sha256_hex(secret.as_bytes()) == hash)
    };
    // Someone outside keycap may have lowered a limit to zero; that key is then disabled.
    let held = world.db.texts(
        "SELECT g.upstream_hash FROM generations g JOIN holds h ON h.key_id = g.key_id
         WHERE h.reason = 'upstream' AND g.upstream_hash IS NOT NULL",
    );
    let hands = world.by_hand.borrow();
    let there = ours.iter().filter(|key| key.deleted_at_ms.is_none());
    for key in there.filter(|key| !hands.raised(&key.hash)) {
        let limit = key.limit.expect("a limit");
        let (mut most, prepaid, recorded) = of(&key.name);
        if !recorded.is_empty() && recorded != key.hash && !is_delivered(&key.hash) {
            most = world.db.number(
                "SELECT (SELECT MAX(limit_nano) FROM plans) + COALESCE((SELECT SUM(amount_nano) FROM raises), 0)
                   + COALESCE((SELECT SUM(credit_nano) FROM payments), 0)",
            );
        }
        assert!(
            (limit.nanos > 0 || held.contains(&key.hash) || hands.emptied(&key.hash))
                && limit.nanos <= most,
            "{limit:?} {most}"
        );
        assert!(key.limit_reset.is_some() || prepaid, "a reset");
        assert!(key.expires_at.is_some(), "an expiry");
        assert!(key.include_byok_in_limit, "BYOK counts");
    }
}

/// Checks that no secret is in any table or log line, and that each was delivered at most once. The answers were
/// checked when they left.
fn secrets_are_nowhere(world: &World) {
    let log = world.log.borrow().join("\n");
    world.canaries.look_at_rest(&world.db, &log);
    let mut delivered = world.delivered.borrow().clone();
    delivered.sort_unstable();
    let all = delivered.len();
    delivered.dedup();
    assert_eq!(delivered.len(), all, "a secret left twice");
}

/// Checks that the counters of seats are right, and that no owner has more live keys than their plan allows, apart from
/// keys that have the hold `plan`.
fn seats_are_counted(world: &World) {
    let beyond = world.db.texts(
        "SELECT k.owner_id FROM keys k JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
         WHERE EXISTS (SELECT 1 FROM generations g WHERE g.key_id = k.id AND g.live = 1)
           AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason = 'plan')
           AND k.ended_at IS NULL
         GROUP BY k.owner_id, p.max_active_keys HAVING COUNT(*) > p.max_active_keys",
    );
    assert!(beyond.is_empty(), "{beyond:?}");
    let counted = world.db.number(
        "SELECT COUNT(DISTINCT key_id) FROM generations WHERE state NOT IN ('revoked', 'expired', 'void')",
    );
    assert_eq!(
        world.db.number("SELECT live FROM seats"),
        counted,
        "live seats are counted"
    );
    let retained = "SELECT COUNT(*) FROM retained_seats WHERE in_use = 0";
    let counted = world.db.number(retained);
    assert_eq!(
        world.db.number("SELECT retained FROM seats"),
        counted,
        "retained seats are counted"
    );
    // Each seat in use belongs to a live key, and a key uses at most one.
    let stray = world.db.number(
        "SELECT COUNT(*) FROM retained_seats r WHERE r.in_use = 1
           AND (NOT EXISTS (SELECT 1 FROM generations g WHERE g.key_id = r.reused_by AND g.live = 1)
             OR EXISTS (SELECT 1 FROM retained_seats o WHERE o.in_use = 1 AND o.reused_by = r.reused_by AND o.id <> r.id))",
    );
    assert_eq!(stray, 0, "a seat belongs to a key");
}

/// Checks that a key which the database has as disabled or revoked, with no switch in flight, does not work.
fn off_is_off(world: &World, now_ms: i64) {
    let off = world.db.texts(
        "SELECT upstream_hash FROM generations WHERE upstream_hash IS NOT NULL
           AND (state = 'revoked' OR (state = 'disabled' AND switch_doubted_at IS NULL))",
    );
    let sandbox = world.sandbox.borrow();
    for hash in off {
        let key = sandbox.ledger().key(&hash);
        assert!(
            !key.is_some_and(|key| key.is_usable(now_ms)) || world.by_hand.borrow().enabled(&hash),
            "{hash} works"
        );
    }
}

/// Checks that a key recorded as purged is deleted, and that a retained key has a reading of its spend.
fn retained_keys_exist(world: &World, ledger: &sandbox::Ledger) {
    for row in world.db.texts(
        "SELECT upstream_hash || ' ' || (erased_at IS NOT NULL) || ' ' || COALESCE((usage_read_at >= ended_at OR state = 'expired') AND erase_at > ended_at, 0)
         FROM generations WHERE state IN ('revoked', 'expired') AND upstream_hash IS NOT NULL",
    ) {
        let [hash, erased, has_figures] = row.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("three columns: {row}");
        };
        let gone = ledger.key(hash).is_none_or(|key| key.deleted_at_ms.is_some());
        assert!(erased == "0" || gone, "{hash} is written down as deleted");
        assert!(erased == "1" || has_figures == "1", "{hash} is kept for nothing");
    }
}

/// Checks that a row became `void` only when it had no key. A key that works under its name was made later, or twice by
/// a repeated request. If no key was ever seen, the row waited in state `verifying` for the five minutes in which a
/// create may still take effect.
fn nothing_was_freed_that_was_there(world: &World, now_ms: i64) {
    let freed = world.db.texts(
        "SELECT ended_at || ' ' || (failure IS 'unknown' AND ended_at - created_at < 300) || ' ' || upstream_name
         FROM generations WHERE state = 'void'",
    );
    let sandbox = world.sandbox.borrow();
    let lists = sandbox.ledger().calls_of(sandbox::Operation::KeysList);
    if lists
        .into_iter()
        .any(|call| call.fault == Some("echo_name_wrong"))
    {
        // This fault makes OpenRouter list a key under another name, which says that the expected key does not exist.
        return;
    }
    for row in freed {
        let [at, early, name] = row.splitn(3, ' ').collect::<Vec<_>>()[..] else {
            panic!("three columns: {row}");
        };
        let at: i64 = at.parse().unwrap();
        let keys: Vec<_> = sandbox.ledger().keys_named(name).collect();
        let was_there = |key: &UpstreamKey| key.is_usable(now_ms) && key.created_at_ms < at * 1000;
        assert!(
            !matches!(keys[..], [key] if was_there(key)),
            "{name} was freed while its key was there"
        );
        assert!(early == "0" || !keys.is_empty(), "{name} was freed early");
    }
}

/// Checks that an outage does not fill the seats. Five unknown outcomes in a row stop further reservations; others may
/// already have been in flight.
fn unknown_outcomes_are_bounded(world: &World) {
    let unknown = "SELECT COUNT(*) FROM generations WHERE state = 'verifying'";
    assert!(
        world.db.number(unknown) <= 6,
        "unknown outcomes take the seats"
    );
}

/// Checks that the last audit row of a generation names its state, and that each audit row continues the one before it.
fn every_state_is_audited(world: &World) {
    let wrong = world.db.texts(
        "SELECT g.public_id || ' ' || g.state FROM generations g
         WHERE g.state <> (SELECT a.after FROM audit a WHERE a.target = g.public_id ORDER BY a.id DESC LIMIT 1)
            OR EXISTS (SELECT 1 FROM audit a JOIN audit b ON b.target = a.target
                 AND b.id = (SELECT MIN(id) FROM audit WHERE target = a.target AND id > a.id)
               WHERE a.target = g.public_id AND b.before <> a.after)",
    );
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Checks that each hand-off was taken at most once, that a provider made at most one key for it, and that each key which was
/// handed out is one of these.
fn no_hand_off_makes_two_keys(world: &World) {
    let taken_twice = world.db.texts(
        "SELECT target FROM audit WHERE action IN ('handoff_redeeming', 'handoff_redeemed') GROUP BY target, action HAVING COUNT(*) > 1",
    );
    assert!(taken_twice.is_empty(), "{taken_twice:?}");
    let sandbox = world.sandbox.borrow();
    let mut names: Vec<&str> = sandbox
        .ledger()
        .linked_keys
        .iter()
        .map(|key| key.name.as_str())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "two keys of one hand-off");
}

/// Checks that no row of a member who has left says who they were or what they wrote.
fn who_left_is_nobody(world: &World) {
    let named = world.db.texts(
        "SELECT m.public_id FROM members m WHERE m.status = 'left' AND (m.login <> '' OR m.account_created_at <> 0
           OR m.terms_rev <> 0 OR m.subject NOT GLOB 'left:*'
           OR EXISTS (SELECT 1 FROM requests q WHERE q.owner_id = m.owner_id
             AND (q.state = 'open' OR q.note IS NOT NULL OR q.answer IS NOT NULL))
           OR EXISTS (SELECT 1 FROM generations g WHERE g.owner_id = m.owner_id AND g.label IS NOT NULL)
           OR EXISTS (SELECT 1 FROM projects p WHERE p.owner_id = m.owner_id)
           OR EXISTS (SELECT 1 FROM keys k WHERE k.owner_id = m.owner_id AND k.name IS NOT NULL))",
    );
    assert!(named.is_empty(), "{named:?}");
}
