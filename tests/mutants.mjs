// The guards in Rust code that `npm run mutants` takes out, one at a time. For every entry a native test must fail. The
// guards in SQL are taken out by a generator, and by tests/mutants/texts.json.
//
// `find` occurs exactly once in `file`. The name of an entry is a sentence that states its rule. The entries follow the
// order of the files, because that builds fastest.
//
// The following guards are left out. Another guard stands behind each, so no test could tell the difference:
//   - The second look before a stray is deleted: no state that says "delete" leads to one that says "leave". The second
//     look before a quarantine is here.
//   - `include_expired` of the walk: a stray that has expired works for nobody, whether the walk sees it or not.

/** @typedef {{ name: string, file: string, find: string, replace: string }} Mutant */

/** @type {Mutant[]} */
export const mutants = [
  // ------------------------------------------------------------------------------------------ the settings
  ...inFile("src/config/reader.rs", [
    ["a credential is text that a header can carry", "Some(text) if text.bytes().any(|byte| !byte.is_ascii_graphic()) => {", "Some(text) if text.is_empty() => {"],
    ["an upstream address contains no user name and password", "            .filter(|url| url.username().is_empty() && url.password().is_none());", "            .filter(|_| true);"],
  ]),

  // ------------------------------------------------------------------------------------------ the record
  ...inFile("src/store/keys/mints.rs", [
    ["repeated unknown outcomes stop all reservations", "const MANY_UNKNOWN: i64 = 5;", "const MANY_UNKNOWN: i64 = 5_000;"],
  ]),

  // ------------------------------------------------------------------------------------------ other statements
  ...inFile("src/store/keys/expiries.rs", [
    ["a key is closed five minutes after its expiry", "const EXPIRES_AFTER_SECS: i64 = 300;", "const EXPIRES_AFTER_SECS: i64 = 0;"],
  ]),
  ...inFile("src/store/keys/generations.rs", [
    ["more than fifty workspaces are walked", "const WORKSPACES: i64 = 1_000;", "const WORKSPACES: i64 = 50;"],
  ]),
  ...inFile("src/store/keys/holds.rs", [
    ["a switch that was sent within five minutes may still take effect", "let may_land = |at: &Timestamp| *at > now.plus(-LANDS_WITHIN_SECS);", "let may_land = |at: &Timestamp| *at > now;"],
  ]),
  ...inFile("src/store/members.rs", [
    ["a session requires an active member", "    if member.status != Status::Active {", "    if false {"],
    ["a session requires the member's current epoch", "    if member.epoch != session.epoch {", "    if false {"],
  ]),
  ...inFile("src/store/members/sign_in.rs", [
    ["a person who is not an active member gets no session", "        if status != Status::Active {", "        if false {"],
  ]),
  ...inFile("src/store/query.rs", [
    ["a write whose answer was lost is sent again", "Err(DbError::Unknown) => db.batch(stmts).await,", "Err(DbError::Unknown) => Err(DbError::Unknown),"],
  ]),

  // ------------------------------------------------------------------------------------------ the core
  ...inFile("src/store/members/offboard.rs", [
    ["reinstating a member lifts an admin's hold of a key that has ended", "        stmts.push(stmt!(FORGIVE { change }));\n", ""],
    ["a suspension ends keys too", "    if verdict.status == Status::Active {", "    if verdict.status != Status::Banned {"],
  ]),
  ...inFile("src/app/membership.rs", [
    ["leaving requires the member's own login", "    if member.login != confirm {", "    if confirm.is_empty() {"],
  ]),
  ...inFile("src/domain/money/budget.rs", [
    ["spend shortly before a window counts in it by OpenRouter's clock", "    let by_any_clock = began.plus(-SKEW_SECS);\n", "    let by_any_clock = began;\n"],
    ["a sibling with unknown spend counts with its whole cap", "    cap.max(used)\n}", "    used\n}"],
    ["a live sibling counts with what it has spent", "    cap.max(used)\n}", "    cap\n}"],
    ["a figure that was read before the end is not known", "sibling.ended_at.is_some_and(|ended| usage.read_at >= ended)", "sibling.ended_at.is_some_and(|_| usage.read_at.secs() > 0)"],
    ["usage of an earlier window is not known", "    let known = sibling.usage.filter(|usage| usage.read_at >= by_any_clock);", "    let known = sibling.usage.filter(|usage| usage.read_at.secs() > 0);"],
    ["a lowered key counts with what was read in a later window too", "        _ => counted(reset, sibling, known, reset.resets_at(at)),", "        _ => counted(reset, sibling, known.filter(|usage| reset.starts(usage.read_at) <= began), None),"],
    ["an owner's keys share the plan's total", "    own.min(allowed.owner.minus(sum(false)))", "    own"],
    ["a key's generations share its limit", "allowed.key.minus(sum(true))", "allowed.key"],
    ["shortly after a boundary the earlier window still counts", "WindowStart::Unsure | WindowStart::OnEvidence => certain(", "WindowStart::Unsure | WindowStart::OnEvidence => cap("],
    ["without evidence a fresh key gets nothing of a new window", "WindowStart::Unsure | WindowStart::OnEvidence => certain(allowed, siblings, now),\n        WindowStart::Surely =>", "WindowStart::Unsure => certain(allowed, siblings, now),\n        WindowStart::OnEvidence | WindowStart::Surely =>"],
    ["within the clocks' difference no figure is evidence", "            counted(reset, sibling, sibling.usage, Some(began))", "            counted(reset, sibling, sibling.usage, None)"],
    ["within the clocks' difference a lowered key counts with what it has spent", "            counted(reset, sibling, sibling.usage, Some(began))", "            counted(reset, sibling, sibling.usage.filter(|usage| usage.read_at < began), None)"],
    ["a raise until midnight ends before midnight", "        until.min(midnight.plus(-RAISE_ENDS_SECS))\n", "        until\n"],
    ["a raise until shortly after midnight ends before midnight too", "    if until > midnight.plus(SURE_SECS) ||", "    if until > midnight ||"],
    ["a raise within a day is not shortened to the day before", " || now >= midnight {", " {"],
    ["spend before the payments is not counted against them", "LimitReset::None => amount.minus(sibling.before_prepaid),", "LimitReset::None => amount,"],
    ["no key is lowered below a smaller plan while other keys follow", "(None, false) => sibling.cap.min(", "(None, false) => sibling.cap.max("],
    ["the spend of a key that ended near the boundary may belong to the new window", "        Some(ended) if ended < by_any_clock => NanoUsd::ZERO,", "        Some(ended) if ended < began => NanoUsd::ZERO,"],
    ["the last figure of a key that ended about a boundary is as much as it can be", "    let known = sibling.usage.filter(|usage| usage.read_at >= by_any_clock);", "    let known = sibling.usage.filter(|usage| usage.read_at >= began);"],
  ]),
  ...inFile("src/domain/time/period.rs", [
    ["a window counts as begun only after two minutes", "pub const SKEW_SECS: i64 = 120;", "pub const SKEW_SECS: i64 = 0;"],
  ]),
  ...inFile("src/app/claim/decision.rs", [
    ["a cap below the allowance is computed again after the reset", "        due => due,\n", "        _ => None,\n"],
    ["a cap that waits for evidence is computed again by the next sweep", "        Some(_) if waits =>", "        Some(_) if waits && cap < NanoUsd::ZERO =>"],
    ["a temporary raise ends for a fresh key too", "        due: grants.not_after_a_raise(reset),", "        due: reset,"],
  ]),
  ...inFile("src/app/sync/limit.rs", [
    ["no limit is raised before the guardrail is in force", "\n        other => return Ok(other.map(|_| SwitchOutcome::Overtaken)),\n    }\n    if !differs", "        _ => {}\n    }\n    if !differs"],
    ["a guardrail that is not in force does not keep a limit from being lowered", "        _ if lowers(&cap, &basis) =>", "        _ if false =>"],
    ["a guardrail that is not in force keeps the limit due", "=> cap.next = earliest(cap.next, Some(basis.taken)),", "=> {}"],
  ]),
  ...inFile("src/app/sync/cap.rs", [
    ["a limit that somebody else lowered is not raised where nothing is left to spend", "        limit.min(basis.limit)\n", "        limit\n"],
    ["a higher limit requires evidence from OpenRouter", "certain == fresh || shown(),", "certain == fresh || shown() || spend.is_some(),"],
    ["a key beyond the plan's quota gets no higher limit", "    if basis.over_quota {\n", "    if false {\n"],
    ["a key with less than a cent left is disabled", "        exhausted: (least || (basis.paired && basis.held)) && !basis.over_quota,", "        exhausted: false,"],
    ["no limit is raised while two generations of a key are live", "    if basis.paired {\n", "    if false {\n"],
    ["what a key spent under an earlier prepaid time cannot be spent again", "fresh.min(allowed_now(basis))", "fresh.min(basis.limit)"],
    ["a prepaid limit starts at the spend of the key before it", "        LimitReset::None => basis.before_prepaid,\n        _ => NanoUsd::ZERO,", "        LimitReset::None => NanoUsd::ZERO,\n        _ => NanoUsd::ZERO,"],
    ["a temporary raise ends", "        next: basis.grants.not_after_a_raise(next),", "        next,"],
    ["nothing is added to the spend before prepaying", "base.plus(amount).floored().max(NanoUsd::CENT)", "base.plus(amount.max(NanoUsd::CENT)).floored()"],
  ]),
  ...inFile("src/store/budget_sql.rs", [
    ["a key that ended just before the previous month counts as long as that month may last", "    began.plus(-SKEW_SECS)\n", "    began\n"],
  ]),
  ...inFile("src/store/budget/limits.rs", [
    ["a limit that was sent earlier may still take effect", "let earlier = in_flight.earlier.filter(|(_, at)| lands(*at));", "let earlier = in_flight.earlier.filter(|(_, at)| !lands(*at));"],
    ["spend that was found lowers the siblings of the key", "        if counts_more || pending.limit < basis.limit {", "        if pending.limit < basis.limit {"],
  ]),
  ...inFile("src/store/budget/allowances.rs", [
    ["figures are valid for half an hour", "read_since.plus(-FIGURES_KEPT_SECS)", "read_since.plus(-1000 * FIGURES_KEPT_SECS)"],
  ]),
  ...inFile("src/domain/policy/gate.rs", [
    ["nothing is minted without a management key", "} else if !terms.can_mint {", "} else if !terms.can_mint && !terms.project_live {"],
    ["claims require the project status live", "self.project_live && self.provisioning_enabled", "self.provisioning_enabled"],
    ["claims require provisioning to be enabled", "self.project_live && self.provisioning_enabled", "self.project_live"],
    ["claims require a management key", "self.can_mint && ", ""],
    ["without a ceiling claims are closed", "&& self.max_total_keys > 0", ""],
  ]),
  ...inFile("src/domain/key/mint.rs", [
    ["a limit below a cent is never sent", "(limit >= NanoUsd::CENT)", "(limit >= NanoUsd::ZERO)"],
    ["a key that was made in another workspace than our own is a mismatch", ".or(asked.home_workspace_id.as_ref());", ".or(None);"],
    ["the name in the echo is compared", "echo.name.as_deref() == Some(&asked.name))", "true)"],
    ["the echo contains a hash", "echo.hash.as_deref().is_some_and(is_hash))", "true)"],
    ["the limit in the echo is compared", "echo.limit == Some(asked.limit))", "true)"],
    ["the reset in the echo is compared", "LimitReset::from_upstream(echo.limit_reset.as_deref()) == Some(asked.limit_reset),", "echo.limit_reset.is_some() || asked.limit_reset == LimitReset::None,"],
    ["the echo must count BYOK", "echo.include_byok_in_limit == Some(true))", "true)"],
    ["the echo must not be disabled", "echo.disabled == Some(false))", "true)"],
    ["the expiry in the echo is compared", "echo.expires_at == Some(asked.expires_at))", "true)"],
    ["the workspace in the echo is compared", "(Mismatch::Workspace, same_workspace)", "(Mismatch::Workspace, same_workspace || true)"],
    ["a key with another name is not deleted by the hash in its echo", "filter(|hash| ours && is_hash(hash))", "filter(|hash| is_hash(hash))"],
  ]),
  ...inFile("src/domain/key/stray.rs", [
    ["a marker without a row is quarantined, not deleted", "return StrayVerdict::Quarantine;", "return StrayVerdict::Delete;"],
    ["a mint in progress is left alone", "GenerationState::Reserved | GenerationState::Minting => StrayVerdict::Leave,", "GenerationState::Reserved | GenerationState::Minting => StrayVerdict::DeleteAndClear,"],
    ["another key with the name of an active row is a twin", "_ if recorded != Some(hash) => StrayVerdict::DeleteTwin,", "_ if recorded != Some(hash) => StrayVerdict::Leave,"],
    ["a key whose row is void is deleted", "GenerationState::Void => StrayVerdict::Delete,", "GenerationState::Void => StrayVerdict::Leave,"],
    ["a key whose row is revoked and purged is deleted", "GenerationState::Revoked if row.erased => StrayVerdict::Delete,", "GenerationState::Revoked if row.erased => StrayVerdict::Leave,"],
    ["a retained key that is disabled is left alone", "GenerationState::Revoked if off => StrayVerdict::Leave,", "GenerationState::Revoked if off => StrayVerdict::Delete,"],
    ["a retained key that is enabled is looked at", "\n        GenerationState::Revoked => StrayVerdict::Look,", "        GenerationState::Revoked => StrayVerdict::Leave,"],
    ["a key that may have spent is revoked in its own step", "GenerationState::Revoking | GenerationState::Stuck if row.delivered => StrayVerdict::Leave,", "GenerationState::Revoking | GenerationState::Stuck if row.delivered => StrayVerdict::DeleteAndRevoke,"],
    ["the brake stops at more than ten strange keys", "pub const BRAKE: usize = 10;", "pub const BRAKE: usize = 1_000_000;"],
  ]),
  ...inFile("src/domain/policy/return_target.rs", [
    ["a return target is a name in the list", "name.and_then(found).unwrap_or(Self::Keys)", "name.and_then(found).unwrap_or(Self::Admin)"],
  ]),
  ...inFile("src/domain/policy/origin.rs", [
    ["plain http is only for this machine", "\"http\" => is_loopback(url),", "\"http\" => url.host().is_some(),"],
  ]),

  // ------------------------------------------------------------------------------------------ sessions and settings
  ...inFile("src/crypto/keyring.rs", [
    ["each purpose has its own key", ".expand(purpose.info(), key.as_mut())", ".expand(b\"keycap\", key.as_mut())"],
  ]),
  ...inFile("src/crypto/session.rs", [
    ["a session expires", "&& now < ends && ends.since(issued) <= SESSION_SECS", "&& ends.since(issued) <= SESSION_SECS"],
    ["a session is not valid before its beginning", "issued <= now.plus(SKEW_SECS) && now < ends", "now < ends"],
    ["a session lasts seven days at most", "&& now < ends && ends.since(issued) <= SESSION_SECS", "&& now < ends"],
  ]),
  ...inFile("src/config/reader.rs", [
    ["gates open on their exact word only", "let open = self.text(setting).as_deref() == Some(word);", "let open = self.text(setting).is_some() && !word.is_empty();"],
    ["OpenRouter's terms are waived only on this machine", "upstream_terms_waived: in_development,", "upstream_terms_waived: true,"],
    ["a session secret has 32 bytes", "secrets.iter().any(|s| s.len() < SESSION_SECRET_BYTES)", "secrets.iter().all(|s| s.len() < SESSION_SECRET_BYTES)"],
  ]),

  // ------------------------------------------------------------------------------------------ the mint
  ...inFile("src/app/claim/restrictions.rs", [
    ["a disable is confirmed only if it was sent once", "matches!(reply, UpstreamReply::Is((Done::Surely, _)))", "matches!(reply, UpstreamReply::Is((Done::Surely | Done::AfterUnknown, _)))"],
    ["a key is assigned to its plan's guardrail before its secret is delivered", "    if let Some(guardrail) = guardrail\n", "    if let Some(guardrail) = guardrail.filter(|_| false)\n"],
  ]),
  ...inFile("src/app/claim/removal.rs", [
    ["a key is deleted only after that was recorded",
      "    match written {\n        Ok(true) => delete(app, attempt, hash, true).await,",
      "    delete(app, attempt, hash, true).await;\n    match written {\n        Ok(true) => {}"],
    ["a key is recorded as revoked only when its delete is confirmed", "    if let (true, true, Ok(change)) = (gone, confirm, change) {", "    if let (_, true, Ok(change)) = (gone, confirm, change) {"],
  ]),
  ...inFile("src/app/claim.rs", [
    ["a label that contains the secret is not stored", "label.filter(|label| !label.contains(secret.expose()))", "label.filter(|label| !label.is_empty())"],
    ["a create with an unknown outcome is not a refusal", "Created::Unknown => Err(mark_unknown(app, attempt).await),", "Created::Unknown => Err(refused_by_upstream(app, attempt, Refused::Rejected).await),"],
    ["the echo of a create is compared with the request", "if let Err(mismatch) = check_echo(spec, &echo) {", "if let (Err(mismatch), true) = (check_echo(spec, &echo), echo.name.is_none()) {"],
    ["a record whose answer says no is looked up in the audit", "Ok(true) => Ok(Recorded::Active),", "Ok(true) => Err(error),"],
    ["an audit that cannot be read leaves the outcome unknown", "Err(_) => Err(DbError::Unknown),", "Err(_) => Err(error),"],
    ["a record with an unknown outcome changes nothing",
      "        Err(DbError::Unknown) => Err(Error::StorageUnavailable),\n        Err(DbError::Unique |", "        Err(DbError::Unknown | DbError::Unique |"],
    ["a key whose gate closed meanwhile is deleted", "Ok(Recorded::Abandoned) => Err(erase(app, attempt, &hash, true).await),", "Ok(Recorded::Abandoned) => Err(Error::ClaimSuperseded),"],
    ["a key whose row was taken over is deleted", "Ok(Recorded::Lost) => Err(erase(app, attempt, &hash, false).await),", "Ok(Recorded::Lost) => Err(Error::ClaimSuperseded),"],
    ["a pause that OpenRouter asks for applies to everybody", "(retry, Some(attempt.now.plus(i64::from(secs))))", "(retry, None)"],
  ]),

  // ------------------------------------------------------------------------------ the clients of GitHub and OpenRouter
  ...inFile("src/upstream/openrouter.rs", [
    ["BYOK counts toward the limit", "\"include_byok_in_limit\": true,", "\"include_byok_in_limit\": false,"],
    ["a create is sent only once", "let outcome = upstream.http.send(call).await;\n    if let Outcome::Unsent", "let outcome = crate::upstream::client::send_safe(upstream, call).await;\n    if let Outcome::Unsent"],
    ["a create without an answer, or with an unreadable one, has an unknown outcome", "UpstreamReply::Unknown => Created::Unknown,", "UpstreamReply::Unknown => Created::Refused(UpstreamRefusal::Rejected),"],
    ["an answer without a secret has no key to deliver", "(Some(key), echo) if !key.is_empty() => Created::Made {", "(Some(key), echo) if key.len() < 9_999 => Created::Made {"],
    ["a walk lists disabled keys too", "&include_disabled=true", ""],
    ["a switch is done only when the answer says so", "UpstreamReply::Is(key) if key.disabled == disabled => {", "UpstreamReply::Is(key) if key.disabled || !key.disabled => {"],
    ["a delete is done only when the answer says so", "UpstreamReply::Is(DeletedBody { deleted: true }) =>", "UpstreamReply::Is(DeletedBody { deleted: _ }) =>"],
  ]),
  ...inFile("src/upstream/openrouter/reply.rs", [
    ["a workspace is recognised by its id", "UpstreamReply::Is(thing) if thing.id == id => UpstreamReply::Is(()),", "UpstreamReply::Is(thing) if !thing.id.is_empty() => UpstreamReply::Is(()),"],
    ["a 5xx is not a refusal", "400..=499 => Some(UpstreamRefusal::Rejected),", "400..=599 => Some(UpstreamRefusal::Rejected),"],
    ["a 408 is not a refusal", "        408 => None,\n", ""],
    ["an error page of an intermediary proves nothing about the credential", "        _ if !answer.is_openrouters() => None,\n", ""],
    ["an error page of an intermediary proves nothing about a key", "answer.status == 404 && answer.is_openrouters()", "answer.status == 404"],
  ]),
  ...inFile("src/upstream/github.rs", [
    ["only people sign in", "if user.kind != \"User\" || user.id == 0 {", "if user.id == 0 || user.kind.is_empty() {"],
  ]),

  // ------------------------------------------------------------------------------- what owners and admins do with keys
  ...inFile("src/app/keys.rs", [
    ["a slow reading does not keep a key from being disabled", "upstream_changes::is_held_already(app, hash, session.member.as_str(), Look::Brief).await", "upstream_changes::is_held_already(app, hash, session.member.as_str(), Look::Needed).await"],
    ["the owner's disable and enable do not undo what someone else disabled", "        if switch == Switch::Off && is_held_already", "        if switch == Switch::On && is_held_already"],
    ["an enable that is refused is answered as refused", "    if disabled == Some(false) && !lifted && card.holds.iter()", "    if disabled == Some(false) && lifted && card.holds.iter()"],
    ["a hold that was lifted beside the hold leak is not a refusal", "disabled == Some(false) && !lifted && card", "disabled == Some(false) && card"],
    ["an ended key is not enabled again", "    if card.ended {\n        return Err(Error::KeyEnded);", "    if card.ended && disabled.is_none() {\n        return Err(Error::KeyEnded);"],
    ["a switch in flight is sent again at once", "due.state != switch.state() || due.row.in_flight_since.is_some()", "due.state != switch.state()"],
  ]),
  ...inFile("src/app/sync/switch.rs", [
    ["a repeated attempt leaves the switch in flight", "Done::AfterUnknown => SwitchInFlight::since(app.now()),", "Done::AfterUnknown => in_flight,"],
    ["a key that an enable in flight may reach is deleted at once", "due.delivered && !due.in_flight_since.is_some_and(lands)", "due.delivered && lands(app.now())"],
    ["a key whose spend cannot be read is deleted in the end", "|| due.attempts < READS_OF_SPEND {", "|| due.attempts >= 0 {"],
    ["a stray is deleted without waiting for its figures", "    due.delivered && !due", "    !due"],
    ["the figures of a key are read once it is disabled", "\n            UpstreamReply::Is(()) => last_figures(app, due, hash).await?,\n            other => other,", "            _ => last_figures(app, due, hash).await?,"],
    ["a key that can be neither disabled nor deleted gets the lowest limit", "\n    if matches!(\n        off,\n        UpstreamReply::Unknown | UpstreamReply::Refused(UpstreamRefusal::Rejected)\n    ) {", "    if false {"],
    ["a switch or a limit that waited too long after its mark is not sent", "    (app.now() <= send_by).then(||", "    (app.now() >= asked).then(||"],
    ["a window that may be in force is sent again", " && !in_flight.is_of_another();", ";"],
  ]),
  ...inFile("src/upstream/client.rs", [
    ["a request without an answer may still take effect", "may_land |= !matches!(&outcome, Outcome::Answer(answer) if answer.status == 429);", "may_land |= matches!(&outcome, Outcome::Answer(answer) if answer.status == 429);"],
  ]),
  ...inFile("src/store/keys/retained.rs", [
    ["spend that is found later makes the caps of siblings due", "    if retained.unread || known.spend.says_more_than(retained.known.spend) {", "    if retained.unread {"],
    ["the last spend of an expired key makes the caps of siblings due", "    if retained.unread || known", "    if known"],
    ["siblings are due only when more spend is found", "    if retained.unread || known.spend.says_more_than(retained.known.spend) {", "    if retained.unread || known.spend.lifetime.nano() >= 0 {"],
  ]),
  ...inFile("src/domain/key/purge.rs", [
    ["two readings settle the figures of a key", "const READINGS: i64 = 2;", "const READINGS: i64 = 1;"],
    ["the two readings come from different sweeps", "const APART_SECS: i64 = 300;", "const APART_SECS: i64 = 0;"],
    ["the figures settle only an hour into the next day", "const GRACE_SECS: i64 = 3_600;", "const GRACE_SECS: i64 = 0;"],
    ["a key that has spent is retained for its day", "(self.spend.lifetime == NanoUsd::ZERO || (self.erase_at <= now && is_booked))", "(self.spend.lifetime == NanoUsd::ZERO || is_booked)"],
    ["a retained key is deleted only once its figures are settled", "        self.is_settled()\n            && (self.spend", "        (self.spend"],
    ["a retained key is deleted only once its usage is booked", " && is_booked))", "))"],
  ]),
  ...inFile("src/domain/money/spend.rs", [
    ["the same amounts read on a later day say more", "            || LimitReset::Daily.starts(read_at) != LimitReset::Daily.starts(earlier.read_at)\n", ""],
    ["the higher figure of a window is kept", "figure.max(self.of(reset))", "figure.min(self.of(reset))"],
    ["a figure that fell without earlier spend does not prove a new window", "(self.read_at < surely && later.lifetime.minus(figure) >= self.lifetime)", "(self.read_at < surely && later.lifetime >= figure)"],
    ["a window has begun when its figure has fallen", "        self.of(reset) < earlier.of(reset)\n            && self", "        self.of(reset) <= earlier.of(reset)\n            || self"],
  ]),
  ...inFile("src/domain/key/hold.rs", [
    ["an admin's hold stops the owner", "Self::Admin => matches!(role, HoldRole::Owner),", "Self::Admin => false && matches!(role, HoldRole::Owner),"],
    ["a hold of the deployment stops everybody", "Self::Offboarding | Self::Leak | Self::Switch | Self::Upstream => true,", "Self::Offboarding | Self::Leak | Self::Switch | Self::Upstream => false,"],
  ]),

  // ------------------------------------------------------------------------------------------ jobs
  ...inFile("src/jobs/sweep/purge.rs", [
    ["a retained key that was found enabled is disabled and deleted", "    let was_on = !key.expired && body.disabled != Some(true);", "    let was_on = !key.expired && body.disabled.is_none();"],
    ["an expired key that is enabled is not a stray", "    let was_on = !key.expired && body", "    let was_on = body"],
    ["a retained key that was found enabled is deleted at once", "    if !was_on && !known.may_go(run.now) {", "    if !known.may_go(run.now) {"],
    ["a delete without an answer is not recorded", "\n        UpstreamReply::Unknown => return retry_later(app, run, due, counts).await,", "        UpstreamReply::Unknown => true,"],
  ]),
  ...inFile("src/jobs/sweep/due.rs", [
    ["a row that waits since an outage is tried in the next run if the first run could not record it", "    counts.note(|counts| counts.back_off_left = ended.is_err());\n", ""],
    ["an error of the database about one row concerns that row only", "Err(Halt::Storage(error)) if error != DbError::Unknown =>", "Err(Halt::Storage(error)) if error == DbError::Broken =>"],
    ["a delete with an unknown outcome does not prove that the key is gone", "\n        UpstreamReply::Missing\n        | UpstreamReply::Unknown\n        | UpstreamReply::Refused(UpstreamRefusal::Rejected)\n            if due.delivered", "\n        UpstreamReply::Unknown => crate::domain::key::purge::Removed::Deleted,\n        UpstreamReply::Missing | UpstreamReply::Refused(UpstreamRefusal::Rejected)\n            if due.delivered"],
    ["a key that may be enabled is tried in every run", "            return failed(app, run, due, FIRST_WAIT_SECS, counts).await;", "            return retry_later(app, run, due, counts).await;"],
    ["a postponed row waits no longer once a change is answered", "    if is_first && run.begun.writes_failed {", "    if is_first && false {"],
    ["the spend of an expired key is read before it is closed", "Reply::Is(spend) => spend.read_at(run.now),", "Reply::Is(spend) => spend.read_at(run.now).filter(|_| false),"],
    ["spend that cannot be read is read again", "Reply::Unknown if due.attempts < READS_OF_SPEND => {", "Reply::Unknown if due.attempts < 0 => {"],
    ["each failed revoke waits longer", "FIRST_WAIT_SECS.saturating_mul(2_i64.saturating_pow(doubled))", "FIRST_WAIT_SECS.saturating_mul(1_i64.saturating_pow(doubled))"],
    ["a revoke that failed six times is stuck and reported", "    if attempts == GIVE_UP_AFTER\n", "    if attempts < 0\n"],
    ["a refused row waits while other rows are tried", "    postpone(app, run, due, due.attempts, FIRST_WAIT_SECS, counts).await?;\n    counts.refusal(refused)", "    counts.refusal(refused)"],
  ]),
  ...inFile("src/jobs/sweep/rows.rs", [
    ["a hold that is set and lifted does not undo what someone else disabled", "if let (Switch::Off, Some(looks)) = (switch, looks) {", "if let (Switch::On, Some(looks)) = (switch, looks) {"],
    ["revokes come before caps", "\n    Step::Revoke,\n    Step::Expire,", "\n    Step::Cap,\n    Step::Revoke,\n    Step::Expire,"],
  ]),
  ...inFile("src/jobs/sweep/looks.rs", [
    ["a key that is on no page of the list is read before it is disabled", "            None if self.reads.get() > 0 => {", "            None if self.reads.get() > 9_999 => {"],
  ]),
  ...inFile("src/jobs/sweep/switches.rs", [
    ["a switch whose answer was lost is tried in every run", "            return retry_next_run(app, run, due, counts).await;", "            return retry_later(app, run, due, counts).await;"],
  ]),
  ...inFile("src/app/runs.rs", [
    ["a job's clock is never ahead of the real time", "let now = scheduled.min(clock);", "let now = scheduled;"],
    ["a replayed run acts at its own scheduled time", "let now = scheduled.min(clock);", "let now = clock;"],
    ["a run renews its lease while it works", "        if now < self.leased_at.get().plus(every) {", "        if now > Timestamp::from_secs(0) {"],
    ["a run that died does not keep the next trigger from running", "const SHORT_LEASE_SECS: i64 = 60;", "const SHORT_LEASE_SECS: i64 = 540;"],
  ]),
  ...inFile("src/jobs/sweep/strays.rs", [
    ["the brake is checked before any deletion", "if twins.max(enabled.clone().count()) > BRAKE {", "if twins > BRAKE {"],
    ["the brake counts twins", "if twins.max(enabled.clone().count()) > BRAKE {", "if enabled.clone().count() > BRAKE {"],
    ["a twin is deleted only if the recorded key exists", "Verdict::DeleteTwin => has_its_own(app, &row).await,", "Verdict::DeleteTwin => has_its_own(app, &row).await || true,"],
    ["a marker is looked up once more before it is disabled", "    if strays::by_name(&*app.db, key.name()).await?.is_some() {", "    if strays::by_name(&*app.db, key.name()).await?.is_some() && key.hash.is_empty() {"],
    ["a stray whose delete has an unknown outcome is not forgotten", "\n        UpstreamReply::Is(()) | UpstreamReply::Missing => {}\n        ", "        UpstreamReply::Is(()) | UpstreamReply::Missing | UpstreamReply::Unknown => {}\n"],
    ["a marker that could not be disabled is not forgotten", "        UpstreamReply::Missing | UpstreamReply::Unknown => counts.one(|counts| &mut counts.errors),", "        UpstreamReply::Missing | UpstreamReply::Unknown => {}"],
  ]),
  ...inFile("src/jobs/sweep.rs", [
    ["nothing is concluded from the answers of another account", "        return Err(halt);\n    }\n    if let Err(error) = closure", "    }\n    if let Err(error) = closure"],
    ["a key that must be disabled is tried while the account is unknown", "        if matches!(halt, Halt::Upstream) {", "        if false {"],
    ["a sweep remembers where the audit ended", "        watch::end(app, &watch).await?;\n", "        let _left = &watch;\n"],
    ["a held key is disabled on a restored database too", "[Step::Switch(Switch::Off), Step::DisableOnly]", "[Step::DisableOnly]"],
    ["a key that is to be revoked is disabled on a restored database too", "[Step::Switch(Switch::Off), Step::DisableOnly]", "[Step::Switch(Switch::Off)]"],
    ["only a run without errors moves the start of the look-back", "Ok(()) if counts.errors > 0 =>", "Ok(()) if counts.errors > 9_999 =>"],
    ["absence requires the whole list", "back_to: (!place.unsettled).then(|| walk::look_back(run)),", "back_to: Some(walk::look_back(run)),"],
    ["only a walk that reached the end concludes absence", "    if end == End::Empty {\n        let began", "    if end != End::Broken {\n        let began"],
    ["each of many workspaces is walked in turn", "places.split_off(next);", "places.split_off(0);"],
    ["absence is judged by the beginning of the walk", "let began = Timestamp::from_secs(position.began).min(run.now);", "let began = run.now;"],
  ]),
  ...inFile("src/jobs/sweep/counts.rs", [
    ["one row's refusal stops no other row", "const REFUSALS: u32 = 3;", "const REFUSALS: u32 = 1;"],
  ]),
  ...inFile("src/jobs/walk.rs", [
    ["a workspace that was read is not named any more", "    if was_read == Some(true) && run.begun.any_unread {", "    if false {"],
    ["a page that does not come makes its workspace unread", "            End::Paused(_) if self.is_stalled(began_at) => Some(false),", "            End::Paused(_) if false => Some(false),"],
    ["a walk looks an hour further back than the last clean one", "const LOOK_BACK_SECS: i64 = 3_600;", "const LOOK_BACK_SECS: i64 = -3_600;"],
    ["an empty page must overlap with the page before it too", "        if !meets(&position, &page) {", "        if !meets(&position, &page) && !page.is_empty() {"],
    ["consecutive pages must overlap", "        if !meets(&position, &page) {", "        if !meets(&position, &page) && page.is_empty() {"],
    ["a short page is not the end of the list",
      "        position.page = Some(digest);\n        let ours = page\n            .into_iter()\n            .filter(|key| key.name().starts_with(plan.marker));\n        walked\n            .ours\n            .extend(ours.filter(|key| seen.insert(key.hash.clone())));\n",
      "        position.page = Some(digest);\n        let short = page.len() < 100;\n        let ours = page\n            .into_iter()\n            .filter(|key| key.name().starts_with(plan.marker));\n        walked\n            .ours\n            .extend(ours.filter(|key| seen.insert(key.hash.clone())));\n        if short {\n            walked.end = End::Empty;\n            return (position, walked);\n        }\n"],
    ["a page without an answer concludes nothing", "\n            UpstreamReply::Unknown => return (position, walked),", "            UpstreamReply::Unknown => {\n                walked.end = End::Empty;\n                return (position, walked);\n            }"],
    ["a list of keys that repeats itself ends the walk", "        if position.page.as_ref() == Some(&digest) {", "        if position.page.as_ref() == Some(&digest) && false {"],
    ["a listed key whose time cannot be read does not count as old", "key.created().is_some_and(|created| created < bound)", "key.created().is_none_or(|created| created < bound)"],
  ]),

  // ------------------------------------------------------------------------------------------ requests
  ...inFile("src/http/server/pipeline.rs", [
    ["a caller's request id has only plain characters", "header(inbound, \"x-request-id\").filter(plain)", "header(inbound, \"x-request-id\").filter(|id| !id.is_empty())"],
    ["an unknown route is not found", "    if !(route.when)(&app.config) {", "    if false {"],
    ["an admin's route requires a session", ".ok_or(Error::NotFound)?;\n            look_up_within_limit", ".ok_or(Error::SignInRequired)?;\n            look_up_within_limit"],
    ["the rate limiter counts an ended session apart from its member's others", "format!(\"{} {}\", session.member, session.epoch)", "session.member.to_string()"],
    ["an unknown address reads the session like an admin's route",
      "        if let Err(error) = look_up_within_limit(app, &session).await {", "        if session.epoch < 0\n            && let Err(error) = look_up_within_limit(app, &session).await\n        {"],
    ["a change names the member for whom its page was made", "page_of.ok_or(Error::AccountNotNamed)?", "page_of.unwrap_or_else(|| member.unwrap_or_default().to_owned())"],
    ["a page that was made for another member changes nothing", "if member != Some(page_of.as_str()) {", "if page_of.is_empty() {"],
    ["an admin page of another member says so before it answers 404", "Some(page_of) if page_of != session.member.as_str() => Error::AccountChanged,", "Some(page_of) if page_of.is_empty() => Error::AccountChanged,"],
    ["every unsafe method is checked for its origin", "    } else if route.method.is_unsafe() {\n            same_origin(app, &inbound)?;", "    } else if route.method.is_unsafe() && route.who == Who::Admin {\n            same_origin(app, &inbound)?;"],
    ["an admin's unsafe methods are checked for their origin too", "    } else if route.method.is_unsafe() {\n            same_origin(app, &inbound)?;", "    } else if route.method.is_unsafe() && route.who != Who::Admin {\n            same_origin(app, &inbound)?;"],
    ["a route counts against its limits", "            within(app, *limit, who).await?;", "            let _counted = within(app, *limit, who).await;"],
  ]),
  ...inFile("src/http/server/finish.rs", [
    ["HEAD sets no cookie", "!without_body || *name != \"set-cookie\"", "!without_body || !name.is_empty()"],
  ]),
  ...inFile("src/app/auth.rs", [
    ["an admin's route answers everyone else as an unknown route", "Ok(Some(member).filter(|member| is_admin(app, member)))", "Ok(Some(member))"],
  ]),
  ...inFile("src/http/server/checks.rs", [
    ["HEAD on a step of a sign-in does nothing", "inbound.method() == http::Method::HEAD {", "inbound.method() == http::Method::OPTIONS {"],
    ["documents on another host are redirected to ours", "    if host.eq_ignore_ascii_case(ours.host()) {", "    if !host.is_empty() {"],
    ["an unsafe method requires our own Origin", "    if origin && site {", "    if site {"],
    ["an unsafe method requires Fetch-Metadata of our own pages", "    if origin && site {", "    if origin {"],
    ["a body needs its content type", "Takes::Json(_) if !is_json => Err(Error::UnsupportedMediaType),", "Takes::Json(_) if !is_json && kind.len() > 99 => Err(Error::UnsupportedMediaType),"],
    ["a body is not larger than its limit", "Takes::Json(max) if length > max => Err(Error::BodyTooLarge),", "Takes::Json(max) if length > max.saturating_mul(99) => Err(Error::BodyTooLarge),"],
  ]),
  ...inFile("src/http/admin/plans.rs", [
    ["a plan names a workspace that exists", "Answer::Missing | Answer::Refused(UpstreamRefusal::Rejected) => unknown,", "Answer::Missing | Answer::Refused(UpstreamRefusal::Rejected) => Ok(()),"],
  ]),
  ...inFile("src/http/api/claim.rs", [
    ["only the terms in force can be accepted", "Some(REVISION) => Ok(true),", "Some(1..) => Ok(true),"],
  ]),
  ...inFile("src/http/server/attempts.rs", [
    ["a browser has at most five attempts", "const MOST: usize = 5;", "const MOST: usize = 500;"],
    ["a sign-in returns to the browser that began it", "bool::from(pending.state.as_bytes().ct_eq(state.as_bytes()));", "bool::from(pending.state.as_bytes().ct_eq(state.as_bytes())) || true;"],
    ["a sign-in attempt lasts ten minutes", "context.app.now() < Timestamp::from_secs(pending.expires_at);", "context.app.now() < Timestamp::from_secs(pending.expires_at) || true;"],
    ["an attempt comes back from its own provider", "(in_time && pending.provider == provider).then_some(pending)", "in_time.then_some(pending)"],
    ["a ticket is for the browser that asked for it", "bool::from(pending.proof().as_bytes().ct_eq(proof.as_bytes()));", "bool::from(pending.proof().as_bytes().ct_eq(proof.as_bytes())) || true;"],
  ]),
  ...inFile("src/http/auth/conclude.rs", [
    ["a repeated callback continues only in a current session", "if why == SignInRefusal::State && is_signed_in(context).await {", "if why == SignInRefusal::State && context.session.is_some() {"],
    ["a state that was used before signs nobody in", "Ok(SignedIn::Replayed) => Err(SignInRefusal::State),", "Ok(SignedIn::Replayed) => Err(SignInRefusal::Blocked),"],
    ["an admin's address is that of the Workspace that manages the account", "(of_address == domain && app.config", "(!of_address.is_empty() && app.config"],
  ]),
  ...inFile("src/http/auth.rs", [
    ["GitHub's token is revoked after its use", "\n            github::revoke(&upstream, oauth, &token).await;", ""],
    ["an answer of Google names no other issuer", ".is_some_and(|iss| iss != google::ISSUER)", ".is_some_and(|iss| iss.is_empty())"],
  ]),
  ...inFile("src/http/auth/relay.rs", [
    ["a ticket is for one preview", "(is_ours && lasts).then_some(ticket)", "lasts.then_some(ticket)"],
    ["a ticket lasts a minute", "(is_ours && lasts).then_some(ticket)", "is_ours.then_some(ticket)"],
    ["a preview is on the list when the ticket is made", "Relay::For(trusted) => trusted.find(&to.origin),", "Relay::For(_) => Origin::parse(&to.origin),"],
    ["a preview is on the list when the sign-in begins", "let origin = trusted.find(&origin).ok_or(UnknownPreview)?;", "let origin = Origin::parse(&origin).filter(|_| *trusted == *trusted).ok_or(UnknownPreview)?;"],
  ]),
  ...inFile("src/crypto/id_token.rs", [
    ["a token is signed with RS256", "(header.alg == ALGORITHM && header.crit.is_none())", "(!header.alg.is_empty() && header.crit.is_none())"],
    ["a token has a size", "if token.len() > MAX_BYTES {", "if token.len() > MAX_BYTES * 9 {"],
    ["a token is of Google", "ISSUERS.contains(&self.iss.as_str())", "!self.iss.is_empty()"],
    ["a token is for our client", "&& self.aud == expected.client_id", "&& !self.aud.is_empty()"],
    ["a token was made for our client", ".is_none_or(|azp| azp == expected.client_id)", ".is_none_or(|azp| !azp.is_empty())"],
    ["a token is of this sign-in", "&& bool::from(nonce)", "&& (bool::from(nonce) || true)"],
    ["a token ends", "&& now < ends.plus(SKEW_SECS)", ""],
    ["a token is not of the future", "issued <= now.plus(SKEW_SECS)", "issued <= now.plus(SKEW_SECS * 9)"],
    ["a token does not last for days", "&& ends <= now.plus(LONGEST_SECS).plus(SKEW_SECS)", ""],
    ["an address is verified", "if claims.email_verified != Value::Bool(true) && claims.email_verified != \"true\" {", "if claims.email_verified == Value::Null {"],
  ]),
  ...inFile("src/app/google.rs", [
    ["a token is signed by the key that it names", "if is_signed != Ok(true) {", "if is_signed.is_err() {"],
  ]),
  ...inFile("src/upstream/google_keys.rs", [
    ["an unknown key is asked for at most once a minute", "const ASK_AGAIN_SECS: i64 = 60;", "const ASK_AGAIN_SECS: i64 = 0;"],
    ["old keys are used for a day", "const STALE_SECS: i64 = 86_400;", "const STALE_SECS: i64 = 864_000;"],
  ]),

  // ------------------------------------------------------------------------------------------ hand-offs
  ...inFile("src/app/handoff.rs", [
    ["a browser that comes back brings its own state", "if !bool::from(own.state().as_bytes().ct_eq(back.state.as_bytes())) {", "if back.state.is_empty() {"],
    ["a browser comes back to the provider at which it began, while that is enabled", "HandoffStatus::Pending if is_its => {}", "HandoffStatus::Pending => {}"],
    ["the code that is typed is the one that is shown", "bool::from(code.as_bytes().ct_eq(typed.as_bytes()))", "code.len() == typed.len()"],
    ["a wrong code is counted", "begun::count_wrong_code(&*app.db, &act).await?", "find(app, own).await?"],
    ["a hand-off whose codes were all wrong leaves nothing in KV", "            forget(app, &found).await;\n            Err(HandoffRefusal::Burnt.into())", "            Err(HandoffRefusal::Burnt.into())"],
    ["only the request that took a hand-off exchanges", "    if !is_ours {", "    if !is_ours && found.status(now) != HandoffStatus::Redeeming {"],
    ["what was exchanged is deleted from KV", "    drop(value);\n    forget(app, &found).await;", "    drop(value);"],
    ["an exchange of which nothing is known is told as that", "failed(app, own, &taken, false).await?;\n            Err(HandoffRefusal::Unknown.into())", "failed(app, own, &taken, true).await?;\n            Err(HandoffRefusal::Declined.into())"],
    ["a key that cannot be recorded is handed to nobody", "Ok(None) | Err(StoreError::Db(_)) => HandoffRefusal::Unknown.into(),\n        Err(error) => error.into(),\n    };\n    failed(app, own, taken, false).await?;", "Ok(None) | Err(StoreError::Db(_)) => HandoffRefusal::Unknown.into(),\n        Err(error) => error.into(),\n    };"],
  ]),
  ...inFile("src/domain/people/handoff.rs", [
    ["a hand-off lasts ten minutes", "pub const HANDOFF_SECS: i64 = 600;", "pub const HANDOFF_SECS: i64 = 660;"],
    ["an exchange that never told how it ended is unknown after five minutes", "pub const SETTLED_WITHIN_SECS: i64 = 300;", "pub const SETTLED_WITHIN_SECS: i64 = 900;"],
    ["a hand-off with less than KV's shortest life left is expired", "HandoffState::Pending if facts.expires_at.since(now) < needed_secs => Self::Expired,", "HandoffState::Pending if facts.expires_at <= now => Self::Expired,"],
  ]),
  ...inFile("src/crypto/seal.rs", [
    ["a sealed value ends", "    if now.secs() >= ends {", "    if false {"],
    ["a sealed value opens with the verifier of one browser", 'hmac_hex(key, "verifier", self.verifier)?', 'hmac_hex(key, "verifier", "")?'],
  ]),
  ...inFile("src/upstream/billing/provider.rs", [
    ["an error page of something on the way is no refusal", " && !answer.content_type.starts_with(\"text/html\")", ""],
    ["a provider that took too long has not refused", "400..=499 if answer.status != 408 &&", "400..=499 if"],
  ]),

  // ------------------------------------------------------------------------------------------ device grants
  ...inFile("src/app/device.rs", [
    ["a member who guessed too often is told nothing of a code", "    if is_over {", "    if is_over && found.is_none() {"],
    ["a code that is too old shows nothing", "    if waits && !is_open(found.state, found.expires_at, typed.now) {", "    if false {"],
    ["the rules of a claim are asked at the approval", "    may_claim(app, typing.session, &approval).await?;\n", ""],
    ["a member who has a key is told so at the approval", "        Some(Refusal::Exists) => return Err(DeviceRefusal::HasKey.into()),", "        Some(Refusal::Exists) => {}"],
    ["only the question that took the grant makes a key", "    if grant.state == DeviceState::Redeemed && grant.change == question.change.as_str() {", "    if grant.state == DeviceState::Redeemed {"],
    ["a grant that took too long is expired", "    let why = if waits && !is_open(grant.state, grant.expires_at, question.now) {", "    let why = if false {"],
    ["a terminal that asks too often is told to slow down", "    } else if waits && grant.was_early {", "    } else if false {"],
    ["a mint of which nothing is known is not told as a failure", "    if makes_no_key(&why) {", "    if true {"],
    ["a question that made no key ends its grant", "        failed(app, question, &member, &why).await?;", "        let _: (&DeviceQuestion<'_>, &PublicId) = (&question, &member);"],
    ["the terms that were accepted with the approval are accepted with the claim", "claim::claim(app, session, None, grant.accepts_terms, workspace).await;", "claim::claim(app, session, None, false, workspace).await;"],
    ["the key is made in the workspace that was chosen at the approval", "claim::claim(app, session, None, grant.accepts_terms, workspace).await;", "claim::claim(app, session, None, grant.accepts_terms, workspace.filter(|_| false)).await;"],
  ]),
  ...inFile("src/domain/people/device.rs", [
    ["a grant lasts ten minutes", "pub const GRANT_SECS: i64 = 600;", "pub const GRANT_SECS: i64 = 660;"],
    ["each early question adds five seconds", "pub const INTERVAL_SECS: i64 = 5;", "pub const INTERVAL_SECS: i64 = 6;"],
    ["a question may come a second early, and no more", "pub const SLACK_SECS: i64 = 1;", "pub const SLACK_SECS: i64 = 2;"],
    ["ten thousand grants wait at most", "pub const OPEN_GRANTS: i64 = 10_000;", "pub const OPEN_GRANTS: i64 = 10_001;"],
    ["a member types twenty wrong codes a day at most", "pub const WRONG_CODES_A_DAY: i64 = 20;", "pub const WRONG_CODES_A_DAY: i64 = 21;"],
    ["what a terminal says about itself is short", "const NAME_CHARS: usize = 64;", "const NAME_CHARS: usize = 65;"],
  ]),
  ...inFile("src/store/devices/asked.rs", [
    ["a grant is forgotten after a day", "const FORGOTTEN_AFTER_SECS: i64 = 86_400;", "const FORGOTTEN_AFTER_SECS: i64 = 864_000;"],
  ]),
  ...inFile("src/http/server/checks.rs", [
    ["a page cannot ask what terminals ask", 'if headers.contains_key("origin") || headers.contains_key("sec-fetch-site") {', 'if headers.contains_key("origin") {'],
    ["no page of ours asks what terminals ask either", 'if headers.contains_key("origin") || headers.contains_key("sec-fetch-site") {', 'if headers.contains_key("sec-fetch-site") {'],
  ]),
  ...inFile("src/app/error/oauth.rs", [
    ["a rule that refuses is an error of OAuth", "            _ => 400,\n        }\n    }\n\n    const fn oauth_error", "            status => status,\n        }\n    }\n\n    const fn oauth_error"],
  ]),

  // ---------------------------------------------------------------------------------- alarms and the nightly reconcile
  ...inFile("src/app/claim/restrictions.rs", [
    ["only a count of one confirms a new assignment", "\n        reply => reply == UpstreamReply::Is(1),", "        reply => matches!(reply, UpstreamReply::Is(_) | UpstreamReply::Unknown),"],
    ["an assignment that was not confirmed is looked up in the guardrail's list", "\n            of_key(&app.upstream(), Some(guardrail), hash, 0).await\n                == UpstreamReply::Is(AssignmentSearch::Has(Some(guardrail.to_owned())))", "            guardrail != hash"],
  ]),
  ...inFile("src/http/server/context.rs", [
    ["a repeated request writes the same rows", "derived_id(kind, &taking.seed, of)", "derived_id(kind, &taking.nonce, of)"],
  ]),
  ...inFile("src/http/server/idempotency.rs", [
    ["a request that may have been done keeps its key from other requests", "        Err(Error::StorageUnavailable | Error::Internal) => {\n            idempotency::release_for_retry(&*app.db, &keyed).await", "        Err(Error::StorageUnavailable | Error::Internal) => {\n            idempotency::release(&*app.db, &keyed).await"],
    ["another request under a used Idempotency-Key is refused", "        Taken::AnotherRequest => return Err(Error::IdempotencyMismatch),", "        Taken::AnotherRequest => {}"],
    ["a repeated request waits while the first is in progress", "        Taken::UnderWay => return Err(Error::RequestInProgress),", "        Taken::UnderWay => {}"],
    ["a repeated request gets the first answer", "        Taken::Answered { status, body } => return given_again(status, body.as_deref()),", "        Taken::Answered { .. } => {}"],
    ["a repeated request whose answer was lost learns that its key was made", "        Taken::Made { key } => return lost(&context, &key).await,", "        Taken::Made { .. } => {}"],
    ["a failure is not remembered", "        Err(_) => idempotency::release(&*app.db, &keyed).await,", "        Err(_) => Ok(()),"],
    ["an Idempotency-Key belongs to one method and path", "[line.as_bytes(), body].concat()", "[&line.as_bytes()[..0], body].concat()"],
    ["an Idempotency-Key belongs to one body", "[line.as_bytes(), body].concat()", "[line.as_bytes(), &body[..0]].concat()"],
    ["every change takes an Idempotency-Key", "route.method.is_unsafe() && route.who != Who::Anyone", "route.method.is_unsafe() && route.who == Who::Member"],
  ]),
  ...inFile("src/app/sync/absence.rs", [
    ["a 404 counts only if our own workspace is found with the same credential", "Ok(account.may_conclude\n        && workspaces::read(&app.upstream(), workspace_id).await == UpstreamReply::Is(()))", "Ok(account.may_conclude)"],
    ["nothing is concluded while the account or the database is suspect", "Ok(account.may_conclude\n        && workspaces", "Ok(workspaces"],
    ["a 404 that may belong to another account has an unknown outcome", "\n        return Ok(UpstreamReply::Unknown);", "        return Ok(UpstreamReply::Missing);"],
    ["a key that is gone is recorded as missing at once", "\n    record(app, &due.public_id, actor).await?;\n    Ok(UpstreamReply::Missing)", "    Ok(UpstreamReply::Missing)"],
  ]),
  ...inFile("src/app/sync/switch.rs", [
    ["a key that is gone at OpenRouter counts as disabled", "\n        UpstreamReply::Missing if switch == Switch::Off => (SwitchInFlight::NONE, None),\n        ", ""],
  ]),
  ...inFile("src/upstream/openrouter/workspaces.rs", [
    ["all pages of workspaces are read", "&offset={}\", listing.workspaces.len());", "&offset={}\", listing.workspaces.len().saturating_add(1));"],
    ["a list of workspaces that shows nothing new is stopped", "        if listing.workspaces.len() == known {", "        if known == usize::MAX {"],
    ["a list of workspaces that was stopped is not complete", "        is_whole: false,", "        is_whole: true,"],
  ]),
  ...inFile("src/http/admin/workspaces.rs", [
    ["a workspace is enabled once", "        if wanted.iter().any(|known| known.upstream_id == *id) {", "        if false {"],
    ["a list that broke off names no wrong id", "            return Err(if listing.is_whole {", "            return Err(if true {"],
    ["a workspace that a broken list lacks is not said to be gone", "        at_openrouter: listing.is_whole.then_some(false),", "        at_openrouter: Some(false),"],
  ]),
  ...inFile("src/jobs/watch.rs", [
    ["a job works only with the database of its own origin", "        Some(_) => Err(Halt::ForeignInstance),", "        Some(_) => Ok(true),"],
    ["a suspicion stays until it is accepted", "    if run.begun.restored {", "    if false {"],
    ["another row in the same place is another history", "let other_row = head.then.as_deref() != Some(self.change_id.as_str());", "let other_row = head.then.is_none();"],
    ["a mark from before an acceptance proves nothing", "(self.since == head.since && other_row)", "other_row"],
    ["a mark from after a forgotten acceptance proves a restore", "self.since > head.since || ", ""],
    ["the mark is left alone when KV does not answer", "        return Ok(None);", "        return Ok(Some(Watch { name, mark: None }));"],
    ["a database that was replaced meanwhile is not remembered", "before == Some(&mark) || before.is_some_and(|before| before.is_lost(&head))", "before == Some(&mark)"],
    ["another account raises the alarm", "            alarms::account_lost(&*app.db, run.job, since, &change(app)?, run.now).await?;\n", "            let _left = since;\n"],
  ]),
  ...inFile("src/domain/key/drift.rs", [
    ["an expired key has no drift", "    if wanted.expires_at <= now {", "    if false {"],
    ["a switch in flight is not a drift", "wanted.switch_in_flight || off == ", "off == "],
    ["a limit that was sent may be in force", "(wanted.limit_sent.is_some() && seen.limit == wanted.limit_sent)", "false"],
    ["a missing limit is a drift", "(Drift::Limit, in_force),", "(Drift::Limit, in_force || seen.limit.is_none()),"],
    ["BYOK that does not count is a drift", "(Drift::Byok, seen.include_byok_in_limit == Some(true)),", "(Drift::Byok, true),"],
    ["a key that is enabled after its end is a drift", "    if ended && !off && !wanted.switch_in_flight {", "    if false && ended {"],
  ]),
  ...inFile("src/app/sync/upstream_changes.rs", [
    ["a dry run corrects nothing", "let applied = acts && apply(", "let applied = apply("],
    ["a change by keycap between two readings of the row stops the conclusion", "    if row != before {", "    if false {"],
  ]),
  ...inFile("src/domain/key/drift.rs", [
    ["a key that someone else disabled is held", "(Drift::Disabled, _) if shows => Remedy::Hold,", "(Drift::Disabled, _) if shows => Remedy::SwitchAgain,"],
    ["a recent change by keycap may not be visible yet", "let shows = wanted.changed_at.plus(SHOWS_WITHIN_SECS) <= now;", "let shows = now >= wanted.changed_at;"],
    ["a lower limit that someone else set is kept", "                Remedy::KeepLimit(limit)", "                Remedy::LimitAgain"],
    ["nothing is concluded from a limit that keycap may have sent", "if wanted.limit_sent.is_some() || !shows {", "if !shows {"],
    ["a limit of zero counts as disabled", "} else if limit < NanoUsd::CENT {", "} else if limit > wanted.limit {"],
  ]),
  ...inFile("src/app/sync/limit.rs", [
    ["a key is read before its limit is raised", "    if differs(&cap, &basis) && !basis.sent {", "    if lowers(&cap, &basis) && !basis.sent {"],
    ["a key is read before its limit is lowered", "    if differs(&cap, &basis) && !basis.sent {", "    if differs(&cap, &basis) && !lowers(&cap, &basis) && !basis.sent {"],
    ["a limit is lowered even when nothing can be read", "            _ if is_less => {}\n", ""],
    ["a request does not wait for a slow reading", "        if app.now() >= began.plus(AT_ONCE_SECS) {\n            return false;", "        if app.now() < began {\n            return false;"],
    ["a request reads only some keys", "caps::to_read(&*app.db, owner, prepays, KEYS_AT_ONCE)", "caps::to_read(&*app.db, owner, prepays, 100)"],
    ["a request waits for only some keys", "const KEYS_AT_ONCE: usize = 10;", "const KEYS_AT_ONCE: usize = 100;"],
  ]),
  ...inFile("src/jobs/reconcile/compare.rs", [
    ["a dry run leaves strays alone", "    if cursor.counts.dry_run {\n        return Ok(());", "    if false {\n        return Ok(());"],
    ["a dry run records nothing as missing", "    if !dry_run {\n        absence::record(", "    {\n        absence::record("],
    ["a key that is found again is not missing", "                    if row.missing {", "                    if row.missing && cursor.counts.dry_run {"],
  ]),
  ...inFile("src/jobs/reconcile.rs", [
    ["only a 404 of our own account makes a key missing", "Reply::Missing if absence::is_gone(app, due.workspace_id.as_deref()).await? => {", "Reply::Missing => {"],
    ["a reconcile run concludes nothing from the answers of another account", "    watch::our_account(app, run).await?;\n", ""],
    ["a reconcile run does nothing on a restored database", "    watch::begin(app, run).await?;\n", ""],
    ["the whole list is walked", "        back_to: None,", "        back_to: Some(run.now),"],
    ["an unfinished run continues where it stopped", "    (cursor.began() > run.now.plus(-STALE_SECS)).then_some(cursor)", "    (cursor.began() > run.now).then_some(cursor)"],
    ["an unreadable cursor starts a dry run", "cursor.unwrap_or_else(|| Cursor::new(true, run.now));", "cursor.unwrap_or_else(|| Cursor::new(false, run.now));"],
    ["a run that dies has stored its place", "        keep(app, run, cursor).await?;\n    }\n    if cursor.broken", "    }\n    if cursor.broken"],
    ["a difference that is gone is closed", "        rows::close(&*app.db, cursor.began()).await?;", "        rows::close(&*app.db, Timestamp::from_secs(0)).await?;"],
    ["all workspaces are walked", "        places.pop();", "        places.clear();"],
  ]),
  // ------------------------------------------------------------------------------------------ guardrails
  ...inFile("src/store/keys/guardrails.rs", [
    ["a guardrail that was sent earlier may still take effect", "self.sent_at.filter(lands)", "self.sent_at.filter(|at| !lands(at))"],
  ]),
  ...inFile("src/app/sync/guardrail.rs", [
    ["a guardrail in flight is sent again", " && !basis.guardrail_sent {", " {"],
    ["an assignment that was not confirmed is looked up", "\n                UpstreamReply::Is(AssignmentSearch::Has(has)) => has,", "                UpstreamReply::Is(AssignmentSearch::Has(_)) => None,"],
    ["an unconfirmed assignment is in force only if the list says so", "(Some(has), Some(wanted)) if has == wanted =>", "(_, Some(_)) =>"],
    ["a guardrail in flight is looked up when none is on record", "None if basis.guardrail_sent => UpstreamReply::Missing,", "None if basis.guardrail_sent => UpstreamReply::Is(0),"],
    ["a guardrail in flight gives way to the one on record", "match wanted.or(may_be_in_force) {", "match wanted {"],
    ["a guardrail that may still be overtaken is sent again", "Ok(UpstreamReply::Is(in_flight.again(now)))", "Ok(UpstreamReply::Is(None))"],
    ["a guardrail that was deleted holds no key", "UpstreamReply::Missing => openrouter::read_key(upstream, hash)\n                    .await\n                    .map(|_| Sent::Confirmed),", "UpstreamReply::Missing => UpstreamReply::Missing,"],
    ["nothing is concluded when the key does not exist either", "UpstreamReply::Missing => openrouter::read_key(upstream, hash)\n                    .await\n                    .map(|_| Sent::Confirmed),", "UpstreamReply::Missing => UpstreamReply::Is(Sent::Confirmed),"],
  ]),
  ...inFile("src/upstream/openrouter/guardrails.rs", [
    ["an id that cannot be part of a URL is not a guardrail", " && guardrail.bytes().all(plain)", ""],
    ["a guardrail is sent only once", "openrouter::read(&upstream.http.send(call).await)", "openrouter::read(&crate::upstream::client::send_safe(upstream, call).await)"],
    ["a guardrail is removed only when the answer says so", "    unassigned_count: i64,", "    #[serde(default)]\n    unassigned_count: i64,"],
    ["both ends of a long list are read", "            seen = seen.max(", "            seen = seen.min("],
    ["a long list is read beyond its first page", "seen = seen.saturating_add(rows.len());", "seen = rows.len().saturating_sub(rows.len());"],
  ]),
  ...inFile("src/http/admin/plans.rs", [
    ["a new plan names a guardrail that exists", "\n    guardrail::must_be_there(&context.app, terms.guardrail()).await?;\n    let by = change(&context, &session)?;\n    match", "    let by = change(&context, &session)?;\n    match"],
    ["a changed plan names a guardrail that exists", "\n    guardrail::must_be_there(&context.app, terms.guardrail()).await?;\n    let by = change(&context, &session)?;\n    let name", "    let by = change(&context, &session)?;\n    let name"],
  ]),
  // ------------------------------------------------------------------------------------------ rotations
  ...inFile("src/app/rotate/leak.rs", [
    ["a leaked key is disabled without waiting for a slow reading", "let looked_at = looked_at(app, &attempt, &facts.old, Look::Brief).await;", "let looked_at = looked_at(app, &attempt, &facts.old, Look::Needed).await;"],
    ["a found secret that is being revoked is revoked at once", "\n        Some(row) => keys::remove(app, session.member.as_str(), row).await,", "        Some(_) => false,"],
    ["a found secret that is being revoked leaves its successor alone", "    if found.live && found.being_removed.is_none() {", "    if found.live {"],
    ["a leak within a grace revokes the older generation at once", "    if let Some(older) = &facts.older {", "    if let (Some(older), true) = (&facts.older, false) {"],
  ]),
  ...inFile("src/app/rotate.rs", [
    ["a rotation that sent nothing restores nothing", "        let _: Result<bool, DbError> = release(app, &attempt, request.key).await;\n", "        release_rotation_lock(app, &attempt, request.key, &facts.old).await;\n"],
    ["a failed rotation enables the old generation at once", "    if freed == Ok(true) {", "    if freed == Err(crate::ports::DbError::Broken) {"],
    ["the successor gets what the old generation's lowered limit leaves", "            count_old_as(decision, to, spent);\n", ""],
    ["spend before the limit is lowered is not given to the successor", "            count_old_as(decision, to, spent);\n", "            (decision.siblings.iter_mut().filter(|old| old.same_key && old.ended_at.is_none())).for_each(|old| old.cap = to);\n            drop(spent);\n"],
  ]),
  ...inFile("src/app/rotate/shares.rs", [
    ["a split leaves out what was spent before the payments", "        LimitReset::None => before,\n", "        LimitReset::None => NanoUsd::ZERO,\n"],
    ["the limit of a prepaid split starts at the spend before it", ".map(|to| before.plus(to))", ""],
    ["a limit of another window is not split", "    if facts.limit_reset != reset {", "    if facts.limit.nano() < 0 {"],
    ["a lowered limit proves nothing about the spend before it", "    (old.cap, old.usage) = (cap, Some(spent));\n", "    (old.cap, old.usage) = (cap, None);\n"],
  ]),
  ...inFile("src/app/rotate/steps.rs", [
    ["a leaked key is disabled whatever the reading before it found", "    let old = disable_old(app, attempt, &facts.old).await?;\n    looked_at?;\n", "    looked_at?;\n    let old = disable_old(app, attempt, &facts.old).await?;\n"],
  ]),
  ...inFile("src/domain/key/rotation.rs", [
    ["a split requires two cents", "    if rest < NanoUsd::CENT.plus(NanoUsd::CENT) {", "    if rest < NanoUsd::CENT {"],
    ["a split never raises the limit of the old generation", "floored().min(limit)", "floored()"],
  ]),
];

/**
 * @param {string} file
 * @param {[name: string, find: string, replace: string][]} guards
 * @returns {Mutant[]}
 */
function inFile(file, guards) {
  return guards.map(([name, find, replace]) => ({ name, file, find, replace }));
}
