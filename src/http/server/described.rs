//! What the API's description says about a route. A native test writes the description into files, from the route table
//! and the types of the bodies. Nothing of this is left in the Worker.

/// A type that is the body of a request or of an answer.
#[cfg(not(target_arch = "wasm32"))]
pub use schemars::JsonSchema as Described;

#[cfg(target_arch = "wasm32")]
pub trait Described {}

#[cfg(target_arch = "wasm32")]
impl<T> Described for T {}

/// The schema of a body.
#[derive(Clone, Copy)]
pub struct BodySchema {
    #[cfg(not(target_arch = "wasm32"))]
    pub add_to: fn(&mut schemars::SchemaGenerator) -> schemars::Schema,
}

impl BodySchema {
    #[cfg_attr(
        target_arch = "wasm32",
        expect(
            clippy::extra_unused_type_parameters,
            reason = "the Worker has no schema of it"
        )
    )]
    pub(super) const fn of<T: Described>() -> Self {
        Self {
            #[cfg(not(target_arch = "wasm32"))]
            add_to: schemars::SchemaGenerator::subschema_for::<T>,
        }
    }
}

/// An answer that a route gives if it does what it is asked.
#[derive(Clone, Copy)]
pub struct GoodAnswer {
    pub status: u16,
    pub body: Option<BodySchema>,
    /// The media type of an answer that is a file.
    pub file: Option<&'static str>,
}

/// An answer with a JSON body.
pub(crate) const fn ok<T: Described>(status: u16) -> GoodAnswer {
    GoodAnswer {
        status,
        body: Some(BodySchema::of::<T>()),
        file: None,
    }
}

/// An answer that is a file of this media type.
pub(crate) const fn file(status: u16, kind: &'static str) -> GoodAnswer {
    GoodAnswer {
        status,
        body: None,
        file: Some(kind),
    }
}

/// An answer without a body.
pub(crate) const fn empty(status: u16) -> GoodAnswer {
    GoodAnswer {
        status,
        body: None,
        file: None,
    }
}

/// A parameter of a route's address.
#[derive(Clone, Copy)]
pub struct QueryParameter {
    pub name: &'static str,
    pub about: &'static str,
}

/// Where a page of a list begins.
pub(crate) const AFTER: &[QueryParameter] = &[PAGE_AFTER];

const PAGE_AFTER: QueryParameter = QueryParameter {
    name: "after",
    about: "What the page before named as `next`.",
};

const PAGE_ROWS: QueryParameter = parameter("rows", "How many rows a page has: 50, or up to 500.");

/// Which members are listed.
pub(crate) const MEMBERS: &[QueryParameter] = &[
    PAGE_AFTER,
    PAGE_ROWS,
    QueryParameter {
        name: "status",
        about: "Only members with this status.",
    },
    QueryParameter {
        name: "login",
        about: "Only members whose login begins so, in the order of the logins.",
    },
    QueryParameter {
        name: "id",
        about: "Only the member with exactly this id or account number.",
    },
];

/// Which keys are listed.
pub(crate) const KEYS: &[QueryParameter] = &[
    PAGE_AFTER,
    PAGE_ROWS,
    parameter(
        "q",
        "What is known of a key: the beginning of its name, its mask, its id, or its secret's SHA-256. It is not combined with the others.",
    ),
    parameter("state", "Only keys in this state."),
    parameter("hold", "Only keys with this hold."),
    parameter("plan", "Only keys of members with this plan."),
    parameter(
        "workspace",
        "Only keys in the workspace with this id at OpenRouter.",
    ),
    parameter("project", "Only keys in the project with this id."),
    parameter(
        "made_before",
        "Only keys that were made before this moment.",
    ),
    parameter(
        "idle",
        "Only keys with which nothing was spent: `never`, or in the present `month` or `week`.",
    ),
    parameter(
        "over_limit",
        "`true`: only keys that have spent all of their limit.",
    ),
];

/// Which changes are listed.
pub(crate) const AUDIT: &[QueryParameter] = &[
    PAGE_AFTER,
    PAGE_ROWS,
    parameter("actor", "Only changes by this member's id, or by this job."),
    parameter(
        "target",
        "Only changes of exactly this: an id, `settings`, or `plan:` and a name.",
    ),
    parameter(
        "member",
        "Only changes of this member, their keys and their requests.",
    ),
    parameter("action", "Only this action."),
    parameter("since", "Only changes at this moment or later."),
    parameter("until", "Only changes at this moment or earlier."),
];

/// What a change of a plan would do.
pub(crate) const REACH: &[QueryParameter] = &[parameter(
    "max_active_keys",
    "Counts the members who have more keys than that, and the keys that would be disabled.",
)];

/// Which requests are listed.
pub(crate) const REQUESTS: &[QueryParameter] = &[
    PAGE_AFTER,
    QueryParameter {
        name: "state",
        about: "`open`, which is the default, `approved`, `declined` or `withdrawn`.",
    },
];

const fn parameter(name: &'static str, about: &'static str) -> QueryParameter {
    QueryParameter { name, about }
}

/// Which usage is shown.
pub(crate) const USAGE: &[QueryParameter] = &[
    parameter(
        "from",
        "The first UTC day, such as 2026-11-01. Without it: 29 days before `to`.",
    ),
    parameter("to", "The last UTC day. Without it: today."),
    parameter(
        "group",
        "One or two of `model`, `key`, `member`, `plan`, `project`, `workspace` and `source`, with a comma between.",
    ),
    parameter(
        "scope",
        "`own`, which is the default, or `all`, for administrators.",
    ),
    parameter("member", "Only the member with this id, with `scope=all`."),
    parameter("key", "Only the key with this id."),
    parameter(
        "model",
        "Only the model with this name, or with this name of its source.",
    ),
    parameter("plan", "Only usage under the plan of this name."),
    parameter("project", "Only usage in the project with this id."),
    parameter("workspace", "Only usage in the workspace with this id."),
    parameter(
        "top",
        "How many groups stand by themselves, at most 50. Without it: 8.",
    ),
    parameter(
        "skip",
        "How many larger groups are left in the rest. Without it: 0.",
    ),
];
