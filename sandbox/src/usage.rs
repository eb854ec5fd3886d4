//! What keys were used for: each use with its model, as analytics and `/activity` report it, and how these two behave.

use crate::{Sandbox, clock::DAY_MS, money::Usd};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The model of a use that names none.
const USUAL_MODEL: &str = "sandbox/model-1";

/// The use of one key for one model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    /// The place of the key in the ledger.
    pub key: usize,
    /// The place of the model in the list of models.
    pub model: usize,
    pub at_ms: i64,
    /// Before this, neither analytics nor `/activity` has it.
    pub shows_at_ms: i64,
    pub credits: Usd,
    pub byok: Usd,
    pub requests: i64,
    pub prompt: i64,
    /// Reasoning tokens included.
    pub completion: i64,
    pub reasoning: i64,
    pub cached: i64,
}

/// Every use, by UTC day.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses {
    pub models: Vec<String>,
    pub by_day: BTreeMap<i64, Vec<Use>>,
}

/// One use that is booked by hand.
#[derive(Clone, Debug)]
pub struct NewUse<'a> {
    pub hash: &'a str,
    pub model: &'a str,
    pub usd: Usd,
    /// Through the account's own provider key.
    pub byok: bool,
    pub at_ms: i64,
    /// How long after `at_ms` analytics and `/activity` do not have it. The key's own counter has it at once.
    pub lag_ms: i64,
}

/// How analytics and `/activity` behave. By default they do what OpenRouter's documentation says.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reports {
    /// The time column has the other of its two names, `created_at__day`.
    pub created_at_column: bool,
    /// Its values are times and not dates.
    pub times: bool,
    /// Counts are numbers and not texts.
    pub numeric_counts: bool,
    /// The metric `credits_usage` has this name instead.
    pub credits_metric: String,
    /// The most rows of an answer.
    pub most_rows: usize,
    /// The longest list of a filter `in`.
    pub most_in_list: usize,
    /// Deleted keys have no usage any more.
    pub forgets_deleted: bool,
    /// `GET /credits` answers zeros.
    pub no_credits: bool,
    /// After how many milliseconds a use shows, unless it says so itself.
    pub lag_ms: i64,
}

impl Default for Reports {
    fn default() -> Self {
        Self {
            created_at_column: false,
            times: false,
            numeric_counts: false,
            credits_metric: "credits_usage".to_owned(),
            most_rows: 10_000,
            most_in_list: 1_000,
            forgets_deleted: false,
            no_credits: false,
            lag_ms: 0,
        }
    }
}

impl Sandbox {
    pub fn set_reports(&mut self, reports: Reports) {
        self.reports = reports;
    }

    #[must_use]
    pub const fn reports(&self) -> &Reports {
        &self.reports
    }

    /// Books one use with its model, in the key's counters and in the reports. Returns `false` if there is no such key.
    pub fn use_model(&mut self, new: &NewUse<'_>) -> bool {
        if !self.note_use(new) {
            return false;
        }
        let Some(key) = self.ledger.key_mut(new.hash) else {
            return false;
        };
        key.book(new.usd, new.byok, 0, new.at_ms);
        true
    }

    /// Books one use in the reports alone.
    pub(crate) fn note_use(&mut self, new: &NewUse<'_>) -> bool {
        let Some(key) = self.ledger.position(new.hash) else {
            return false;
        };
        let model = self.uses.model(new.model);
        let tokens = new.usd.nanos / 2_000;
        let completion = tokens / 4;
        let (credits, byok) = if new.byok {
            (Usd::ZERO, new.usd)
        } else {
            (new.usd, Usd::ZERO)
        };
        let day = new.at_ms.div_euclid(DAY_MS);
        self.uses.by_day.entry(day).or_default().push(Use {
            key,
            model,
            at_ms: new.at_ms,
            shows_at_ms: new.at_ms.saturating_add(new.lag_ms),
            credits,
            byok,
            requests: 1,
            prompt: tokens,
            completion,
            reasoning: completion / 5,
            cached: tokens / 2,
        });
        true
    }

    /// Books a use that only has a price.
    pub(crate) fn note_spend(
        &mut self,
        hash: &str,
        model: Option<&str>,
        usd: Usd,
        byok: bool,
        at_ms: i64,
    ) {
        let lag_ms = self.reports.lag_ms;
        self.note_use(&NewUse {
            hash,
            model: model.unwrap_or(USUAL_MODEL),
            usd,
            byok,
            at_ms,
            lag_ms,
        });
    }
}

impl Uses {
    fn model(&mut self, slug: &str) -> usize {
        let known = self.models.iter().position(|known| known == slug);
        known.unwrap_or_else(|| {
            self.models.push(slug.to_owned());
            self.models.len() - 1
        })
    }

    /// The uses from `start` to before `end` that show by `now`.
    pub fn shown(&self, start: i64, end: i64, now: i64) -> impl Iterator<Item = &Use> {
        let days = start.div_euclid(DAY_MS)..=end.div_euclid(DAY_MS);
        let uses = self.by_day.range(days).flat_map(|(_, uses)| uses);
        uses.filter(move |one| (start..end).contains(&one.at_ms) && one.shows_at_ms <= now)
    }
}

/// Uses that are added up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    pub credits: Usd,
    pub byok: Usd,
    pub requests: i64,
    pub byok_requests: i64,
    pub prompt: i64,
    pub completion: i64,
    pub reasoning: i64,
    pub cached: i64,
}

impl Sums {
    pub fn add(&mut self, one: &Use) {
        self.credits += one.credits;
        self.byok += one.byok;
        self.requests += one.requests;
        if one.byok > Usd::ZERO {
            self.byok_requests += one.requests;
        }
        self.prompt += one.prompt;
        self.completion += one.completion;
        self.reasoning += one.reasoning;
        self.cached += one.cached;
    }
}
