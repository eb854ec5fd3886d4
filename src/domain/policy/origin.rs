//! Web origins: our own, and the base URLs of foreign services. Everything but https is refused, unless the host is
//! loopback.

use url::{Host, Url};

/// Answers whether a URL may be called: https on any host, http on this machine only.
pub fn is_safe(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Answers whether the host is this machine itself.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Our own origin: scheme, host and port, without a path. All our URLs are built from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: String,
    host: String,
    loopback: bool,
}

impl Origin {
    /// Reads an origin. Returns `None` if the URL is neither https nor loopback, or if it has a path, a query, a
    /// fragment, a user name or a password.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let bare = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare || !is_safe(&url) {
            return None;
        }
        let origin = url.origin().ascii_serialization();
        let host = origin.split_once("://")?.1.to_owned();
        Some(Self {
            loopback: is_loopback(&url),
            text: origin,
            host,
        })
    }

    /// The text of the `Origin` header.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text of the `Host` header. It has the port unless that is the default of the scheme.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Answers whether this is a development set-up: one whose public origin is this machine.
    pub fn is_development(&self) -> bool {
        self.loopback
    }
}

#[cfg(test)]
mod tests {
    use super::Origin;

    #[test]
    fn an_origin_is_https_or_loopback_and_nothing_more() {
        for (text, origin, host) in [
            (
                "https://keys.example.org",
                "https://keys.example.org",
                "keys.example.org",
            ),
            (
                "https://keys.example.org:443/",
                "https://keys.example.org",
                "keys.example.org",
            ),
            (
                "http://localhost:8787",
                "http://localhost:8787",
                "localhost:8787",
            ),
            ("http://[::1]:1", "http://[::1]:1", "[::1]:1"),
        ] {
            let parsed = Origin::parse(text).unwrap();
            assert_eq!((parsed.as_str(), parsed.host()), (origin, host));
        }
        for bad in [
            "",
            "keys.example.org",
            "http://keys.example.org",
            "https://keys.example.org/path",
            "https://user@keys.example.org",
            "https://keys.example.org/?q",
            "ftp://localhost",
            "https://",
            "http://localhost.example.org",
        ] {
            assert_eq!(Origin::parse(bad), None, "{bad}");
        }
    }
}
