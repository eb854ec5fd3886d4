//! Which redirect addresses GitHub accepts for a registered callback, and how it writes its answers into them.

/// The parts of an address that the rules need.
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    path: &'a str,
}

/// Answers whether GitHub accepts an address: the host (or a subdomain of it) and the port must match, and the path
/// must be equal or below. A loopback host matches on any port.
pub(crate) fn is_allowed(registered: &str, asked: &str) -> bool {
    let (Some(registered), Some(asked)) = (parse(registered), parse(asked)) else {
        return false;
    };
    let loopback = is_loopback(registered.host) && is_loopback(asked.host);
    let subdomain = asked
        .host
        .strip_suffix(registered.host)
        .is_some_and(|rest| rest.ends_with('.'));
    let host = loopback || asked.host == registered.host || subdomain;
    let port = loopback || asked.port == registered.port;
    let below = asked
        .path
        .strip_prefix(registered.path)
        .is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || registered.path.ends_with('/')
        });
    asked.scheme == registered.scheme && host && port && below && !asked.path.contains("..")
}

fn parse(address: &str) -> Option<Address<'_>> {
    let (scheme, rest) = address.split_once("://")?;
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let after_host = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority.get(after_host..)?.find(':') {
        Some(at) => (
            authority.get(..after_host + at)?,
            authority.get(after_host + at + 1..),
        ),
        None => (authority, None),
    };
    let plain = !host.is_empty() && !authority.contains('@');
    plain.then_some(Address {
        scheme,
        host,
        port,
        path,
    })
}

fn is_loopback(host: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}

/// The address with these parameters. Spaces become `+`.
pub(crate) fn with_parameters(address: &str, parameters: &[(&str, &str)]) -> String {
    let mark = if address.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    format!("{address}{mark}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_address_must_match_host_port_and_path_of_the_registered_callback() {
        let registered = "https://keys.example/auth/github/callback";
        let cases = [
            ("https://keys.example/auth/github/callback", true),
            ("https://keys.example/auth/github/callback/more", true),
            ("https://preview.keys.example/auth/github/callback", true),
            ("https://keys.example/auth/github/callback?next=keys", true),
            ("https://keys.example/auth/github/callbacks", false),
            ("https://keys.example/auth/github", false),
            (
                "https://keys.example/auth/github/callback/../../steal",
                false,
            ),
            ("https://keys.example:8443/auth/github/callback", false),
            ("http://keys.example/auth/github/callback", false),
            ("https://otherkeys.example/auth/github/callback", false),
            (
                "https://keys.example@evil.example/auth/github/callback",
                false,
            ),
            ("https://evil.example/auth/github/callback", false),
            ("http://localhost:8787/auth/github/callback", false),
            ("not an address", false),
        ];
        for (asked, allowed) in cases {
            assert_eq!(is_allowed(registered, asked), allowed, "{asked}");
        }
    }

    #[test]
    fn a_loopback_callback_matches_on_any_port() {
        let registered = "http://localhost:8787/auth/github/callback";
        for host in [
            "localhost:8787",
            "localhost:1",
            "127.0.0.1:9999",
            "localhost",
            "[::1]:80",
        ] {
            assert!(
                is_allowed(registered, &format!("http://{host}/auth/github/callback")),
                "{host}"
            );
        }
        assert!(!is_allowed(registered, "http://localhost:8787/elsewhere"));
        assert!(!is_allowed(
            registered,
            "http://evil.example:8787/auth/github/callback"
        ));
    }

    #[test]
    fn parameters_join_an_address_that_has_some_already() {
        assert_eq!(
            with_parameters("http://a/b", &[("c", "d e")]),
            "http://a/b?c=d+e"
        );
        assert_eq!(
            with_parameters("http://a/b?x=1", &[("c", "&")]),
            "http://a/b?x=1&c=%26"
        );
    }
}
