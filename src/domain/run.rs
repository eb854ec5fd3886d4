//! Which jobs there are, and the codes of their runs that others than the jobs read.

/// Codes of a run that OpenRouter gave no answer to work with.
pub const CREDENTIAL_REFUSED: &str = "credential_refused";
pub const UNAVAILABLE: &str = "openrouter_unavailable";
/// The code of a run that saw only the first page of a list.
pub const LIST_REPEATS: &str = "list_repeats";

/// A job that runs by itself, and once more where an admin asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    Sweep,
    Reconcile,
}

impl Job {
    pub fn parse(name: &str) -> Option<Self> {
        let known = [Self::Sweep, Self::Reconcile];
        known.into_iter().find(|job| job.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Sweep => "sweep",
            Self::Reconcile => "reconcile",
        }
    }
}
