//! Changes of many keys or members at once: their targets are frozen when an administrator asks, shown, started, and
//! carried out in chunks.

pub mod carried;
pub mod frozen;
pub mod progress;
pub mod shown;

/// What a bulk change does to each of its targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BulkAction {
    Disable,
    Enable,
    Revoke,
    Suspend,
    Reinstate,
}

impl BulkAction {
    const ALL: [Self; 5] = [
        Self::Disable,
        Self::Enable,
        Self::Revoke,
        Self::Suspend,
        Self::Reinstate,
    ];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Enable => "enable",
            Self::Revoke => "revoke",
            Self::Suspend => "suspend",
            Self::Reinstate => "reinstate",
        }
    }

    /// Whether the targets are members. Otherwise they are keys.
    pub const fn is_about_members(self) -> bool {
        matches!(self, Self::Suspend | Self::Reinstate)
    }
}
