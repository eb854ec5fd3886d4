//! A claim's reservation: one batch in which the database decides every gate, writes the generation straight into
//! `minting`, and says what it knew when it decided. What becomes of the mint is in `mints`.
//!
//! The batch is audit first: the guarded INSERT into `audit` decides, and the other statements act only where its
//! change_id is there. So it may be sent twice, and a lost answer is settled by sending it again.

use crate::domain::money::budget::{Grants, Sibling};
use crate::domain::policy::gate::{ATTEMPTS_A_DAY, ClaimFacts, HOUR_SECS};
use crate::domain::policy::terms::REVISION;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::access::facts::{FactsRow, PolicyRow, SeatsRow};
use crate::store::access::terms;
use crate::store::budget_sql::{GrantsRow, SiblingRow, siblings_since};
use crate::store::keys::attempt::Attempt;
use crate::store::keys::cards::{self, Card};
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::rows_of;

/// Tries of the owner of `g` since `$since`. What upstream had no patience for is none; but five of those are one, so that
/// there is an end to them too.
macro_rules! attempts_today {
    ($since:literal) => {
        concat!(
            "(SELECT MAX(COALESCE(SUM(a.failure IS NOT 'busy'), 0), COUNT(*) / 5)
            FROM generations a WHERE a.owner_id = g.owner_id AND a.created_at >= ",
            $since,
            ")"
        )
    };
}

statements_at! {
    // The gates. `claim_gates` has what the database knows; configuration's part is bound.
    GUARD = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT ?1, ?2, 'reserved', g.public_id, 'minting', ?3
        FROM claim_gates g
        WHERE g.public_id = ?4 AND g.epoch = ?5 AND g.status = 'active'
          AND g.blocked = 0 AND g.held = 0 AND (?18 = 1 OR g.live_state IS NULL) AND g.keys_live < g.keys_allowed
          AND g.unsettled = 0
          AND g.minting = 'open' AND g.pause_until <= ?3 AND g.public_origin = ?6
          AND (g.upstream_terms = 'confirmed' OR ?14 = 1) AND g.terms_rev >= ?15
          AND ?7 = 1 AND g.seats_taken < ?8 + MAX(g.owner_seat, g.own_seat * (?18 = 0)) AND (g.account_created_at <= ?9 OR g.age_waived = 1)
          AND (g.claims = 'open' OR g.allotted = 1)
          AND ", attempts_today!("?10"), " < ?11
          AND (?12 IS NULL OR EXISTS (SELECT 1 FROM idempotency_keys r
            WHERE r.owner_id = g.owner_id AND r.key_sha256 = ?12 AND r.nonce = ?13 AND ", nothing_reserved!("r"), "))
          AND (?17 IS NULL OR (SELECT COUNT(*) FROM (SELECT 1 FROM generations c
            WHERE c.state <> 'void' AND c.created_at > ?16 LIMIT COALESCE(?17, 0))) < ?17)
        ON CONFLICT DO NOTHING");

    // What has nothing alive any more makes room for the one that is created in its place.
    MAKE_ROOM = "UPDATE keys SET ended_at = ?1, change_id = ?2
        WHERE ended_at IS NULL AND owner_id = (SELECT g.owner_id FROM claim_gates g WHERE g.public_id = ?3)
          AND ordinal = (SELECT g.free_ordinal FROM claim_gates g WHERE g.public_id = ?3)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?4)
          AND NOT EXISTS (SELECT 1 FROM keys k WHERE k.public_id = ?5)";

    // A further key, at the lowest free ordinal.
    CREATED = "INSERT INTO keys (public_id, owner_id, ordinal, origin, name, own_limit_nano, plan_id, created_at, change_id)
        SELECT ?1, g.owner_id, g.free_ordinal, 'created', ?2, ?3, g.plan_id, ?4, ?5
        FROM claim_gates g
        WHERE g.public_id = ?6 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?5 AND target = ?7)
          AND NOT EXISTS (SELECT 1 FROM keys k WHERE k.public_id = ?1)";

    // The claimed key itself, unless an earlier generation of it was here.
    KEY = "INSERT INTO keys (public_id, owner_id, ordinal, origin, name, plan_id, created_at, change_id)
        SELECT ?1, g.owner_id, 0, 'claim', (SELECT t.name FROM members m
            JOIN allotments t ON t.provider = m.provider AND t.subject = m.subject
            WHERE m.owner_id = g.owner_id AND t.name IS NOT NULL ORDER BY t.since DESC LIMIT 1), g.plan_id, ?2, ?3
        FROM claim_gates g
        WHERE g.public_id = ?4 AND g.key_id IS NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?3 AND target = ?5)";

    // Straight into `minting`, with the nonce that only this attempt knows. The limit is the most it may come to
    // have until the record writes the cap that was asked for: siblings count with all they might get.
    GENERATION = "INSERT INTO generations (public_id, key_id, owner_id, slot, state, op_nonce, upstream_name,
            workspace_id, plan_rev, limit_nano, limit_reset, created_at, expires_at, change_id)
        SELECT ?1, COALESCE((SELECT k.id FROM keys k WHERE k.public_id = ?6), g.key_id), g.owner_id, 0, 'minting', ?2,
            'keycap/' || g.instance || '/' || ?1, p.workspace_id, g.plan_rev, g.most_nano, p.limit_reset, ?3,
            CAST(?3 AS INTEGER) + p.expiry_days * 86400, ?4
        FROM claim_gates g JOIN plans p ON p.id = g.plan_id
        WHERE g.public_id = ?5 AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?4 AND target = ?1)
        ON CONFLICT (public_id) DO NOTHING";

    // One mint for an Idempotency-Key: the guard asks for one that has reserved nothing.
    REMEMBER = "UPDATE idempotency_keys SET generation_id = (SELECT n.id FROM generations n WHERE n.public_id = ?3)
        WHERE key_sha256 = ?1 AND nonce = ?2 AND owner_id = (SELECT n.owner_id FROM generations n WHERE n.public_id = ?3)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = ?4 AND target = ?3)";

    // What decided, as the same transaction saw it. The one whose place is taken at once is off since it was read.
    DECISION = concat!("SELECT json_object(
          'reserved', EXISTS (SELECT 1 FROM audit WHERE change_id = ?2 AND target = ?3),
          'facts', json_object('status', g.status, 'session_current', g.epoch = ?4, 'minting_open', g.minting = 'open',
          'same_instance', g.public_origin = ?5, 'pause_until', g.pause_until,
          'blocked', g.blocked, 'held', g.held, 'account_created_at', g.account_created_at,
          'attempts_today', ", attempts_today!("?6"), ",
          'live_state', g.live_state, 'keys_live', g.keys_live, 'keys_allowed', g.keys_allowed,
          'unsettled', g.unsettled),
          'seats', json_object('taken', g.seats_taken, 'live', g.seats_live, 
            'of_claimed_key', CASE ?11 WHEN 1 THEN 0 ELSE g.own_seat END, 'of_owner', g.owner_seat,
            'next_free_at', (SELECT MIN(r.until) FROM retained_seats r WHERE r.in_use = 0)),
          'policy', json_object('terms_rev', g.terms_rev, 'terms_at', g.terms_at,
          'upstream_terms_confirmed', g.upstream_terms = 'confirmed', 'by_approval', g.claims = 'by_approval',
          'restored', (SELECT s.restore <> 'none' FROM settings s),
          'foreign_account', (SELECT s.account <> 'known' FROM settings s),
          'allotted', g.allotted, 'age_waived', g.age_waived, 'claim_request', g.claim_request, 'appeal', g.appeal,
          'hour_began', (SELECT c.created_at FROM generations c WHERE ?9 IS NOT NULL
            AND c.state <> 'void' AND c.created_at > ?8
            ORDER BY c.created_at DESC LIMIT 1 OFFSET COALESCE(?9, 1) - 1)),
          'key', k.public_id, 'key_created_at', k.created_at,
          'generation', (SELECT COUNT(*) FROM generations o WHERE o.key_id = own.key_id AND o.id <= own.id AND o.state <> 'void'),
          'plan', json_object('expiry_days', p.expiry_days, 'workspace_id', p.workspace_id, 'guardrail_id', p.guardrail_id),
          'grants', ", grants!("g.owner_id", "COALESCE(own.key_id, g.key_id)", "?10"), ",
          'home_workspace_id', g.home_workspace_id, 'upstream_name', own.upstream_name, 'expires_at', own.expires_at,
          'siblings', ", siblings!("g.owner_id", "COALESCE(own.key_id, g.key_id)", "?3", "own.replaces", "?7"), ")
        FROM claim_gates g JOIN plans p ON p.id = g.plan_id
        LEFT JOIN generations own ON own.public_id = ?3 LEFT JOIN keys k ON k.id = own.key_id
        WHERE g.public_id = ?1");
}

/// What the database decided, and what it knew.
pub struct ClaimDecision {
    pub reserved: bool,
    pub facts: ClaimFacts,
    /// The reserved generation's key: the new one, or the one that an earlier generation made.
    pub key: Option<String>,
    pub key_created_at: Option<Timestamp>,
    /// Which of the key's generations is reserved, from 1.
    pub generation: i64,
    pub plan: ClaimPlan,
    pub grants: Grants,
    /// A workspace that the account is known to have.
    pub home_workspace_id: Option<String>,
    pub upstream_name: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub siblings: Vec<Sibling>,
    pub cards: Vec<Card>,
}

from_json! {
    #[derive(Clone, Debug)]
    pub struct ClaimPlan {
        pub expiry_days: u32,
        pub workspace_id: Option<String>,
        /// What its keys are held to.
        pub guardrail_id: Option<String>,
    }
}

/// Reserves where every gate holds. `None` when there is no such member.
pub async fn reserve(
    db: &dyn Database,
    attempt: &Attempt,
) -> Result<Option<ClaimDecision>, DbError> {
    let member = &attempt.session.member;
    let now = attempt.now;
    let house = &attempt.house.terms;
    let taking = attempt.taking.as_ref();
    let mut batch = Vec::new();
    if attempt.accepts_terms {
        batch.extend(terms::accept(attempt));
    }
    batch.extend([stmt_at!(
        GUARD,
        &attempt.change,
        &attempt.generation,
        now,
        member,
        attempt.session.epoch,
        attempt.house.public_origin.as_str(),
        house.open(),
        house.max_total_keys,
        house.account_made_by(now),
        LimitReset::Daily.starts(now),
        ATTEMPTS_A_DAY,
        taking.map(|taking| taking.key_sha256.as_str()),
        taking.map(|taking| taking.nonce.as_str()),
        house.upstream_terms_waived,
        REVISION,
        now.plus(-HOUR_SECS),
        house.claims_per_hour,
        attempt.create.is_some(),
    )]);
    batch.extend(key(attempt));
    batch.push(stmt_at!(
        GENERATION,
        &attempt.generation,
        attempt.nonce.as_str(),
        now,
        &attempt.change,
        member,
        &attempt.key
    ));
    batch.extend(remember(attempt));
    batch.push(cards::of_member(&attempt.session, now));
    batch.push(decision(attempt));
    let rows = batch_retrying_unknown(db, batch).await?;
    read_decision(&rows)
}

/// Remembers what an Idempotency-Key has reserved.
pub(crate) fn remember(attempt: &Attempt) -> Option<Stmt> {
    attempt.taking.as_ref().map(|taking| {
        stmt_at!(
            REMEMBER,
            taking.key_sha256.as_str(),
            taking.nonce.as_str(),
            &attempt.generation,
            &attempt.change
        )
    })
}

/// The key that the generation is to be one of, unless it is there already.
fn key(attempt: &Attempt) -> Vec<Stmt> {
    let (member, change, now) = (&attempt.session.member, &attempt.change, attempt.now);
    match &attempt.create {
        None => vec![stmt_at!(
            KEY,
            &attempt.key,
            now,
            change,
            member,
            &attempt.generation
        )],
        Some(new) => vec![
            stmt_at!(
                MAKE_ROOM,
                now,
                change,
                member,
                &attempt.generation,
                &attempt.key
            ),
            stmt_at!(
                CREATED,
                &attempt.key,
                new.name.as_str(),
                new.own_limit,
                now,
                change,
                member,
                &attempt.generation
            ),
        ],
    }
}

/// The facts of a claim without trying one: the same statement, the same transaction's eyes.
pub fn facts(attempt: &Attempt) -> [Stmt; 2] {
    [
        cards::of_member(&attempt.session, attempt.now),
        decision(attempt),
    ]
}

fn decision(attempt: &Attempt) -> Stmt {
    stmt_at!(
        DECISION,
        &attempt.session.member,
        &attempt.change,
        &attempt.generation,
        attempt.session.epoch,
        attempt.house.public_origin.as_str(),
        LimitReset::Daily.starts(attempt.now),
        // Right after a boundary the window before counts too.
        siblings_since(attempt.now),
        attempt.now.plus(-HOUR_SECS),
        attempt.house.terms.claims_per_hour,
        attempt.now,
        attempt.create.is_some(),
    )
}

/// Reads what [`facts`] or a reservation ended with.
pub fn read_decision(batch: &[Rows]) -> Result<Option<ClaimDecision>, DbError> {
    let Some(row) = last_row::<DecisionRow>(batch)? else {
        return Ok(None);
    };
    let cards = cards::read_cards(rows_of(batch, batch.len().saturating_sub(2))?)?;
    Ok(Some(row.into_decision(cards)))
}

from_json! {
    struct DecisionRow {
        reserved: bool,
        facts: FactsRow,
        seats: SeatsRow,
        policy: PolicyRow,
        key: Option<String>,
        key_created_at: Option<Timestamp>,
        generation: i64,
        plan: ClaimPlan,
        grants: GrantsRow,
        home_workspace_id: Option<String>,
        upstream_name: Option<String>,
        expires_at: Option<Timestamp>,
        siblings: Vec<SiblingRow>,
    }
}

impl DecisionRow {
    fn into_decision(self, cards: Vec<Card>) -> ClaimDecision {
        ClaimDecision {
            reserved: self.reserved,
            facts: self.facts.facts(self.seats, self.policy),
            key: self.key,
            key_created_at: self.key_created_at,
            generation: self.generation,
            plan: self.plan,
            grants: self.grants.into(),
            home_workspace_id: self.home_workspace_id,
            upstream_name: self.upstream_name,
            expires_at: self.expires_at,
            siblings: self.siblings.into_iter().map(Sibling::from).collect(),
            cards,
        }
    }
}
