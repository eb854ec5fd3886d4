//! What is shown of this installation.

use url::Url;

/// What the pages tell of this installation beside its rules.
pub struct Published {
    /// `EXAMPLE_MODEL`: the model that examples name.
    pub example_model: String,
    /// `SOURCE_URL`: where the code is; no link without.
    pub source_url: Option<Url>,
    /// `SECURITY_CONTACT`: there is a security.txt only with it.
    pub security_contact: Option<Url>,
}
