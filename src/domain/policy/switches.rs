//! The switches of the deployment, which administrators change.

use serde::{Deserialize, Serialize};

/// Whether keys may be minted at all: the kill switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum Minting {
    Open,
    Stopped,
}

impl Minting {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Stopped => "stopped",
        }
    }
}

/// Whether keys may work at all: the stronger switch, which also stops minting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum KeysSwitch {
    On,
    Off,
}

/// Who may claim: everyone who meets the rules, or only people whom an administrator has let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum Claims {
    Open,
    ByApproval,
}

impl Claims {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ByApproval => "by_approval",
        }
    }
}

/// Whether an administrator has read and confirmed what OpenRouter's terms say about sharing keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum UpstreamTerms {
    Unconfirmed,
    Confirmed,
}

/// Whether the database may have lost something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum Restore {
    None,
    Suspected,
}

/// Whether the management key belongs to the known OpenRouter account, as the last sweep found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum AccountSwitch {
    Known,
    Foreign,
}

/// What a workspace that holds nothing but our keys lets through, while all keys must be disabled and shortly after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub enum WorkspaceClosure {
    /// OpenRouter has not confirmed yet that it lets nothing through.
    Closing,
    /// It lets nothing through.
    Closed,
    /// OpenRouter has not confirmed yet that it lets everything through as before, or an earlier change may still take
    /// effect.
    Opening,
}
