//! What is wrong in the body of a request, in a form that a program and a person can use.

use std::borrow::Cow;

use serde::Serialize;

/// One thing that is wrong. Nothing of a value that was sent is in it: the value may be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_arch = "wasm32"), derive(schemars::JsonSchema))]
pub struct BodyError {
    /// The JSON Pointer (RFC 6901) of the member. It is empty if the body as a whole is wrong.
    pub pointer: Cow<'static, str>,
    /// What is wrong with it, as the end of a sentence about the member: "must be a text".
    pub detail: Cow<'static, str>,
}

impl BodyError {
    pub const fn new(pointer: &'static str, detail: &'static str) -> Self {
        Self {
            pointer: Cow::Borrowed(pointer),
            detail: Cow::Borrowed(detail),
        }
    }

    /// The same as a whole sentence for a person.
    pub fn sentence(&self) -> String {
        let member = self.pointer.strip_prefix('/').unwrap_or("The body");
        format!("Nothing was changed. {member} {}.", self.detail)
    }
}
