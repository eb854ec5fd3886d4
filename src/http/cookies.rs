//! Our cookies: `__Host-`, so Secure, without Domain and for the whole origin; HttpOnly; SameSite=Lax.

/// The session (S4-07).
pub const SESSION: &str = "__Host-keycap_session";
/// A sign-in attempt; the suffix lets two tabs sign in at once (A9).
const ATTEMPT_PREFIX: &str = "__Host-keycap_attempt_";

pub fn attempt_name(suffix: &str) -> String {
    format!("{ATTEMPT_PREFIX}{suffix}")
}

/// The value of a cookie of this exact name. The first one counts.
pub fn value<'a>(header: Option<&'a str>, name: &str) -> Option<&'a str> {
    let pairs = header?.split(';').filter_map(|pair| pair.split_once('='));
    // Only the blanks of the grammar: a wider trim would let a look-alike name pass as ours.
    let bare = |text: &'a str| text.trim_matches([' ', '\t']);
    let mut named = pairs.filter(|(key, _)| bare(key) == name);
    named.next().map(|(_, value)| bare(value))
}

/// A `Set-Cookie` that lasts `secs`. Its value is of base64url or hexadecimal, as ours are.
pub fn set(name: &str, value: &str, secs: i64) -> String {
    format!("{name}={value}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age={secs}")
}

/// A `Set-Cookie` that ends it.
pub fn clear(name: &str) -> String {
    set(name, "", 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s4_07_the_session_cookie_is_host_bound_http_only_secure_and_lax() {
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
