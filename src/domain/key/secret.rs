//! Values that nobody may see. They cannot be printed, compared or serialised, and their memory is wiped when they are
//! dropped.

use zeroize::Zeroizing;

/// A secret text. The only way to read it is [`Secret::expose`], which is easy to search for.
///
/// ```
/// # use keycap::domain::key::secret::Secret;
/// assert_eq!(Secret::new(String::from("a")).expose(), "a");
/// ```
///
/// It cannot be printed, neither for users nor for debugging:
///
/// ```compile_fail,E0277
/// # use keycap::domain::key::secret::Secret;
/// format!("{}", Secret::new(String::new()));
/// ```
/// ```compile_fail,E0277
/// # use keycap::domain::key::secret::Secret;
/// format!("{:?}", Secret::new(String::new()));
/// ```
///
/// It cannot be compared, since the duration of a comparison would tell how much was right:
///
/// ```compile_fail,E0369
/// # use keycap::domain::key::secret::Secret;
/// let _ = Secret::new(String::new()) == Secret::new(String::new());
/// ```
///
/// It cannot be serialised, and no request can be read into it by accident:
///
/// ```compile_fail,E0277
/// # use keycap::domain::key::secret::Secret;
/// let _ = serde_json::to_string(&Secret::new(String::new()));
/// ```
/// ```compile_fail,E0277
/// # use keycap::domain::key::secret::Secret;
/// let _ = serde_json::from_str::<Secret>("");
/// ```
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
