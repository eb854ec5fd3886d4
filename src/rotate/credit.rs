//! What a prepaid key's next secret may still spend.

use super::count_old_as;
use crate::app::App;
use crate::domain::spend::Spend;
use crate::error::Error;
use crate::mint;
use crate::store::claims::{self, Attempt};

/// Where nothing is left of what was paid, there is no chance of a mint, and no row is made for one.
pub(super) async fn is_left(app: &App, attempt: &Attempt, spent: &Spend) -> Result<(), Error> {
    let rows = app.db.batch(claims::facts(attempt).into()).await?;
    let mut decision = claims::read_decision(&rows)?.ok_or(Error::SignInRequired)?;
    count_old_as(&mut decision, spent.lifetime, *spent);
    if mint::share(&decision.grants, &decision.siblings, attempt.now).exhausted {
        return Err(Error::CreditSpent);
    }
    Ok(())
}
