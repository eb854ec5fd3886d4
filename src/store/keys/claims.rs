//! Reserves a claim's generation. In one batch the database decides every gate, writes the generation in the state
//! `minting`, and answers with the facts that it decided on. `mints` has what happens to the mint afterwards.
//!
//! The first statement of the batch is a guarded INSERT into `audit`, and the others act only if its change id is there.
//! So the batch may be sent twice, and a lost answer is settled by sending it again.

use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
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
use crate::store::ops::workspaces::WorkspaceName;
use crate::store::query::batch_retrying_unknown;
use crate::store::query::last_row;
use crate::store::query::rows_of;

/// The number of attempts of the owner of `g` since `$since`. An attempt that OpenRouter was too busy for does not count,
/// but five of them count as one, so that there is a limit to these as well.
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

/// The workspaces `w` in which the key may be made: those that the plan `p` offers, or the one of them that the request
/// names. The statement declares `default_workspace` and `workspace`.
macro_rules! fits {
    () => {
        concat!(
            is_offered!(),
            " AND (:workspace IS NULL OR w.public_id = :workspace)"
        )
    };
}

/// The [`WorkspaceChoice`](crate::domain::policy::gate::WorkspaceChoice) for the owner of `g`. While no workspace is
/// enabled, the plan alone says where keys are made, and a request can name none.
macro_rules! workspace_choice {
    () => {
        concat!(
            "CASE WHEN EXISTS (SELECT 1 FROM workspaces e WHERE e.enabled = 1) THEN
            CASE (SELECT COUNT(*) FROM plans p JOIN workspaces w ON ",
            fits!(),
            " WHERE p.id = g.plan_id)
              WHEN 1 THEN 'one' WHEN 0 THEN 'nowhere' ELSE 'several' END
          WHEN :workspace IS NULL THEN 'one' ELSE 'nowhere' END"
        )
    };
}

statements! {
    // The guard decides all gates. `claim_gates` has the part that the database knows; the configuration's part is bound.
    GUARD {
        change: PublicId, generation: PublicId, now: Timestamp, member: PublicId, epoch: i64, public_origin: String,
        deployment_open: bool, max_total_keys: i64, account_created_by: Timestamp, day_began: Timestamp,
        attempts_a_day: i64, idempotency_sha256: Option<String>, idempotency_nonce: Option<String>,
        upstream_terms_waived: bool, terms_rev: i64, hour_ago: Timestamp, claims_per_hour: Option<i64>,
        is_further_key: bool, google_domains: String, default_workspace: Option<String>, workspace: Option<PublicId>,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, after, at)
        SELECT :change, :generation, 'reserved', g.public_id, 'minting', :now
        FROM claim_gates g
        WHERE g.public_id = :member AND g.epoch = :epoch AND g.status = 'active'
          AND g.blocked = 0 AND g.held = 0 AND (:is_further_key = 1 OR g.live_state IS NULL)
          AND g.keys_live < g.keys_allowed AND g.unsettled = 0
          AND g.minting = 'open' AND g.pause_until <= :now AND g.public_origin = :public_origin
          AND (g.upstream_terms = 'confirmed' OR :upstream_terms_waived = 1) AND g.terms_rev >= :terms_rev
          AND :deployment_open = 1
          AND g.seats_taken < :max_total_keys + MAX(g.owner_seat, g.own_seat * (:is_further_key = 0))
          AND (g.account_created_at <= :account_created_by OR g.age_waived = 1)
          AND (g.claims = 'open' OR g.allotted = 1) AND ", google_admitted!("g"), "
          AND 'one' = ", workspace_choice!(), "
          AND ", attempts_today!(":day_began"), " < :attempts_a_day
          AND (:idempotency_sha256 IS NULL OR EXISTS (SELECT 1 FROM idempotency_keys r
            WHERE r.owner_id = g.owner_id AND r.key_sha256 = :idempotency_sha256 AND r.nonce = :idempotency_nonce
              AND ", nothing_reserved!("r"), "))
          AND (:claims_per_hour IS NULL OR (SELECT COUNT(*) FROM (SELECT 1 FROM generations c
            WHERE c.state <> 'void' AND c.created_at > :hour_ago
            LIMIT COALESCE(:claims_per_hour, 0))) < :claims_per_hour)
        ON CONFLICT DO NOTHING");

    // A further key takes the lowest free ordinal. If a key without a live generation still has that ordinal, it ends.
    MAKE_ROOM { now: Timestamp, change: PublicId, member: PublicId, generation: PublicId, key: PublicId } =
        "UPDATE keys SET ended_at = :now, change_id = :change
        WHERE ended_at IS NULL AND owner_id = (SELECT g.owner_id FROM claim_gates g WHERE g.public_id = :member)
          AND ordinal = (SELECT g.free_ordinal FROM claim_gates g WHERE g.public_id = :member)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)
          AND NOT EXISTS (SELECT 1 FROM keys k WHERE k.public_id = :key)";

    CREATED {
        key: PublicId, name: String, own_limit: Option<NanoUsd>, project: Option<String>, now: Timestamp, change: PublicId,
        member: PublicId, generation: PublicId,
    } = "INSERT INTO keys (public_id, owner_id, ordinal, origin, name, own_limit_nano, project_id, plan_id, created_at, change_id)
        SELECT :key, g.owner_id, g.free_ordinal, 'created', :name, :own_limit,
          (SELECT p.id FROM projects p WHERE p.public_id = :project AND p.owner_id = g.owner_id), g.plan_id, :now, :change
        FROM claim_gates g
        WHERE g.public_id = :member AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)
          AND NOT EXISTS (SELECT 1 FROM keys k WHERE k.public_id = :key)";

    // The claimed key gets its row, unless it has one from an earlier generation.
    KEY { key: PublicId, now: Timestamp, change: PublicId, member: PublicId, generation: PublicId } =
        "INSERT INTO keys (public_id, owner_id, ordinal, origin, name, plan_id, created_at, change_id)
        SELECT :key, g.owner_id, 0, 'claim', (SELECT t.name FROM members m
            JOIN allotments t ON t.provider = m.provider AND t.subject = m.subject
            WHERE m.owner_id = g.owner_id AND t.name IS NOT NULL ORDER BY t.since DESC LIMIT 1), g.plan_id, :now, :change
        FROM claim_gates g
        WHERE g.public_id = :member AND g.key_id IS NULL
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    // The generation begins in the state `minting`, with a nonce that only this attempt knows. Until the record writes the
    // limit that was asked for, its limit is the highest that it can get: its siblings subtract all that it might spend.
    GENERATION {
        generation: PublicId, nonce: String, now: Timestamp, change: PublicId, member: PublicId, key: PublicId,
        default_workspace: Option<String>, workspace: Option<PublicId>,
    } = concat!("INSERT INTO generations (public_id, key_id, owner_id, slot, state, op_nonce, upstream_name,
            workspace_id, plan_rev, limit_nano, limit_reset, created_at, expires_at, change_id)
        SELECT :generation, COALESCE((SELECT k.id FROM keys k WHERE k.public_id = :key), g.key_id), g.owner_id, 0, 'minting', :nonce,
            'keycap/' || g.instance || '/' || :generation,
            CASE WHEN EXISTS (SELECT 1 FROM workspaces e WHERE e.enabled = 1)
              THEN (SELECT w.upstream_id FROM workspaces w WHERE ", fits!(), ") ELSE p.workspace_id END,
            g.plan_rev, g.most_nano, p.limit_reset, :now, CAST(:now AS INTEGER) + p.expiry_days * 86400, :change
        FROM claim_gates g JOIN plans p ON p.id = g.plan_id
        WHERE g.public_id = :member AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)
        ON CONFLICT (public_id) DO NOTHING");

    // An Idempotency-Key leads to one mint: the guard requires that it has reserved nothing yet.
    REMEMBER { idempotency_sha256: String, idempotency_nonce: String, generation: PublicId, change: PublicId } =
        "UPDATE idempotency_keys SET generation_id = (SELECT n.id FROM generations n WHERE n.public_id = :generation)
        WHERE key_sha256 = :idempotency_sha256 AND nonce = :idempotency_nonce
          AND owner_id = (SELECT n.owner_id FROM generations n WHERE n.public_id = :generation)
          AND EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation)";

    // The facts that decided, read in the same transaction. A generation that is replaced at once was disabled before its
    // spend was read, and counts among the siblings as such.
    DECISION {
        member: PublicId, change: PublicId, generation: PublicId, epoch: i64, public_origin: String, day_began: Timestamp,
        siblings_since: Timestamp, hour_ago: Timestamp, claims_per_hour: Option<i64>, now: Timestamp, is_further_key: bool,
        google_domains: String, default_workspace: Option<String>, workspace: Option<PublicId>,
    } = concat!("SELECT json_object(
          'reserved', EXISTS (SELECT 1 FROM audit WHERE change_id = :change AND target = :generation),
          'facts', json_object('status', g.status, 'session_current', g.epoch = :epoch, 'minting_open', g.minting = 'open',
          'same_instance', g.public_origin = :public_origin, 'pause_until', g.pause_until,
          'blocked', g.blocked, 'held', g.held, 'account_created_at', g.account_created_at,
          'attempts_today', ", attempts_today!(":day_began"), ",
          'live_state', g.live_state, 'keys_live', g.keys_live, 'keys_allowed', g.keys_allowed,
          'unsettled', g.unsettled, 'workspaces', ", workspace_choice!(), "),
          'seats', json_object('taken', g.seats_taken, 'live', g.seats_live,
            'of_claimed_key', CASE :is_further_key WHEN 1 THEN 0 ELSE g.own_seat END, 'of_owner', g.owner_seat,
            'next_free_at', (SELECT MIN(r.until) FROM retained_seats r WHERE r.in_use = 0)),
          'policy', json_object('terms_rev', g.terms_rev, 'terms_at', g.terms_at,
          'upstream_terms_confirmed', g.upstream_terms = 'confirmed', 'by_approval', g.claims = 'by_approval',
          'restored', (SELECT s.restore <> 'none' FROM settings s),
          'foreign_account', (SELECT s.account <> 'known' FROM settings s),
          'google_admitted', ", google_admitted!("g"), ", 'allotted', g.allotted, 'age_waived', g.age_waived, 'claim_request', g.claim_request, 'appeal', g.appeal,
          'hour_began', (SELECT c.created_at FROM generations c WHERE :claims_per_hour IS NOT NULL
            AND c.state <> 'void' AND c.created_at > :hour_ago
            ORDER BY c.created_at DESC LIMIT 1 OFFSET COALESCE(:claims_per_hour, 1) - 1)),
          'key', k.public_id, 'key_created_at', k.created_at,
          'generation', (SELECT COUNT(*) FROM generations o
            WHERE o.key_id = own.key_id AND o.id <= own.id AND o.state <> 'void'),
          'plan', json_object('expiry_days', p.expiry_days, 'guardrail_id', p.guardrail_id),
          'workspace_id', own.workspace_id,
          'workspace', (SELECT ", offered_workspace!(), " FROM workspaces w WHERE w.upstream_id = own.workspace_id),
          'grants', ", grants!("g.owner_id", "COALESCE(own.key_id, g.key_id)", ":now"), ",
          'home_workspace_id', g.home_workspace_id, 'upstream_name', own.upstream_name, 'expires_at', own.expires_at,
          'siblings', ", siblings!(
            "g.owner_id", "COALESCE(own.key_id, g.key_id)", ":generation", "own.replaces", ":siblings_since"), ")
        FROM claim_gates g JOIN plans p ON p.id = g.plan_id
        LEFT JOIN generations own ON own.public_id = :generation LEFT JOIN keys k ON k.id = own.key_id
        WHERE g.public_id = :member");
}

/// What the database decided, and the facts that it decided on.
pub struct ClaimDecision {
    pub reserved: bool,
    pub facts: ClaimFacts,
    /// The key of the reserved generation: a new key, or one that has had generations before.
    pub key: Option<String>,
    pub key_created_at: Option<Timestamp>,
    /// Which of the key's generations is reserved, counted from 1.
    pub generation: i64,
    pub plan: ClaimPlan,
    /// Where the reserved generation is made; `None` is the account's default workspace.
    pub workspace_id: Option<String>,
    /// The same, if the workspace has a name here.
    pub workspace: Option<WorkspaceName>,
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
        /// The guardrail at OpenRouter that keys of the plan are assigned to.
        pub guardrail_id: Option<String>,
    }
}

/// Reserves a generation if every gate holds. Returns `None` if there is no such member.
pub async fn reserve(
    db: &dyn Database,
    attempt: &Attempt,
) -> Result<Option<ClaimDecision>, DbError> {
    let member = &attempt.session.member;
    let now = attempt.now;
    let claim_terms = &attempt.policy.terms;
    let taking = attempt.taking.as_ref();
    let mut batch = Vec::new();
    if attempt.accepts_terms {
        batch.extend(terms::accept(attempt));
    }
    batch.push(stmt!(GUARD {
        change: &attempt.change,
        generation: &attempt.generation,
        now,
        member,
        epoch: attempt.session.epoch,
        public_origin: attempt.policy.public_origin.as_str(),
        deployment_open: claim_terms.open(),
        max_total_keys: claim_terms.max_total_keys,
        account_created_by: claim_terms.account_made_by(now),
        day_began: LimitReset::Daily.starts(now),
        attempts_a_day: ATTEMPTS_A_DAY,
        idempotency_sha256: taking.map(|taking| taking.key_sha256.as_str()),
        idempotency_nonce: taking.map(|taking| taking.nonce.as_str()),
        upstream_terms_waived: claim_terms.upstream_terms_waived,
        terms_rev: REVISION,
        hour_ago: now.plus(-HOUR_SECS),
        claims_per_hour: claim_terms.claims_per_hour,
        is_further_key: attempt.create.is_some(),
        default_workspace: attempt.policy.default_workspace.as_deref(),
        workspace: attempt.workspace.as_ref(),
        google_domains: attempt.policy.google_domains.as_str(),
    }));
    batch.extend(key(attempt));
    batch.push(stmt!(GENERATION {
        generation: &attempt.generation,
        nonce: attempt.nonce.as_str(),
        now,
        change: &attempt.change,
        member,
        key: &attempt.key,
        default_workspace: attempt.policy.default_workspace.as_deref(),
        workspace: attempt.workspace.as_ref(),
    }));
    batch.extend(remember(attempt));
    batch.push(cards::of_member(&attempt.session, now));
    batch.push(decision(attempt));
    let rows = batch_retrying_unknown(db, batch).await?;
    read_decision(&rows)
}

/// The statement that stores which generation an Idempotency-Key has reserved.
pub(crate) fn remember(attempt: &Attempt) -> Option<Stmt> {
    attempt.taking.as_ref().map(|taking| {
        stmt!(REMEMBER {
            idempotency_sha256: taking.key_sha256.as_str(),
            idempotency_nonce: taking.nonce.as_str(),
            generation: &attempt.generation,
            change: &attempt.change,
        })
    })
}

/// The statements that make the key of the generation, if there is none yet.
fn key(attempt: &Attempt) -> Vec<Stmt> {
    let Attempt {
        key,
        change,
        generation,
        now,
        ..
    } = attempt;
    let (member, now) = (&attempt.session.member, *now);
    match &attempt.create {
        None => vec![stmt!(KEY {
            key,
            now,
            change,
            member,
            generation
        })],
        Some(new) => vec![
            stmt!(MAKE_ROOM {
                now,
                change,
                member,
                generation,
                key
            }),
            stmt!(CREATED {
                key,
                name: new.name.as_str(),
                own_limit: new.own_limit,
                project: new.project.as_ref().map(|project| project.id.as_str()),
                now,
                change,
                member,
                generation,
            }),
        ],
    }
}

/// The statements that read the facts of a claim, without making one.
pub fn facts(attempt: &Attempt) -> [Stmt; 2] {
    [
        cards::of_member(&attempt.session, attempt.now),
        decision(attempt),
    ]
}

fn decision(attempt: &Attempt) -> Stmt {
    stmt!(DECISION {
        member: &attempt.session.member,
        change: &attempt.change,
        generation: &attempt.generation,
        epoch: attempt.session.epoch,
        public_origin: attempt.policy.public_origin.as_str(),
        day_began: LimitReset::Daily.starts(attempt.now),
        siblings_since: siblings_since(attempt.now),
        hour_ago: attempt.now.plus(-HOUR_SECS),
        claims_per_hour: attempt.policy.terms.claims_per_hour,
        now: attempt.now,
        is_further_key: attempt.create.is_some(),
        default_workspace: attempt.policy.default_workspace.as_deref(),
        workspace: attempt.workspace.as_ref(),
        google_domains: attempt.policy.google_domains.as_str(),
    })
}

/// Reads the rows of the last two statements of a reservation, which are those of [`facts`].
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
        workspace_id: Option<String>,
        workspace: Option<WorkspaceName>,
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
            workspace_id: self.workspace_id,
            workspace: self.workspace,
            grants: self.grants.into(),
            home_workspace_id: self.home_workspace_id,
            upstream_name: self.upstream_name,
            expires_at: self.expires_at,
            siblings: self.siblings.into_iter().map(Sibling::from).collect(),
            cards,
        }
    }
}
