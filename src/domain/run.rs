//! The jobs, and the codes of their runs that are also read elsewhere.

/// The codes of a run in which OpenRouter refused the credential, or did not answer.
pub const CREDENTIAL_REFUSED: &str = "credential_refused";
pub const UNAVAILABLE: &str = "openrouter_unavailable";
/// The code of a run that saw only the first page of a list.
pub const LIST_REPEATS: &str = "list_repeats";

/// A job that runs by itself, and also when an admin asks for it.
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
