//! Values that must never be seen: they cannot be printed, compared or serialised, and are wiped when dropped.

use zeroize::Zeroizing;

/// A secret text. The only way out is [`Secret::expose`], which is easy to search for.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}
