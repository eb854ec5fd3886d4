//! Why a key is off. Each actor puts and lifts its own reason alone.

/// In which role somebody acts on a key: their own, or as an admin on somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldRole {
    Owner,
    Admin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    Owner,
    Admin,
    Offboarding,
    Leak,
    Idle,
    Budget,
    Plan,
    Switch,
    Rotation,
    /// Somebody else disabled the key at OpenRouter. An admin lifts it by name.
    Upstream,
}

impl Reason {
    /// Whether this role may not put the key on while it stands.
    pub const fn bars(self, role: HoldRole) -> bool {
        match self {
            Self::Admin => matches!(role, HoldRole::Owner),
            Self::Offboarding | Self::Leak | Self::Switch | Self::Upstream => true,
            Self::Owner | Self::Idle | Self::Budget | Self::Plan | Self::Rotation => false,
        }
    }
}
