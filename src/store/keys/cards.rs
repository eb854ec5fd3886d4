//! Keys as their owners see them.

use serde::Serialize;

use crate::domain::id::PublicId;
use crate::domain::key::generation::GenerationState;
use crate::domain::key::hold::Reason;
use crate::domain::key::rotation::renewable_at;
use crate::domain::money::NanoUsd;
use crate::domain::money::budget::{self, Grants};
use crate::domain::money::spend::Spend;
use crate::domain::people::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;
use crate::ports::{Database, DbError, Rows, Stmt};
use crate::store::budget_sql::GrantsRow;
use crate::store::ops::workspaces::WorkspaceName;
use crate::store::query::read;

/// A key as a JSON object, as it is at `:now`, which the statement declares.
macro_rules! card {
    () => {
        concat!("SELECT json_object('id', c.public_id, 'name', c.name, 'state', c.state, 'label', c.label,
            'limit_nano', c.limit_nano, 'limit_reset', c.limit_reset,
            'life', json_object('created_at', c.created_at, 'expires_at', c.expires_at, 'days', p.expiry_days),
            'issue', json_object('number', c.number, 'at', c.issued_at, 'grace_until', c.grace_until),
            'usage', json_object('daily_nano', c.usage_daily_nano, 'weekly_nano', c.usage_weekly_nano,
              'monthly_nano', c.usage_monthly_nano, 'lifetime_nano', c.usage_lifetime_nano, 'read_at', c.usage_read_at),
            'holds', json(c.holds), 'ended', c.ended_at IS NOT NULL,
            'project', (SELECT json_object('id', pj.public_id, 'name', pj.name) FROM keys pk JOIN projects pj ON pj.id = pk.project_id
              WHERE pk.public_id = c.public_id),
            'upstream', json_object('missing', n.missing_since IS NOT NULL, 'has_guardrail', n.guardrail_id IS NOT NULL,
              'all_off', NOT EXISTS (SELECT 1 FROM generations w WHERE w.key_id = n.key_id AND w.live = 1
                AND w.recorded_at IS NOT NULL AND w.missing_since IS NULL
                AND (w.switch_doubted_at IS NOT NULL OR (w.state <> 'disabled' AND NOT EXISTS
                  (SELECT 1 FROM audit a WHERE a.target = w.public_id AND a.action = 'superseded'))))),
            'workspace', (SELECT ", offered_workspace!(), " FROM workspaces w WHERE w.upstream_id = n.workspace_id),
            'cap_due_at', n.cap_due_at, 'grants', ", grants!("n.owner_id", "n.key_id", ":now"), ")")
    };
}

statements! {
    // All keys but those that have ended and are disabled. A key whose mint came to nothing is left out.
    OF_MEMBER { member: PublicId, now: Timestamp } = concat!(card!(), " FROM members m JOIN key_cards c ON c.owner_id = m.owner_id
        JOIN generations n ON n.id = c.generation_id JOIN owners o ON o.id = c.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE m.public_id = :member AND c.state <> 'void' AND (c.ended_at IS NULL OR c.live = 1)
        ORDER BY c.ordinal LIMIT 100");

    // Also a key that has ended.
    ONE { member: String, key: String, admins: String, now: Timestamp } = concat!(card!(), " FROM key_cards c
        JOIN members m ON m.public_id = :member
        JOIN generations n ON n.id = c.generation_id JOIN owners o ON o.id = c.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE c.public_id = :key AND c.state <> 'void'
          AND (c.owner_id = m.owner_id OR ", is_admins!("m"), ")");
}

/// A key with its live generation, or with its last one.
#[derive(Clone, Debug)]
pub struct Card {
    pub id: String,
    pub name: Option<String>,
    pub state: GenerationState,
    /// OpenRouter's redacted form of the secret.
    pub label: Option<String>,
    pub limit: NanoUsd,
    pub limit_reset: LimitReset,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub issue: Issue,
    /// The last reading of its spend.
    pub spend: Option<Spend>,
    /// Why the key is disabled, or is to be disabled.
    pub holds: Vec<Reason>,
    pub project: Option<CardProject>,
    /// The workspace in which it was made, if administrators have ever enabled that.
    pub workspace: Option<WorkspaceName>,
    /// The key has been ended: it is to be removed, and nothing brings it back.
    pub ended: bool,
    /// OpenRouter says that it has no such key.
    pub missing: bool,
    /// The key is assigned to a guardrail.
    pub has_guardrail: bool,
    /// OpenRouter has confirmed that no secret of the key works.
    pub all_off: bool,
    /// What the key may spend in a whole window: by the plan and its raises, or by a lower limit of its owner's or at
    /// OpenRouter.
    pub allowance: NanoUsd,
    /// When its cap is computed again.
    pub cap_due_at: Option<Timestamp>,
    /// A lower limit that the owner has chosen.
    pub own_limit: Option<NanoUsd>,
    /// A lower limit that someone outside keycap set at OpenRouter.
    pub upstream_limit: Option<NanoUsd>,
    /// From this moment on the key can be renewed.
    pub renewable_at: Timestamp,
}

impl Card {
    /// For a key that is disabled because nothing is left of its window, returns the moment before which it does not
    /// work again; `None` for any other key.
    pub fn available_from(&self, now: Timestamp) -> Option<Timestamp> {
        let waits = self.state.is_live() && self.holds.contains(&Reason::Budget);
        let due = self.cap_due_at.filter(|_| waits)?;
        Some(budget::not_before(self.limit_reset, due, now))
    }
}

from_json! {
    /// The project that its owner has put a key into.
    #[derive(Clone, Debug, Serialize)]
    #[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
    pub struct CardProject {
        pub id: String,
        pub name: String,
    }
}

from_json! {
    /// The place of a generation among its key's generations.
    #[derive(Clone, Copy, Debug)]
    pub struct Issue {
        /// Its number, counted from 1.
        pub number: i64,
        pub at: Timestamp,
        /// The previous secret works beside this one until then.
        pub grace_until: Option<Timestamp>,
    }
}

from_json! {
    struct CardRow {
        id: String,
        name: Option<String>,
        state: GenerationState,
        label: Option<String>,
        limit_nano: NanoUsd,
        limit_reset: LimitReset,
        life: LifeRow,
        issue: Issue,
        usage: UsageRow,
        holds: Vec<Reason>,
        ended: bool,
        project: Option<CardProject>,
        workspace: Option<WorkspaceName>,
        upstream: UpstreamRow,
        cap_due_at: Option<Timestamp>,
        grants: GrantsRow,
    }
}

from_json! {
    /// What is known of the key at OpenRouter. It is an object of its own, because D1's functions take at most 32
    /// arguments.
    struct UpstreamRow {
        missing: bool,
        has_guardrail: bool,
        all_off: bool,
    }
}

from_json! {
    struct LifeRow {
        created_at: Timestamp,
        expires_at: Timestamp,
        /// How long a new key of the plan lives.
        days: u32,
    }
}

from_json! {
    /// The last reading of a spend, as the row has it.
    #[derive(Clone, Copy, Debug)]
    pub struct UsageRow {
        daily_nano: Option<NanoUsd>,
        weekly_nano: Option<NanoUsd>,
        monthly_nano: Option<NanoUsd>,
        lifetime_nano: Option<NanoUsd>,
        read_at: Option<Timestamp>,
    }
}

impl UsageRow {
    /// The spend, if it was ever read.
    pub fn spend(&self) -> Option<Spend> {
        Some(Spend {
            daily: self.daily_nano?,
            weekly: self.weekly_nano?,
            monthly: self.monthly_nano?,
            lifetime: self.lifetime_nano?,
            read_at: self.read_at?,
        })
    }
}

impl CardRow {
    fn card(self) -> Card {
        let grants = Grants::from(self.grants);
        Card {
            spend: self.usage.spend(),
            holds: self.holds,
            ended: self.ended,
            project: self.project,
            workspace: self.workspace,
            missing: self.upstream.missing,
            has_guardrail: self.upstream.has_guardrail,
            all_off: self.upstream.all_off,
            allowance: grants.allowance().key,
            own_limit: grants.own_limit,
            upstream_limit: grants.upstream_limit,
            renewable_at: renewable_at(self.life.expires_at, self.life.days),
            cap_due_at: self.cap_due_at,
            id: self.id,
            name: self.name,
            state: self.state,
            label: self.label,
            limit: self.limit_nano,
            limit_reset: self.limit_reset,
            created_at: self.life.created_at,
            expires_at: self.life.expires_at,
            issue: self.issue,
        }
    }
}

/// The statement that reads a member's keys, the claimed one first.
pub fn of_member(session: &Session, now: Timestamp) -> Stmt {
    stmt!(OF_MEMBER {
        member: &session.member,
        now,
    })
}

/// The statement that reads a key by its id: one of the member's own, or anyone's if the member is in `admins`, a JSON
/// list of account numbers.
pub fn one_to_act_on(session: &Session, key: &str, admins: &str, now: Timestamp) -> Stmt {
    stmt!(ONE {
        member: session.member.as_str(),
        key,
        admins,
        now,
    })
}

/// The statement that reads a key of the member with this id.
pub fn one_of(member: &str, key: &str, now: Timestamp) -> Stmt {
    stmt!(ONE {
        member,
        key,
        admins: "[]",
        now,
    })
}

/// Runs a statement that reads one key.
pub async fn read_one(db: &dyn Database, one: Stmt) -> Result<Option<Card>, DbError> {
    let rows = db.batch(vec![one]).await?;
    let cards = rows.first().map(read_cards).transpose()?;
    Ok(cards.and_then(|mut cards| cards.pop()))
}

/// Returns the keys in the rows of such a statement.
pub fn read_cards(rows: &Rows) -> Result<Vec<Card>, DbError> {
    rows.iter()
        .map(|row| read::<CardRow>(row).map(CardRow::card))
        .collect()
}
