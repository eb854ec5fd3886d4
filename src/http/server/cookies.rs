//! Our cookies. Their prefix is `__Host-`, so browsers take them only with `Secure`, with `Path=/` and without
//! `Domain`. They are also `HttpOnly` and `SameSite=Lax`.

use crate::domain::id::PublicId;

/// The cookie of the session.
pub const SESSION: &str = "__Host-keycap_session";
/// The cookie of a sign-in attempt begins with this; its suffix lets two tabs sign in at once.
const ATTEMPT_PREFIX: &str = "__Host-keycap_attempt_";

/// A sign-out sets this cookie until the next start, which then asks for the account.
pub const SIGNED_OUT: &str = "__Host-keycap_signed_out";

/// The cookie with the verifier of a hand-off begins with this; the digits of the hand-off's id follow.
const HANDOFF_PREFIX: &str = "__Host-keycap_handoff_";

/// The name of the cookie of the hand-off with this id.
pub fn handoff_name(id: &PublicId) -> String {
    let digits = id.as_str().split('_').nth(1).unwrap_or_default();
    format!("{HANDOFF_PREFIX}{digits}")
}

/// Returns the names of the browser's hand-offs, in the order in which it sent them.
pub fn handoffs(header: Option<&str>) -> impl Iterator<Item = &str> {
    pairs(header).map(|(name, _)| name).filter(|name| {
        let digits = name.strip_prefix(HANDOFF_PREFIX);
        digits.is_some_and(|digits| {
            digits.len() == 24 && digits.bytes().all(|b| b.is_ascii_hexdigit())
        })
    })
}

pub fn attempt_name(suffix: &str) -> String {
    format!("{ATTEMPT_PREFIX}{suffix}")
}

/// Whether a text has the form of a suffix: eight hexadecimal digits.
pub fn is_attempt_suffix(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Returns the value of the cookie with exactly this name. The first one counts.
pub fn value<'a>(header: Option<&'a str>, name: &str) -> Option<&'a str> {
    pairs(header)
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

/// Returns the names and values of the browser's sign-in attempts, in the order in which it sent them.
pub fn attempts(header: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    pairs(header).filter(|(name, _)| {
        let suffix = name.strip_prefix(ATTEMPT_PREFIX);
        suffix.is_some_and(is_attempt_suffix)
    })
}

fn pairs(header: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let pairs = header.unwrap_or_default().split(';');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (trimmed(name), trimmed(value)))
}

/// Trims only the blanks of the grammar: a wider trim would let a look-alike name pass as ours.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Returns a `Set-Cookie` line that lasts `secs` seconds. `value` is base64url or hexadecimal, as all of ours are.
pub fn set(name: &str, value: &str, secs: i64) -> String {
    format!("{name}={value}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age={secs}")
}

/// Returns a `Set-Cookie` line that ends the cookie.
pub fn clear(name: &str) -> String {
    set(name, "", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_cookie_is_host_bound_http_only_secure_and_lax() {
        assert_eq!(
            set(SESSION, "v", 60),
            "__Host-keycap_session=v; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"
        );
        assert!(clear(SESSION).ends_with("Max-Age=0"));
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name() {
        let header = Some("a=1; __Host-keycap_session=x.y.z; b");
        assert_eq!(value(header, SESSION), Some("x.y.z"));
        assert_eq!(value(header, "b"), None);
        assert_eq!(value(Some("x__Host-keycap_session=1"), SESSION), None);
        assert_eq!(value(None, SESSION), None);
    }
}
