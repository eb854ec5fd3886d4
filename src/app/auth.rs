//! Who is an admin.

use crate::app::context::App;
use crate::store::members::Member;

/// Whether a member is on the list of admins.
pub fn is_admin(app: &App, member: &Member) -> bool {
    member.provider == "github" && app.config.admin_github_ids.contains(&member.subject)
}
