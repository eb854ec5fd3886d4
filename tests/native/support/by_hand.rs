//! What someone outside keycap did to keys at OpenRouter by hand, as long as it is in force, and what our promises say
//! about it. While they have a key enabled or its limit raised, its spend is not ours to answer for until keycap has
//! corrected the key. What they disabled or lowered stays so until an admin lifts it.

use std::collections::{HashMap, HashSet};

use sandbox::{Period, UpstreamKey, Usd};

use super::world::World;

#[derive(Clone, Default)]
pub struct ByHand {
    /// Hashes of keys that they enabled although keycap had disabled them.
    enabled: HashSet<String>,
    /// Keys to which they gave a higher limit than keycap did, with that limit; `None` means no limit.
    raised: HashMap<String, Option<Usd>>,
    /// Keys that they disabled and that must stay disabled, with keycap's last change of the row before that.
    disabled: HashMap<String, Change>,
    /// Keys to which they gave a lower limit than keycap did, which must not rise again.
    lowered: HashMap<String, Lowered>,
    /// Keys to which they gave a limit of zero, which keycap never sends.
    emptied: HashSet<String>,
}

impl ByHand {
    pub fn enabled(&self, hash: &str) -> bool {
        self.enabled.contains(hash)
    }

    pub fn raised(&self, hash: &str) -> bool {
        self.raised.contains_key(hash)
    }

    pub fn emptied(&self, hash: &str) -> bool {
        self.emptied.contains(hash)
    }

    fn is_empty(&self) -> bool {
        self.enabled.is_empty()
            && self.raised.is_empty()
            && self.disabled.is_empty()
            && self.lowered.is_empty()
            && self.emptied.is_empty()
    }
}

#[derive(Clone)]
struct Lowered {
    limit: Usd,
    window: Option<Period>,
    /// The limit that keycap had given the key, in nano-USD; `changed` is keycap's last change of the row before that.
    ours: i64,
    changed: Change,
}

/// Keycap's last change of a row: the id and time of its newest audit row, and the time of the one before it.
#[derive(Clone, Copy)]
struct Change {
    id: i64,
    at_secs: i64,
    before_at_secs: i64,
}

/// A change that keycap made may not be visible everywhere at OpenRouter for so long.
const SHOWS_WITHIN_SECS: i64 = 300;
const A_CENT: Usd = Usd { nanos: 10_000_000 };

/// The row of a key, reduced to what this module needs.
struct Row {
    state: String,
    limit: i64,
    /// The highest limit that keycap gave the key, or sent and that may be in force, in nano-USD.
    on_record: i64,
    switch_in_flight: bool,
    limit_in_flight: bool,
    /// The key has the hold `upstream`: the database records that someone else disabled it.
    is_held: bool,
    has_upstream_limit: bool,
    /// The key has the hold `budget`.
    is_spent: bool,
    changed: Change,
}

impl Row {
    fn is_live(&self) -> bool {
        ["active", "disabled"].contains(&self.state.as_str())
    }
}

impl World {
    fn row_of(&self, hash: &str) -> Option<Row> {
        let rows = self.db.texts(&format!(
            "SELECT g.state || ' ' || g.limit_nano || ' ' || MAX(g.limit_nano, COALESCE(g.limit_sent_nano, 0)) || ' '
               || (g.switch_doubted_at IS NOT NULL) || ' ' || (g.limit_sent_at IS NOT NULL) || ' '
               || EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason = 'upstream') || ' '
               || (k.upstream_limit_nano IS NOT NULL) || ' '
               || EXISTS (SELECT 1 FROM holds h WHERE h.key_id = k.id AND h.reason = 'budget') || ' '
               || (SELECT a.id || ' ' || a.at FROM audit a WHERE a.target = g.public_id ORDER BY a.id DESC LIMIT 1) || ' '
               || COALESCE((SELECT a.at FROM audit a WHERE a.target = g.public_id ORDER BY a.id DESC LIMIT 1 OFFSET 1), 0)
             FROM generations g JOIN keys k ON k.id = g.key_id WHERE g.upstream_hash = '{hash}'"
        ));
        let [
            state,
            limit,
            on_record,
            switch,
            sent,
            held,
            kept,
            spent,
            id,
            at,
            before_at,
        ] = rows.first()?.split(' ').collect::<Vec<_>>()[..]
        else {
            panic!("eleven columns: {rows:?}");
        };
        Some(Row {
            state: state.to_owned(),
            limit: limit.parse().unwrap(),
            on_record: on_record.parse().unwrap(),
            switch_in_flight: switch == "1",
            limit_in_flight: sent == "1",
            is_held: held == "1",
            has_upstream_limit: kept == "1",
            is_spent: spent == "1",
            changed: Change {
                id: id.parse().unwrap(),
                at_secs: at.parse().unwrap(),
                before_at_secs: before_at.parse().unwrap(),
            },
        })
    }

    /// The highest limit that keycap gave a key, or sent and that may be in force, in nano-USD; 0 if there is no row.
    pub fn on_record(&self, hash: &str) -> i64 {
        self.row_of(hash).map_or(0, |row| row.on_record)
    }

    /// Records that someone outside keycap changed a key, which was like `before`.
    pub fn was_changed_by_hand(&self, before: &UpstreamKey) {
        let hash = &before.hash;
        let (Some(key), Some(row)) = (self.upstream_key(hash), self.row_of(hash)) else {
            return;
        };
        let mut hands = self.by_hand.borrow_mut();
        if before.disabled && !key.disabled {
            hands.disabled.remove(hash);
            if row.state != "active" {
                hands.enabled.insert(hash.clone());
            }
        }
        if before.limit != key.limit {
            hands.lowered.remove(hash);
            hands.raised.remove(hash);
            if key.limit == Some(Usd::ZERO) {
                hands.emptied.insert(hash.clone());
            }
            if key.limit.is_none_or(|limit| limit.nanos > row.on_record) {
                hands.raised.insert(hash.clone(), key.limit);
            }
        }
    }

    /// Records that a change by someone outside keycap must stay, because no change by keycap was in flight. The key
    /// was like `before`.
    pub fn stays_as_left_by_hand(&self, before: &UpstreamKey) {
        let hash = &before.hash;
        let (Some(key), Some(row)) = (self.upstream_key(hash), self.row_of(hash)) else {
            return;
        };
        let mut hands = self.by_hand.borrow_mut();
        let is_stopped = !before.disabled && key.disabled;
        if is_stopped && row.state == "active" && !row.switch_in_flight {
            hands.disabled.insert(hash.clone(), row.changed);
        }
        let is_lowered = |limit: &Usd| before.limit != key.limit && limit.nanos < row.limit;
        if let Some(limit) = key.limit.filter(is_lowered)
            && !row.limit_in_flight
        {
            let lowered = Lowered {
                limit,
                window: key.limit_reset,
                ours: row.limit,
                changed: row.changed,
            };
            hands.lowered.insert(hash.clone(), lowered);
        }
    }

    /// Counts the live keys that have the hold `upstream` because their limit at OpenRouter is below a cent, so that it
    /// differs from the limit in their row.
    pub fn held_for_nothing(&self) -> usize {
        let held = self.db.texts(&format!(
            "SELECT g.upstream_hash FROM generations g JOIN holds h ON h.key_id = g.key_id
             WHERE h.reason = 'upstream' AND g.state IN ('active', 'disabled') AND g.expires_at > {}",
            self.now().secs()
        ));
        let keys = held.iter().filter_map(|hash| self.upstream_key(hash));
        keys.filter(|key| key.deleted_at_ms.is_none() && key.limit.is_some_and(|is| is < A_CENT))
            .count()
    }

    /// An admin lifts what someone outside keycap did to a key. It ends what the database records of it; with `later`,
    /// also what the lift will find recorded when it continues later.
    pub fn lifts_by_name(&self, key: &str, later: bool) {
        let hashes = self.db.texts(&format!(
            "SELECT COALESCE(g.upstream_hash, '') FROM generations g JOIN keys k ON k.id = g.key_id WHERE k.public_id = '{key}'"
        ));
        let is_written = |hash: &String| {
            let row = self.row_of(hash);
            row.is_some_and(|row| later || row.is_held || row.has_upstream_limit)
        };
        let hashes: Vec<String> = hashes.into_iter().filter(is_written).collect();
        let mut hands = self.by_hand.borrow_mut();
        for hash in hashes {
            hands.disabled.remove(&hash);
            hands.lowered.remove(&hash);
        }
    }

    /// Forgets what they enabled or raised once keycap has corrected it.
    fn forget_what_is_mended(&self) {
        let of = |hash: &str| self.upstream_key(hash).zip(self.row_of(hash));
        let mut hands = self.by_hand.borrow_mut();
        hands.enabled.retain(|hash| {
            of(hash).is_some_and(|(key, row)| !key.disabled && row.state != "active")
        });
        hands
            .raised
            .retain(|hash, limit| of(hash).is_some_and(|(key, _)| key.limit == *limit));
        hands
            .emptied
            .retain(|hash| of(hash).is_some_and(|(key, _)| key.limit == Some(Usd::ZERO)));
    }

    /// What somebody disabled is disabled, and what they lowered has no higher limit.
    pub fn outside_changes_are_kept(&self) {
        if self.by_hand.borrow().is_empty() {
            return;
        }
        self.forget_what_is_mended();
        let of = |hash: &str| self.upstream_key(hash).zip(self.row_of(hash));
        let mut hands = self.by_hand.borrow_mut();
        hands.disabled.retain(|hash, _| {
            let Some((key, row)) = of(hash).filter(|(_, row)| row.is_live()) else {
                return false;
            };
            assert!(
                key.disabled,
                "what somebody else disabled is enabled again: {hash} {}",
                row.state
            );
            true
        });
        hands.lowered.retain(|hash, Lowered { limit, window, .. }| {
            let Some((key, row)) = of(hash).filter(|(_, row)| row.is_live()) else {
                return false;
            };
            // A limit of zero is handled as if the key were disabled. A limit for the whole life of a key also counts
            // what was spent before.
            if row.is_held && *limit < A_CENT
                || row.has_upstream_limit && key.limit_reset != *window
            {
                return false;
            }
            assert!(
                key.limit.is_some_and(|is| is <= *limit),
                "what somebody else lowered to {limit:?} is raised again: {hash} {:?}",
                key.limit
            );
            true
        });
    }

    /// Forgets the keys that keycap itself has disabled or lowered further meanwhile without reading the outside
    /// change: it could not be read, or it was read within five minutes of another change by keycap, when a reading
    /// proves nothing.
    pub fn lets_go_what_could_not_be_read(&self, troubled: bool) {
        let may_undo = |then: &mut Change, row: &Row| {
            let before = std::mem::replace(then, row.changed);
            // Keycap may have changed the row more than once since.
            let last_but_one = before.at_secs.max(row.changed.before_at_secs);
            before.id != row.changed.id
                && (troubled || last_but_one + SHOWS_WITHIN_SECS > row.changed.at_secs)
        };
        let of = |hash: &str| self.upstream_key(hash).zip(self.row_of(hash));
        let mut hands = self.by_hand.borrow_mut();
        hands.disabled.retain(|hash, then| {
            of(hash).is_none_or(|(key, row)| {
                let is_undone = may_undo(then, &row);
                row.is_held || !is_undone || (row.state == "active" && key.disabled)
            })
        });
        hands.lowered.retain(|hash, lowered| {
            of(hash).is_none_or(|(_, row)| {
                let is_undone = may_undo(&mut lowered.changed, &row);
                let is_ours_lower = row.limit < lowered.ours;
                row.is_held || row.has_upstream_limit || !is_undone || !is_ours_lower
            })
        });
    }

    /// What is left of the limit that keycap gave a key, as far as OpenRouter has counted the spend. `None` if nobody
    /// else gave the key more. Something of keycap's may be in flight, of which the row says nothing yet.
    pub fn left_of_ours(&self, hash: &str) -> Option<Usd> {
        self.forget_what_is_mended();
        let is_enabled = self.by_hand.borrow().enabled(hash);
        let is_raised = self.by_hand.borrow().raised(hash);
        if !is_enabled && !is_raised {
            return None;
        }
        let (key, row) = self.upstream_key(hash).zip(self.row_of(hash))?;
        // Keycap gives nothing when less than a cent is left: it disables the key and sends a limit of one cent.
        if is_enabled && (!row.is_live() || row.is_spent) {
            return Some(Usd::ZERO);
        }
        let now = self.upstream_now_ms();
        let ours = Usd {
            nanos: row.on_record,
        };
        is_raised.then(|| ours.left_after(key.as_shown(now).spent_in_window(now)))
    }
}
