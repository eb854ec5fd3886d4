//! The reasons why a key is disabled. Each actor sets and lifts only its own reason.

/// The role in which a caller changes a key: as its owner, or as an administrator who changes another member's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldRole {
    Owner,
    Admin,
}

/// One reason why a key is disabled.
// It is stored as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
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
    /// Someone outside keycap disabled the key at OpenRouter. An administrator lifts this hold by name.
    Upstream,
}

impl Reason {
    /// Answers whether this hold forbids the role to enable the key.
    pub const fn bars(self, role: HoldRole) -> bool {
        match self {
            Self::Admin => matches!(role, HoldRole::Owner),
            Self::Offboarding | Self::Leak | Self::Switch | Self::Upstream => true,
            Self::Owner | Self::Idle | Self::Budget | Self::Plan | Self::Rotation => false,
        }
    }
}
