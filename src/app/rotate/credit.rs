//! What a prepaid key's next secret may still spend.

use crate::app::claim;
use crate::app::context::App;
use crate::app::error::Error;
use crate::app::rotate::shares::count_old_as;
use crate::domain::money::spend::Spend;
use crate::store::keys::attempt::Attempt;
use crate::store::keys::claims;

/// Where nothing is left of what was paid, there is no chance of a mint, and no row is made for one.
pub(crate) async fn is_left(app: &App, attempt: &Attempt, spent: &Spend) -> Result<(), Error> {
    let rows = app.db.batch(claims::facts(attempt).into()).await?;
    let mut decision = claims::read_decision(&rows)?.ok_or(Error::SignInRequired)?;
    count_old_as(&mut decision, spent.lifetime, *spent);
    if claim::share(&decision.grants, &decision.siblings, attempt.now).exhausted {
        return Err(Error::CreditSpent);
    }
    Ok(())
}
