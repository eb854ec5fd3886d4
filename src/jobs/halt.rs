//! Why a run ends before its work does, and what every job does in its run that may end it so.

use crate::app::context::App;
use crate::app::run::Run;
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::domain::run::{CREDENTIAL_REFUSED, LIST_REPEATS, UNAVAILABLE};
use crate::ports::DbError;
use crate::store::ops::cursors::Position;
use crate::store::ops::runs::Ending;
use crate::upstream::openrouter::UpstreamRefusal;

/// Why a run ends before its work does.
pub enum Halt {
    /// The management key is refused: nothing more can be done with it.
    Credential,
    Busy,
    Upstream,
    /// A list shows its first page again and again: what lies behind it was not seen.
    ListRepeats,
    Storage(DbError),
    /// It was silent for so long that it counted as dead, and another run has begun.
    LeaseLost,
    /// More is left than one run takes.
    Budget(Option<Position>),
    /// Too much at once that should hardly ever be.
    Brake,
    /// The database belongs to another deployment.
    ForeignInstance,
    /// The credential is another account's.
    ForeignAccount,
    /// The database is behind what it was.
    Restored,
}

impl Halt {
    /// How a run ends that ends so, and why.
    pub const fn ends(&self) -> (Ending, Option<&'static str>) {
        match self {
            Self::Budget(_) => (Ending::Partial, None),
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

/// Says that this run is at work. It halts where another has taken its place.
pub async fn renew(app: &App, run: &Run) -> Result<(), Halt> {
    if run.renew(app).await? {
        Ok(())
    } else {
        Err(Halt::LeaseLost)
    }
}

/// A fresh change id, or the run's failure.
pub fn change(app: &App) -> Result<PublicId, DbError> {
    random::public_id(&*app.random, IdKind::Change).map_err(|_| DbError::Broken)
}
