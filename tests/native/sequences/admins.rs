//! What an admin does in a sequence.

use sandbox::Period;
use serde_json::json;

use super::acts::{ASSIGN, END_RAISE, PAY, PLAN, PLANS, RAISE, Route, SETTINGS, key};
use super::{Dice, Play};
use crate::support::World;

pub fn by_operator(play: &mut Play, route: Route, id: &str, body: &str) {
    for _ in 0..2 {
        let cookies = play.operator.clone();
        let response = play.request(&cookies, route, id, body);
        if response.is_none_or(|response| response.status != 401) {
            return;
        }
        super::acts::sign_in(play);
    }
}

/// An admin sends a request about one of the member's keys.
pub fn of_key(play: &mut Play, dice: &mut Dice, route: Route, body: &str) {
    let key = key(&play.world, dice);
    by_operator(play, route, &key, body);
}

/// An admin sends a request about the member. A person who left and signed in again is the latest member.
pub fn of_member(play: &mut Play, route: Route, body: &str) {
    let member = member(&play.world);
    by_operator(play, route, &member, body);
}

fn member(world: &World) -> String {
    world.db.text(
        "SELECT public_id FROM members WHERE subject <> '1000001' ORDER BY owner_id DESC LIMIT 1",
    )
}

pub fn settings(play: &mut Play, body: &str) {
    by_operator(play, SETTINGS, "", body);
}

pub fn create_plan(play: &mut Play, dice: &mut Dice) {
    let plans = play.world.db.number("SELECT COUNT(*) FROM plans");
    let body = json!({
        "name": format!("plan-{plans}"),
        "limit_usd": dice.of(&["0.50", "4", "9"]),
        "limit_reset": dice.of(&["daily", "weekly", "monthly"]),
        "max_active_keys": dice.of(&[1, 2, 3]),
        "expiry_days": dice.of(&[2, 90]),
    });
    by_operator(play, PLANS, "", &body.to_string());
}

/// The name of the member's plan.
fn plan(world: &World) -> String {
    world.db.text(
        "SELECT p.name FROM members m JOIN owners o ON o.id = m.owner_id JOIN plans p ON p.id = o.plan_id
         WHERE m.subject <> '1000001' ORDER BY m.owner_id DESC LIMIT 1",
    )
}

/// The window of that plan. `None` if it is prepaid, or if there is no member.
pub fn window(world: &World) -> Option<Period> {
    let reset = world.db.texts(
        "SELECT p.limit_reset FROM members m JOIN owners o ON o.id = m.owner_id JOIN plans p ON p.id = o.plan_id
         WHERE m.subject <> '1000001' ORDER BY m.owner_id DESC LIMIT 1",
    );
    Period::parse(reset.first()?)
}

pub fn limit_plan(play: &mut Play, limit: &str) {
    let plan = plan(&play.world);
    let body = json!({ "limit_usd": limit }).to_string();
    by_operator(play, PLAN, &plan, &body);
}

pub fn change_plan(play: &mut Play, dice: &mut Dice) {
    let plan = plan(&play.world);
    let body = match dice.below(9) {
        0..=3 => json!({ "limit_usd": dice.of(&["0.50", "1", "2", "5", "8"]) }),
        4 | 5 => json!({ "limit_reset": dice.of(&["daily", "weekly", "monthly"]) }),
        6 => json!({ "max_active_keys": dice.of(&[1, 2, 3]) }),
        7 => json!({ "expiry_days": dice.of(&[1, 3, 90]) }),
        _ => match dice.one_in(2) {
            true => json!({ "guardrail_id": play.world.guardrail("cheap/one") }),
            false => json!({ "guardrail_id": null }),
        },
    };
    by_operator(play, PLAN, &plan, &body.to_string());
}

pub fn assign_plan(play: &mut Play, dice: &mut Dice) {
    let mut names = play.world.db.texts("SELECT name FROM plans ORDER BY id");
    // The prepaid plan is as likely as all others together.
    names.extend(vec![String::from("prepaid"); names.len()]);
    let body = json!({ "plan": dice.of(&names) }).to_string();
    of_member(play, ASSIGN, &body);
}

/// An admin books a payment, mostly one with a new id.
pub fn pay(play: &mut Play, dice: &mut Dice) {
    let booked = play.world.db.number("SELECT COUNT(*) FROM payments");
    let n = if dice.one_in(4) { 0 } else { booked };
    let body =
        json!({ "payment_id": format!("p-{n}"), "amount_usd": dice.of(&["0.50", "3", "12"]) });
    of_member(play, PAY, &body.to_string());
}

pub fn raise(play: &mut Play, dice: &mut Dice) {
    let now = play.world.now_ms.get();
    let midnight = (Period::Daily.end(now) - now) / 1000;
    let until = dice.of(&[
        None,
        Some(3_600),
        Some(2 * 86_400),
        Some(midnight - 60),
        Some(midnight),
        Some(midnight + 60),
        Some(midnight + 7_200),
        Some(midnight + 86_400),
    ]);
    let mut body = json!({ "amount_usd": dice.of(&["0.25", "3", "5"]) });
    if let Some(secs) = until {
        body["until"] = json!(play.world.now().plus(secs).rfc3339());
    }
    of_key(play, dice, RAISE, &body.to_string());
}

pub fn end_raise(play: &mut Play, dice: &mut Dice) {
    let raises = "SELECT public_id FROM raises ORDER BY id DESC";
    let Some(raise) = dice.of_first(&play.world.db.texts(raises)) else {
        return;
    };
    by_operator(play, END_RAISE, &raise, "{}");
}

pub fn block(play: &mut Play, route: Route) {
    let body = r#"{"provider":"github","subject":"1000100"}"#;
    by_operator(play, route, "", body);
}
