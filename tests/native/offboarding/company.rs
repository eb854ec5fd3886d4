//! A company with a directory: its members here, its people there, and its nights.

use keycap::domain::time::Timestamp;
use sandbox::{DirectoryLie, DirectoryPerson, Organization, Standing};
use serde_json::Value;

use crate::support::{Browser, World};

const DAY: i64 = 86_400;
/// The digits of an account's id at Google, of which the last ones count.
const FIRST_ID: u64 = 110_000_000_000_000_000;

/// A deployment that asks the directory of a Google Workspace.
pub fn with_directory() -> World {
    let world = World::new();
    let key = sandbox::service_account_json();
    world.set("GOOGLE_SA_KEY_JSON", &key);
    world.set("GOOGLE_DIRECTORY_SUBJECT", sandbox::DIRECTORY_SUBJECT);
    world.set("GOOGLE_ALLOWED_DOMAINS", "company.example");
    let key: Value = serde_json::from_str(&key).unwrap();
    let pem = key["private_key"].as_str().unwrap();
    for line in pem.lines().filter(|line| !line.starts_with('-')) {
        world.canaries.watch("the service account's key", line);
    }
    // The first sign-in binds the database, and makes the plan that members get.
    Browser::signed_in(&world, "operator");
    world
}

/// A deployment that asks an organization at GitHub, whose members are these accounts.
pub fn with_organization(members: &[u64]) -> World {
    let world = World::new();
    world.set("GITHUB_ORG", sandbox::ORGANIZATION);
    world.set("GITHUB_ORG_TOKEN", sandbox::ORGANIZATION_TOKEN);
    world
        .canaries
        .watch("the organization's token", sandbox::ORGANIZATION_TOKEN);
    organize(&world, members, &[]);
    world
}

/// Changes who is in the organization, and which accounts do not exist any more.
pub fn organize(world: &World, members: &[u64], deleted: &[u64]) {
    let organization = Organization {
        members: members.to_vec(),
        deleted: deleted.to_vec(),
        ..Organization::default()
    };
    world.sandbox.borrow_mut().set_organization(organization);
}

/// The id of the `n`-th account of the directory.
pub fn id(n: u64) -> String {
    (FIRST_ID + n).to_string()
}

/// Gives the accounts of these numbers this standing.
pub fn stand(world: &World, people: impl IntoIterator<Item = u64>, standing: Standing) {
    let people = people.into_iter();
    let people = people
        .map(|n| DirectoryPerson::new(&id(n), &format!("person-{n}@company.example"), standing));
    world.sandbox.borrow_mut().put_directory(people.collect());
}

/// From now on the directory says these things that are not so.
pub fn lie(world: &World, lies: &[DirectoryLie]) {
    world.sandbox.borrow_mut().set_directory_lies(lies.to_vec());
}

/// Makes members of the accounts of these numbers, who have signed in with Google.
pub fn join(world: &World, numbers: std::ops::Range<u64>) {
    let (from, until, now) = (numbers.start, numbers.end, world.now().secs());
    world.db.run(&format!(
        "CREATE TEMP TABLE joining AS WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {until})
           SELECT i, 'mem_' || printf('%024x', i) AS member,
             (SELECT MAX(id) FROM owners) + i - {from} + 1 AS owner FROM n;
         INSERT INTO audit (change_id, target, action, actor, at)
           SELECT 'joins ' || i, member, 'member_created', member, {now} FROM joining;
         INSERT INTO owners (id, kind, plan_id, created_at)
           SELECT owner, 'member', (SELECT id FROM plans WHERE is_default = 1 AND id > 0), {now} FROM joining;
         INSERT INTO members (owner_id, public_id, provider, subject, login, account_created_at, created_at, signed_in_at, change_id)
           SELECT owner, member, 'google', CAST({FIRST_ID} + i AS TEXT), 'person-' || i || '@company.example', 1, {now}, {now}, 'joins ' || i
           FROM joining;
         DROP TABLE joining;"
    ));
}

/// A company of this many people after the first night, in which the directory is only looked at. The first 300 of them are
/// members.
pub fn company(people: u64) -> World {
    company_with(people, people.min(300))
}

/// The same, where so many of the people are members.
pub fn company_with(people: u64, members: u64) -> World {
    let world = with_directory();
    stand(&world, 0..people, Standing::Active);
    join(&world, 0..members);
    assert_eq!(night(&world), "done first_look");
    world
}

/// Lets the time pass until the next night's trigger, and fires it. Returns how offboarding ended.
pub fn night(world: &World) -> String {
    let today = world.now().secs().div_euclid(DAY) * DAY;
    let at = Timestamp::from_secs(today + DAY + 3 * 3_600);
    world.pass(at.since(world.now()));
    assert!(world.reconcile());
    ended(world)
}

/// How the latest run of offboarding ended.
pub fn ended(world: &World) -> String {
    let runs = world.db.texts(
        "SELECT outcome || COALESCE(' ' || code, '') FROM runs WHERE job = 'offboard' ORDER BY id",
    );
    runs.last().cloned().unwrap_or_default()
}

/// The counts of the latest run of offboarding.
pub fn counts(world: &World) -> Value {
    let counts = "SELECT counts FROM runs WHERE job = 'offboard' ORDER BY id DESC LIMIT 1";
    serde_json::from_str(&world.db.text(counts)).unwrap()
}

/// The numbers of the accounts whose members were put out, in order.
pub fn gone(world: &World) -> Vec<u64> {
    let gone = world.db.texts(
        "SELECT m.subject FROM members m JOIN departed d ON d.owner_id = m.owner_id
         WHERE m.status = 'suspended' AND m.provider = 'google' AND m.owner_id > 0 ORDER BY m.subject",
    );
    let numbers = gone.iter().map(|id| id.parse::<u64>().unwrap() - FIRST_ID);
    numbers.collect()
}

/// The logins of the members who were put out, in order.
pub fn gone_logins(world: &World) -> Vec<String> {
    world.db.texts(
        "SELECT m.login FROM members m JOIN departed d ON d.owner_id = m.owner_id
         WHERE m.status = 'suspended' AND m.owner_id > 0 ORDER BY m.login",
    )
}

/// The number of strikes that anybody has.
pub fn strikes(world: &World) -> i64 {
    world
        .db
        .number("SELECT COALESCE(SUM(strikes), 0) FROM presences WHERE owner_id > 0")
}

/// The calls to the directory and its token endpoint.
pub fn calls(world: &World) -> u64 {
    let operations = [
        "google.service_token",
        "google.users",
        "google.users.deleted",
        "google.users.get",
    ];
    operations.iter().map(|name| world.calls(name)).sum()
}
