//! The pages to which a person may be sent after signing in. A page is a name from a closed list, never a URL.

/// A page to which a person may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnTarget {
    Keys,
    Account,
    Usage,
    Docs,
    Device,
}

impl ReturnTarget {
    /// The pages that exist.
    pub const ALL: [Self; 5] = [
        Self::Keys,
        Self::Account,
        Self::Usage,
        Self::Docs,
        Self::Device,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Account => "account",
            Self::Usage => "usage",
            Self::Docs => "docs",
            Self::Device => "device",
        }
    }

    /// The path of the page. It is the start page where this deployment has no page of keys.
    pub const fn path(self, keys_page: bool) -> &'static str {
        match self {
            Self::Keys if keys_page => "/keys",
            Self::Account if keys_page => "/account",
            Self::Usage if keys_page => "/usage",
            Self::Device if keys_page => "/device",
            Self::Keys | Self::Account | Self::Usage | Self::Device => "/",
            Self::Docs => "/docs",
        }
    }

    /// The target with this name. Any other name, or none, gives the page of keys.
    pub fn from_name(name: Option<&str>) -> Self {
        let found = |wanted: &str| Self::ALL.into_iter().find(|target| target.name() == wanted);
        name.and_then(found).unwrap_or(Self::Keys)
    }
}

#[cfg(test)]
mod tests {
    use super::ReturnTarget;

    #[test]
    fn only_names_of_the_list_are_targets() {
        for name in ["keys", "account", "usage", "docs", "device"] {
            assert_eq!(
                ReturnTarget::from_name(Some(name)).path(true),
                format!("/{name}")
            );
        }
        for hostile in [
            "",
            "/",
            "//evil.example",
            "/\\evil.example",
            "%2f%2fevil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "keys\r\nset-cookie: a=b",
            "keys\u{0}",
            "KEYS",
            " keys",
            "admin",
            "../admin",
            "\t//evil.example",
        ] {
            assert_eq!(
                ReturnTarget::from_name(Some(hostile)),
                ReturnTarget::Keys,
                "{hostile:?}"
            );
        }
        assert_eq!(ReturnTarget::from_name(None), ReturnTarget::Keys);
    }
}
