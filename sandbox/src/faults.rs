//! Faults: what goes wrong with which call. A plan has a queue for each operation, and each fault counts calls from the
//! moment when it is added.

use crate::operation::Operation;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Fault {
    pub operation: Operation,
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Which call is the first to fail; 1 is the next call of the operation.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many calls fail, from the `nth` on; 0 means for ever.
    #[serde(default = "one")]
    pub times: u32,
}

const fn one() -> u32 {
    1
}

const fn bad_request() -> u16 {
    400
}

const fn forbidden() -> u16 {
    403
}

const fn server_error() -> u16 {
    500
}

macro_rules! fault_kinds {
    ($($variant:ident $name:literal $({ $($(#[$attribute:meta])* $field:ident: $type:ty),* })?),* $(,)?) => {
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(tag = "kind")]
        pub enum FaultKind { $(#[serde(rename = $name)] $variant $({ $($(#[$attribute])* $field: $type),* })?),* }

        impl FaultKind {
            pub const NAMES: &[&'static str] = &[$($name),*];

            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant $({ $($field: _),* })? => $name),* }
            }

            /// The options that the kind of this name takes, or `None` for an unknown name.
            fn options(name: &str) -> Option<&'static [&'static str]> {
                match name { $($name => Some(&[$($(stringify!($field)),*)?]),)* _ => None }
            }
        }
    };
}

// "Before" means that the effect does not happen, and "after" means that it does.
fault_kinds! {
    Refuse "refuse" { #[serde(default = "bad_request")] status: u16 },
    ResetBefore "reset_before",
    ResetAfter "reset_after",
    ErrorBefore "error_before" { #[serde(default = "server_error")] status: u16 },
    ErrorAfter "error_after" { #[serde(default = "server_error")] status: u16 },
    RateLimited "rate_limited" { #[serde(default)] retry_after: Option<u64>, #[serde(default)] headers: BTreeMap<String, String> },
    Truncated "truncated",
    Html "html",
    HtmlError "html_error",
    HtmlRefuse "html_refuse" { #[serde(default = "forbidden")] status: u16 },
    OffsetIgnored "offset_ignored",
    StallBefore "stall_before",
    StallAfter "stall_after",
    Late "late",
    HoldBefore "hold_before",
    HoldAfter "hold_after",
    EchoLimitMissing "echo_limit_missing",
    EchoLimitLarger "echo_limit_larger",
    EchoResetWrong "echo_reset_wrong",
    EchoExpiryMissing "echo_expiry_missing",
    EchoExpiryLater "echo_expiry_later",
    EchoNameWrong "echo_name_wrong",
    EchoWorkspaceWrong "echo_workspace_wrong",
    HashMissing "hash_missing",
    KeyMissing "key_missing",
    KeyNamed "key_named" { name: String },
    Duplicate "duplicate",
    ExtraMembers "extra_members",
    OddTimestamps "odd_timestamps",
}

impl FaultKind {
    /// Answers whether the fault makes sense for the operation: a false echo needs an answer with a key, only a create
    /// makes a key that can be duplicated or left out, and only a list has pages.
    fn fits(&self, operation: Operation) -> bool {
        match self {
            Self::Duplicate => {
                [Operation::KeysCreate, Operation::GuardrailsAssign].contains(&operation)
            }
            Self::KeyMissing => [
                Operation::KeysCreate,
                Operation::OpenrouterExchange,
                Operation::DaydreamKey,
            ]
            .contains(&operation),
            Self::KeyNamed { .. } => operation == Operation::DaydreamKey,
            Self::OffsetIgnored => operation.is_list(),
            _ if self.name().starts_with("echo_") || *self == Self::HashMissing => {
                operation.as_str().starts_with("openrouter.keys.")
            }
            _ => true,
        }
    }
}

impl Fault {
    /// A fault of the next call of `operation`.
    #[must_use]
    pub const fn new(operation: Operation, kind: FaultKind) -> Self {
        Self {
            operation,
            kind,
            nth: 1,
            times: 1,
        }
    }

    /// The same fault, beginning with the `nth` call.
    #[must_use]
    pub const fn nth(mut self, nth: u32) -> Self {
        self.nth = nth;
        self
    }

    /// The same fault for this many calls; 0 means for ever.
    #[must_use]
    pub const fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    /// Reads a fault as the control API takes it. A misspelt member is an error, because a fault that never fires
    /// proves nothing.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the fault.
    pub fn from_json(value: &Value) -> Result<Self, String> {
        let members = value.as_object().ok_or("a fault is an object")?;
        let kind = members
            .get("kind")
            .and_then(Value::as_str)
            .ok_or("a fault has a kind")?;
        let options = FaultKind::options(kind).ok_or_else(|| format!("no fault kind {kind}"))?;
        let known = |name: &str| {
            ["operation", "kind", "nth", "times"].contains(&name) || options.contains(&name)
        };
        if let Some(unknown) = members.keys().find(|name| !known(name)) {
            return Err(format!("{kind} has no option {unknown}"));
        }
        let fault: Self =
            serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
        if fault.kind.fits(fault.operation) {
            Ok(fault)
        } else {
            Err(format!(
                "{kind} means nothing for {}",
                fault.operation.as_str()
            ))
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct FaultPlan {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    fault: Fault,
    seen: u32,
    fired: u32,
}

impl Entry {
    const fn is_due(&self) -> bool {
        self.seen >= self.fault.nth && (self.fault.times == 0 || self.fired < self.fault.times)
    }
}

impl FaultPlan {
    pub fn add(&mut self, fault: Fault) {
        self.entries.push(Entry {
            fault,
            seen: 0,
            fired: 0,
        });
    }

    /// Returns the fault of this call. Each entry counts every call of its operation, and the first entry that is due
    /// fires.
    pub fn next(&mut self, operation: Operation) -> Option<FaultKind> {
        let mut kind = None;
        for entry in self
            .entries
            .iter_mut()
            .filter(|entry| entry.fault.operation == operation)
        {
            entry.seen = entry.seen.saturating_add(1);
            if kind.is_none() && entry.is_due() {
                entry.fired = entry.fired.saturating_add(1);
                kind = Some(entry.fault.kind.clone());
            }
        }
        kind
    }
}
