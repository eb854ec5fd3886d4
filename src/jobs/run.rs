//! What every job needs of its run.

use crate::app::context::App;
use crate::app::run::Run;
use crate::crypto::random;
use crate::domain::id::{IdKind, PublicId};
use crate::jobs::halt::Halt;
use crate::ports::DbError;

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
