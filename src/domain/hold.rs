//! Why a key is off. Each actor puts and lifts its own reason alone (A2).

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
}
