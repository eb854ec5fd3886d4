//! The jobs, and the codes of their runs that are also read elsewhere.

/// The codes of a run in which OpenRouter refused the credential, or did not answer.
pub const CREDENTIAL_REFUSED: &str = "credential_refused";
pub const UNAVAILABLE: &str = "openrouter_unavailable";
/// The code of a run that saw only the first page of a list.
pub const LIST_REPEATS: &str = "list_repeats";
/// The code of a run that an administrator asked to stop.
pub const STOP_ASKED: &str = "stop_asked";

/// The codes of a run that skips a directory, because one of its settings is missing or its key file cannot be read.
pub const DIRECTORY_INCOMPLETE: &str = "directory_half_configured";
pub const DIRECTORY_MALFORMED: &str = "directory_key_malformed";

/// A job that runs by itself, and also when an admin asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    Sweep,
    Reconcile,
    UsageSync,
    SpendSnapshot,
    Offboard,
}

impl Job {
    pub fn parse(name: &str) -> Option<Self> {
        let known = [
            Self::Sweep,
            Self::Reconcile,
            Self::UsageSync,
            Self::SpendSnapshot,
            Self::Offboard,
        ];
        known.into_iter().find(|job| job.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::Reconcile => "reconcile",
            Self::UsageSync => "usage_sync",
            Self::SpendSnapshot => "spend_snapshot",
            Self::Offboard => "offboard",
        }
    }
}

/// What an invocation may use: statements of D1, and calls to other services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunBudget {
    pub statements: usize,
    pub calls: usize,
}

/// The plan of Cloudflare Workers that the Worker runs on. It decides what an invocation may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkersPlan {
    #[default]
    Paid,
    Free,
}

impl WorkersPlan {
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "paid" => Some(Self::Paid),
            "free" => Some(Self::Free),
            _ => None,
        }
    }

    /// What a run may use. Cloudflare's documentation of D1 and of Workers allows an invocation 1,000 statements and 10,000
    /// calls on the paid plan, and 50 of either on the free plan. Whether each statement of a batch counts is not said, so
    /// each is counted here.
    pub const fn budget(self) -> RunBudget {
        match self {
            Self::Paid => RunBudget {
                statements: 900,
                calls: 9_000,
            },
            Self::Free => RunBudget {
                statements: 40,
                calls: 35,
            },
        }
    }

    /// The largest database that the plan allows, in bytes: 10 GB, or 500 MB on the free plan (Cloudflare's documentation of
    /// D1, "Limits").
    pub const fn database_bytes(self) -> i64 {
        match self {
            Self::Paid => 10_000_000_000,
            Self::Free => 500_000_000,
        }
    }

    /// What of that is kept for the end of a run: its report, and on the paid plan the walk of OpenRouter's list.
    pub const fn reserve(self) -> RunBudget {
        match self {
            Self::Paid => RunBudget {
                statements: 150,
                calls: 500,
            },
            Self::Free => RunBudget {
                statements: 0,
                calls: 5,
            },
        }
    }
}
