//! What an owner prefers for one of their keys: a lower limit, or that the key stays enabled. A change makes the caps of
//! the owner's keys due.

use crate::domain::id::PublicId;
use crate::domain::money::NanoUsd;
use crate::domain::policy::quota::{OWN_LIMITS_A_DAY, PREFERENCES_A_DAY};
use crate::domain::time::Timestamp;
use crate::ports::Database;
use crate::store::budget::allowances::done;
use crate::store::budget::over_quota;
use crate::store::budget::plans::{AdminChange, owner_due};
use crate::store::query::StoreError;

statements! {
    // The owner sets the limit on their own key. The limit is not above what the plan and the raises give, and the change
    // is not beyond the day's quota. It is refused while OpenRouter has asked keycap to wait, since every limit is a write
    // there.
    OWN_LIMIT_GUARD {
        change: PublicId, key: String, now: Timestamp, member: PublicId, epoch: i64, own_limits_a_day: i64,
        own_limit: Option<NanoUsd>,
    } = concat!("INSERT INTO audit (change_id, target, action, actor, before_nano, after_nano, at)
        SELECT :change, :key, 'own_limit_set', k.member,
          (SELECT y.own_limit_nano FROM keys y WHERE y.id = k.key_id), :own_limit, :now
        FROM own_keys k JOIN owners o ON o.id = k.owner_id JOIN plans p ON p.id = o.plan_id
        WHERE k.key = :key AND k.member = :member AND k.epoch = :epoch
          AND (SELECT s.pause_until FROM settings s) <= :now
          AND ", used_today!("k.owner_id", "own_limit_set", ":now"), " < :own_limits_a_day
          AND (:own_limit IS NULL OR p.limit_reset = 'none'
            OR :own_limit <= p.limit_nano + (SELECT COALESCE(SUM(r.amount_nano), 0)
              FROM raises r WHERE r.key_id = k.key_id AND (r.until IS NULL OR r.until > :now)))
        ON CONFLICT DO NOTHING");

    OWN_LIMIT { own_limit: Option<NanoUsd>, change: PublicId, key: String } =
        concat!("UPDATE keys SET own_limit_nano = :own_limit, change_id = :change
        WHERE public_id = :key AND ", newest_change!(":key"));

    PREFER_GUARD { change: PublicId, key: String, now: Timestamp, member: PublicId, epoch: i64, preferences_a_day: i64 } =
        concat!("INSERT INTO audit (change_id, target, action, actor, at)
        SELECT :change, :key, 'key_preferred', k.member, :now FROM own_keys k
        WHERE k.key = :key AND k.member = :member AND k.epoch = :epoch
          AND (SELECT s.pause_until FROM settings s) <= :now
          AND ", used_today!("k.owner_id", "key_preferred", ":now"), " < :preferences_a_day
        ON CONFLICT DO NOTHING");

    // The time is later than that of the key that was preferred before, also within the same second.
    PREFER { change: PublicId, now: Timestamp, key: String } = concat!("UPDATE keys SET change_id = :change,
            preferred_at = MAX(:now,
              COALESCE((SELECT MAX(o.preferred_at) + 1 FROM keys o WHERE o.owner_id = keys.owner_id), 0))
        WHERE public_id = :key AND change_id <> :change AND ", newest_change!(":key"));
}

/// What an owner prefers for one of their keys.
pub enum Preference {
    /// A lower limit than the plan gives; `None` removes it.
    Limit(Option<NanoUsd>),
    /// This key stays enabled if the plan allows fewer keys than there are.
    Stays,
}

/// Records a preference. Answers false if the guard refused it: the key is not theirs, the limit is too high, the day's
/// quota is used up, or OpenRouter has asked keycap to wait.
pub async fn prefer(
    db: &dyn Database,
    by: &AdminChange<'_>,
    key: &str,
    owner: i64,
    preference: &Preference,
) -> Result<bool, StoreError> {
    let (change, member, epoch) = (&by.change, &by.session.member, by.session.epoch);
    let stmts = match preference {
        Preference::Limit(limit) => vec![
            stmt!(OWN_LIMIT_GUARD {
                change,
                key,
                now: by.now,
                member,
                epoch,
                own_limits_a_day: OWN_LIMITS_A_DAY,
                own_limit: *limit,
            }),
            stmt!(OWN_LIMIT {
                own_limit: *limit,
                change,
                key,
            }),
            owner_due(change, key, owner, by.now),
        ],
        Preference::Stays => {
            let mut stmts = vec![
                stmt!(PREFER_GUARD {
                    change,
                    key,
                    now: by.now,
                    member,
                    epoch,
                    preferences_a_day: PREFERENCES_A_DAY,
                }),
                stmt!(PREFER {
                    change,
                    now: by.now,
                    key,
                }),
            ];
            let actor = member.as_str();
            stmts.extend(over_quota::apply_to_owner(
                change, key, &by.fit, actor, owner, by.now,
            ));
            stmts
        }
    };
    done(db, by, key, stmts).await
}
