//! The reasons why a run ends before its work is done, and the steps of every job that can end a run so.

use crate::app::context::App;
use crate::app::run::Run;
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::run::{CREDENTIAL_REFUSED, LIST_REPEATS, STOP_ASKED, UNAVAILABLE};
use crate::ports::DbError;
use crate::store::ops::cursors::Position;
use crate::store::ops::runs::{Ending, Renewed};
use crate::upstream::openrouter::UpstreamRefusal;

/// The reason why a run ends before its work is done.
pub enum Halt {
    /// OpenRouter refuses the management key, so the run can do nothing more.
    Credential,
    Busy,
    Upstream,
    /// A list shows its first page again and again, so the rest of it was not seen.
    ListRepeats,
    Storage(DbError),
    /// The run was silent for so long that it counted as dead, and another run has begun.
    LeaseLost,
    /// An administrator has asked the run to stop.
    StopAsked,
    /// More work is left than one run can do.
    Budget(Option<Position>),
    /// More strange keys than could be plausible were found at once, so none of them is touched.
    Brake,
    /// The database belongs to another deployment.
    ForeignInstance,
    /// The management key belongs to another OpenRouter account.
    ForeignAccount,
    /// The database is older than it was, so it was restored.
    Restored,
}

impl Halt {
    /// The ending and the code of a run that ends for this reason.
    pub const fn ends(&self) -> (Ending, Option<&'static str>) {
        match self {
            Self::Budget(_) => (Ending::Partial, None),
            Self::StopAsked => (Ending::Stopped, Some(STOP_ASKED)),
            Self::LeaseLost => (Ending::Stopped, Some("lease_lost")),
            Self::Credential => (Ending::Failed, Some(CREDENTIAL_REFUSED)),
            Self::Busy => (Ending::Failed, Some("openrouter_busy")),
            Self::Upstream => (Ending::Failed, Some(UNAVAILABLE)),
            Self::ListRepeats => (Ending::Failed, Some(LIST_REPEATS)),
            Self::Storage(_) => (Ending::Failed, Some("storage_unavailable")),
            Self::Brake => (Ending::Stopped, Some("brake")),
            Self::ForeignInstance => (Ending::Stopped, Some("foreign_instance")),
            Self::ForeignAccount => (Ending::Stopped, Some("foreign_account")),
            Self::Restored => (Ending::Stopped, Some("database_restored")),
        }
    }
}

impl From<UpstreamRefusal> for Halt {
    fn from(refused: UpstreamRefusal) -> Self {
        match refused {
            UpstreamRefusal::Credential => Self::Credential,
            UpstreamRefusal::Busy(_) => Self::Busy,
            UpstreamRefusal::Rejected => Self::Upstream,
        }
    }
}

impl From<DbError> for Halt {
    fn from(error: DbError) -> Self {
        Self::Storage(error)
    }
}

/// Renews the lease of this run. The run halts if another run has taken over, or if an administrator has asked it to
/// stop.
pub async fn renew(app: &App, run: &Run) -> Result<(), Halt> {
    match run.renew(app).await? {
        Renewed::Leased => Ok(()),
        Renewed::StopAsked => Err(Halt::StopAsked),
        Renewed::Lost => Err(Halt::LeaseLost),
    }
}

/// Makes a fresh change id.
pub fn change(app: &App) -> Result<PublicId, DbError> {
    random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)
}
