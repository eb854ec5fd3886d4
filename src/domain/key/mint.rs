//! What a mint asks for, and whether the answer describes that key. A key without a limit, a reset or an expiry cannot
//! be expressed here, so nobody can ask for one.

use crate::domain::money::NanoUsd;
use crate::domain::time::Timestamp;
use crate::domain::time::period::LimitReset;

/// The parameters of one `POST /keys`. Only the workspace is optional: without it, the key is made in the account's
/// default workspace.
///
/// ```
/// # use keycap::domain::{key::mint::MintSpec, money::NanoUsd, time::Timestamp, time::period::LimitReset};
/// # let (name, end) = (String::from("keycap/a/b"), Timestamp::parse("2027-01-31T00:00:00Z").unwrap());
/// assert!(MintSpec::new(name, NanoUsd::CENT, LimitReset::Daily, end, None).is_some());
/// ```
///
/// A spec that lacks its limit, its reset or its expiry does not compile. Without a limit:
///
/// ```compile_fail,E0061
/// # use keycap::domain::{key::mint::MintSpec, money::NanoUsd, time::Timestamp, time::period::LimitReset};
/// # let (name, end) = (String::from("keycap/a/b"), Timestamp::parse("2027-01-31T00:00:00Z").unwrap());
/// MintSpec::new(name, LimitReset::Daily, end, None);
/// ```
/// ```compile_fail,E0308
/// # use keycap::domain::{key::mint::MintSpec, money::NanoUsd, time::Timestamp, time::period::LimitReset};
/// # let (name, end) = (String::from("keycap/a/b"), Timestamp::parse("2027-01-31T00:00:00Z").unwrap());
/// MintSpec::new(name, None, LimitReset::Daily, end, None);
/// ```
///
/// Without saying when the limit resets, even if it never does:
///
/// ```compile_fail,E0061
/// # use keycap::domain::{key::mint::MintSpec, money::NanoUsd, time::Timestamp, time::period::LimitReset};
/// # let (name, end) = (String::from("keycap/a/b"), Timestamp::parse("2027-01-31T00:00:00Z").unwrap());
/// MintSpec::new(name, NanoUsd::CENT, end, None);
/// ```
///
/// Without an expiry:
///
/// ```compile_fail,E0061
/// # use keycap::domain::{key::mint::MintSpec, money::NanoUsd, time::Timestamp, time::period::LimitReset};
/// # let (name, end) = (String::from("keycap/a/b"), Timestamp::parse("2027-01-31T00:00:00Z").unwrap());
/// MintSpec::new(name, NanoUsd::CENT, LimitReset::Daily, None);
/// ```
/// ```compile_fail,E0308
/// # use keycap::domain::{key::mint::MintSpec, money::NanoUsd, time::Timestamp, time::period::LimitReset};
/// # let (name, end) = (String::from("keycap/a/b"), Timestamp::parse("2027-01-31T00:00:00Z").unwrap());
/// MintSpec::new(name, NanoUsd::CENT, LimitReset::Daily, None::<Timestamp>, None);
/// ```
///
/// A limit cannot be changed past [`MintSpec::new`] either:
///
/// ```compile_fail,E0451
/// # use keycap::domain::{key::mint::MintSpec, money::NanoUsd, time::Timestamp, time::period::LimitReset};
/// # let (name, end) = (String::from("keycap/a/b"), Timestamp::parse("2027-01-31T00:00:00Z").unwrap());
/// # let spec = MintSpec::new(name, NanoUsd::CENT, LimitReset::Daily, end, None).unwrap();
/// MintSpec { limit: NanoUsd::ZERO, ..spec };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintSpec {
    name: String,
    limit: NanoUsd,
    limit_reset: LimitReset,
    expires_at: Timestamp,
    workspace_id: Option<String>,
    /// The workspace where the key must appear if none is asked for: the account's default, once that is known.
    home_workspace_id: Option<String>,
}

impl MintSpec {
    /// Expects the key in this workspace if none is asked for. A key that appears elsewhere was made in another
    /// account.
    #[must_use]
    pub fn at_home(self, home_workspace_id: Option<String>) -> Self {
        Self {
            home_workspace_id,
            ..self
        }
    }

    /// Rounds the limit down. Returns `None` if the limit is below one cent, because zero could be read as "no limit".
    pub fn new(
        name: String,
        limit: NanoUsd,
        limit_reset: LimitReset,
        expires_at: Timestamp,
        workspace_id: Option<String>,
    ) -> Option<Self> {
        let limit = limit.floored();
        (limit >= NanoUsd::CENT).then_some(Self {
            name,
            limit,
            limit_reset,
            expires_at,
            workspace_id,
            home_workspace_id: None,
        })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn limit(&self) -> NanoUsd {
        self.limit
    }

    pub fn limit_reset(&self) -> LimitReset {
        self.limit_reset
    }

    pub fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    pub fn workspace_id(&self) -> Option<&str> {
        self.workspace_id.as_deref()
    }
}

/// The key that OpenRouter says it has made. Members that its answer left out are `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Echo {
    pub name: Option<String>,
    pub hash: Option<String>,
    pub label: Option<String>,
    pub limit: Option<NanoUsd>,
    pub limit_reset: Option<String>,
    pub include_byok_in_limit: Option<bool>,
    pub disabled: Option<bool>,
    pub expires_at: Option<Timestamp>,
    pub workspace_id: Option<String>,
}

/// The first point in which an echo differs from what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    Name,
    Hash,
    Limit,
    LimitReset,
    Byok,
    Disabled,
    Expiry,
    Workspace,
}

impl Mismatch {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Hash => "hash",
            Self::Limit => "limit",
            Self::LimitReset => "limit_reset",
            Self::Byok => "include_byok_in_limit",
            Self::Disabled => "disabled",
            Self::Expiry => "expires_at",
            Self::Workspace => "workspace_id",
        }
    }
}

/// Compares an echo with what was asked for. `hash` must be present and look like a hash. OpenRouter makes it the
/// SHA-256 of the secret but does not promise that, so nothing relies on it. Returns the first difference.
pub fn check_echo(asked: &MintSpec, echo: &Echo) -> Result<(), Mismatch> {
    let expected = asked
        .workspace_id
        .as_ref()
        .or(asked.home_workspace_id.as_ref());
    let same_workspace = match (expected, &echo.workspace_id) {
        (Some(asked), Some(echoed)) => asked == echoed,
        (None, Some(_)) => true,
        (_, None) => false,
    };
    let points = [
        (Mismatch::Name, echo.name.as_deref() == Some(&asked.name)),
        (Mismatch::Hash, echo.hash.as_deref().is_some_and(is_hash)),
        (Mismatch::Limit, echo.limit == Some(asked.limit)),
        (
            Mismatch::LimitReset,
            LimitReset::from_upstream(echo.limit_reset.as_deref()) == Some(asked.limit_reset),
        ),
        (Mismatch::Byok, echo.include_byok_in_limit == Some(true)),
        (Mismatch::Disabled, echo.disabled == Some(false)),
        (Mismatch::Expiry, echo.expires_at == Some(asked.expires_at)),
        (Mismatch::Workspace, same_workspace),
    ];
    match points.into_iter().find(|(_, agrees)| !agrees) {
        Some((mismatch, _)) => Err(mismatch),
        None => Ok(()),
    }
}

impl Echo {
    /// The hash by which this key may be deleted at once. It is `None` unless the name shows that this is the key asked
    /// for.
    pub fn own_hash(&self, asked: &MintSpec) -> Option<&str> {
        let ours = self.name.as_deref() == Some(asked.name());
        self.hash.as_deref().filter(|hash| ours && is_hash(hash))
    }
}

/// 64 lower-case hexadecimal digits.
fn is_hash(text: &str) -> bool {
    text.len() == 64
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> MintSpec {
        MintSpec::new(
            String::from("keycap/0a/gen_1"),
            NanoUsd::parse_typed("5").unwrap(),
            LimitReset::Daily,
            Timestamp::from_secs(1_800_000_000),
            Some(String::from("ws-1")),
        )
        .unwrap()
    }

    fn faithful() -> Echo {
        Echo {
            name: Some(String::from("keycap/0a/gen_1")),
            hash: Some("a1".repeat(32)),
            label: None,
            limit: NanoUsd::parse_typed("5"),
            limit_reset: Some(String::from("daily")),
            include_byok_in_limit: Some(true),
            disabled: Some(false),
            expires_at: Some(Timestamp::from_secs(1_800_000_000)),
            workspace_id: Some(String::from("ws-1")),
        }
    }

    #[test]
    fn an_echo_that_differs_in_any_point_is_a_mismatch() {
        assert_eq!(check_echo(&asked(), &faithful()), Ok(()));
        type EchoCase = fn(&mut Echo);
        let bends: [(Mismatch, EchoCase); 14] = [
            (Mismatch::Name, |e| e.name = Some(String::from("x"))),
            (Mismatch::Name, |e| e.name = None),
            (Mismatch::Hash, |e| e.hash = None),
            (Mismatch::Hash, |e| e.hash = Some(String::from("other"))),
            (Mismatch::Limit, |e| e.limit = None),
            (Mismatch::Limit, |e| e.limit = NanoUsd::parse_typed("500")),
            (Mismatch::LimitReset, |e| e.limit_reset = None),
            (Mismatch::LimitReset, |e| {
                e.limit_reset = Some(String::from("monthly"));
            }),
            (Mismatch::Byok, |e| e.include_byok_in_limit = Some(false)),
            (Mismatch::Disabled, |e| e.disabled = None),
            (Mismatch::Expiry, |e| e.expires_at = None),
            (Mismatch::Expiry, |e| {
                e.expires_at = Some(Timestamp::from_secs(1_900_000_000));
            }),
            (Mismatch::Workspace, |e| e.workspace_id = None),
            (Mismatch::Workspace, |e| {
                e.workspace_id = Some(String::from("ws-2"));
            }),
        ];
        for (expected, bend) in bends {
            let mut echo = faithful();
            bend(&mut echo);
            assert_eq!(check_echo(&asked(), &echo), Err(expected));
        }
    }

    #[test]
    fn a_key_of_another_name_is_never_deleted_by_the_hash_that_came_with_it() {
        assert!(faithful().own_hash(&asked()).is_some());
        let other = Echo {
            name: Some(String::from("keycap/0a/gen_2")),
            ..faithful()
        };
        assert_eq!(other.own_hash(&asked()), None);
        assert_eq!(Echo::default().own_hash(&asked()), None);
    }

    #[test]
    fn a_key_made_in_another_accounts_default_workspace_is_a_mismatch() {
        let home = |id: &str| {
            let unplaced = MintSpec {
                workspace_id: None,
                ..asked()
            };
            unplaced.at_home(Some(id.to_owned()))
        };
        assert_eq!(check_echo(&home("ws-1"), &faithful()), Ok(()));
        assert_eq!(
            check_echo(&home("ws-2"), &faithful()),
            Err(Mismatch::Workspace)
        );
    }

    #[test]
    fn less_than_a_cent_is_never_asked_for() {
        for nano in [0, 1, 9_999_999] {
            let limit = NanoUsd::from_nano(nano).unwrap();
            let at = Timestamp::from_secs(0);
            assert_eq!(
                MintSpec::new(String::new(), limit, LimitReset::Daily, at, None),
                None
            );
        }
    }
}
