//! Signing in for previews. A preview is a deployment of another branch under a host of its own, with a database of its
//! own. No provider knows its address, so its people sign in through the deployment whose callback is registered, which
//! sends them back with a ticket.

use crate::domain::policy::origin::Origin;

/// The part that this deployment has in signing people in for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relay {
    Off,
    /// It signs people in for these previews.
    For(TrustedOrigins),
    /// It is a preview, and its people sign in at this deployment.
    Through(Origin),
}

/// The origins to which people are sent back with a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedOrigins {
    exact: Vec<Origin>,
    /// The part of a host behind any one label, with its dot.
    below: Option<String>,
}

/// How an entry begins that stands for any one label.
const WILDCARD: &str = "https://*.";
/// The fewest labels behind a wildcard. With fewer, it would stand below a domain that people share.
const LABELS_BELOW: usize = 3;

impl TrustedOrigins {
    /// Reads the list. Returns `None` if an entry is no https origin, if there are two wildcards, or if one does not stand
    /// below a domain of the operator's own. Loopback is trusted only in development: anything may listen there.
    pub fn parse(entries: &[String], in_development: bool) -> Option<Self> {
        let (wild, exact): (Vec<&String>, Vec<&String>) = entries
            .iter()
            .partition(|entry| entry.starts_with(WILDCARD));
        let exact: Option<Vec<Origin>> = exact
            .into_iter()
            .map(|entry| Origin::parse(entry))
            .collect();
        let is_trusted = |origin: &Origin| {
            !origin.host().contains('*') && (in_development || !origin.is_development())
        };
        let exact = exact.filter(|all| all.iter().all(is_trusted))?;
        let below = match wild.as_slice() {
            [] => None,
            [entry] => Some(below(entry)?),
            _ => return None,
        };
        Some(Self { exact, below })
    }

    /// The origin of this text, if it is trusted.
    pub fn find(&self, text: &str) -> Option<Origin> {
        let origin = Origin::parse(text).filter(|origin| origin.as_str() == text)?;
        let is_below = || {
            let below = self.below.as_deref()?;
            let label = origin
                .as_str()
                .strip_prefix("https://")?
                .strip_suffix(below)?;
            is_label(label).then_some(())
        };
        (self.exact.contains(&origin) || is_below().is_some()).then_some(origin)
    }
}

fn below(entry: &str) -> Option<String> {
    let host = entry.strip_prefix(WILDCARD)?;
    let origin = Origin::parse(&format!("https://{host}"))?;
    let is_bare = origin.host() == host && host.split('.').all(is_label);
    (is_bare && host.split('.').count() >= LABELS_BELOW).then(|| format!(".{host}"))
}

fn is_label(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted(entries: &[&str]) -> Option<TrustedOrigins> {
        let entries: Vec<String> = entries.iter().map(|entry| (*entry).to_owned()).collect();
        TrustedOrigins::parse(&entries, false)
    }

    #[test]
    fn only_origins_of_the_list_and_one_label_below_its_wildcard_are_trusted() {
        let list = trusted(&["https://next.example.org", "https://*.preview.example.org"]).unwrap();
        for good in [
            "https://next.example.org",
            "https://pr-7.preview.example.org",
            "https://7.preview.example.org",
        ] {
            assert_eq!(list.find(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "next.example.org",
            "http://next.example.org",
            "https://next.example.org/",
            "https://next.example.org:8443",
            "https://NEXT.example.org",
            "https://next.example.org.evil.example",
            "https://preview.example.org",
            "https://.preview.example.org",
            "https://a.b.preview.example.org",
            "https://evil.example/.preview.example.org",
            "https://evil.example#.preview.example.org",
            "https://evil@x.preview.example.org",
            "https://x.preview.example.org:1",
            "https://x_y.preview.example.org",
            "https://*.preview.example.org",
            "https://other.example.org",
        ] {
            assert_eq!(list.find(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_list_that_trusts_too_much_is_refused() {
        for bad in [
            &["http://preview.example.org"][..],
            &["https://preview.example.org/path"],
            &["https://*.example.org"],
            &["https://*.workers.example"],
            &["https://a.*.preview.example.org"],
            &["https://*.*.preview.example.org"],
            &["https://*.preview.example.org:8443"],
            &[
                "https://*.a.preview.example.org",
                "https://*.b.preview.example.org",
            ],
            &["http://localhost:8788"],
            &["preview.example.org"],
        ] {
            assert_eq!(trusted(bad), None, "{bad:?}");
        }
        let local = [String::from("http://localhost:8788")];
        let local = TrustedOrigins::parse(&local, true).unwrap();
        assert!(local.find("http://localhost:8788").is_some());
        assert_eq!(local.find("http://localhost:8789"), None);
    }
}
