//! Departures: what a directory says of a person, and why it is not believed.

/// The strikes, each on another UTC day, after which a person counts as gone.
pub const STRIKES: i64 = 2;
/// A listing that is smaller than this share of the last good one, in percent, is doubtful.
pub const BELIEVED_PERCENT: i64 = 95;
/// A listing that stays small for this long, in seconds, is the measure from then on.
pub const SMALL_SECS: i64 = 7 * 86_400;
/// How long a directory may be unknown before that is an alarm, in seconds.
pub const UNKNOWN_SECS: i64 = 86_400;
/// An administrator can release a held list for this long, in seconds.
pub const HELD_SECS: i64 = 7 * 86_400;
/// What is stored of a person who was put out is erased after this long, in seconds.
pub const ERASED_AFTER_SECS: i64 = 30 * 86_400;

/// What a walk through a directory found about a person.
// It is stored as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    Active,
    Suspended,
    Archived,
    /// Google lists the account among the deleted ones.
    Deleted,
    /// Google has no such account any more.
    Gone,
    /// GitHub has no such account any more.
    NoAccount,
    /// The person is no member of the organization any more.
    NotAMember,
    /// The answer is no answer, so nothing follows from it.
    Unknown,
}

impl Found {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Archived => "archived",
            Self::Deleted => "deleted",
            Self::Gone => "gone",
            Self::NoAccount => "no_account",
            Self::NotAMember => "not_a_member",
            Self::Unknown => "unknown",
        }
    }
}

/// A directory, which is also the sign-in provider of its people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectoryKind {
    Google,
    GitHub,
}

impl DirectoryKind {
    pub const ALL: [Self; 2] = [Self::Google, Self::GitHub];

    /// The name of the provider in the rows of members.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Google => "google",
            Self::GitHub => "github",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Why a directory is not believed in a run. Nothing follows from such a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It did not answer, or with an error of its own.
    Unavailable,
    /// It asks to be called less often.
    Busy,
    /// We may not read it.
    Forbidden,
    /// The answer is not what was asked for.
    Unreadable,
    /// A page, or the name of the next one, came twice.
    Repeats,
    /// It lists nobody.
    Empty,
    /// It lists far fewer people than the last time.
    Shrunk,
    /// It says of somebody whom it lists that they are gone.
    Contradicts,
    /// The service account may not act for that administrator, or not with that scope.
    Unauthorized,
    /// There is no such administrator.
    NoSubject,
    /// Our clock and Google's differ too much.
    Clock,
    /// The key of the service account is wrong, disabled or deleted.
    KeyRefused,
    /// The token endpoint refuses for another reason.
    TokenRefused,
    /// The key of the service account cannot sign.
    KeyUnusable,
}

impl Doubt {
    /// The stable code of a run that met it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unavailable => "directory_unavailable",
            Self::Busy => "directory_busy",
            Self::Forbidden => "directory_forbidden",
            Self::Unreadable => "directory_unreadable",
            Self::Repeats => "directory_repeats",
            Self::Empty => "directory_empty",
            Self::Shrunk => "directory_shrunk",
            Self::Contradicts => "directory_contradicts",
            Self::Unauthorized => "directory_unauthorized",
            Self::NoSubject => "directory_no_subject",
            Self::Clock => "directory_clock",
            Self::KeyRefused => "directory_key_refused",
            Self::TokenRefused => "directory_token_refused",
            Self::KeyUnusable => "directory_key_unusable",
        }
    }
}

/// What a walk through a directory does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WalkStep {
    /// It reads the pages of those who are there.
    Lists,
    /// It reads the pages of deleted accounts.
    Deleted,
    /// It asks for those whom no page has shown.
    Asks,
    /// It has seen everything.
    Ends,
}

/// Answers whether a complete listing of `listed` people is too small to be believed. `deleted` accounts were listed as
/// deleted since the last good listing, which had `before` people.
pub const fn is_shrunk(listed: i64, deleted: i64, before: i64) -> bool {
    listed.saturating_add(deleted).saturating_mul(100) < before.saturating_mul(BELIEVED_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_doubtful_if_more_than_one_in_twenty_is_missing_and_not_deleted() {
        assert!(!is_shrunk(95, 0, 100));
        assert!(is_shrunk(94, 0, 100));
        assert!(!is_shrunk(60, 35, 100));
        assert!(is_shrunk(60, 34, 100));
        assert!(!is_shrunk(1, 0, 0));
    }
}
