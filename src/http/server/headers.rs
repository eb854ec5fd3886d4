//! The security headers of every answer. `public/_headers` has the same set for static files; a test compares the two.

/// In the order of `public/_headers`.
pub const SECURITY: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types lit-html",
    ),
    (
        "strict-transport-security",
        "max-age=63072000; includeSubDomains",
    ),
    ("x-content-type-options", "nosniff"),
    // Not `no-referrer`: under it a form sent without scripts carries `Origin: null`.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), payment=(), usb=(), clipboard-read=(), clipboard-write=(self)",
    ),
];

/// Answers are about somebody, or about this moment: nobody keeps them. And nobody rewrites them on the way: what a proxy or
/// a feature of the zone puts into a page, our policy would block, and what it takes out, our scripts would miss.
pub const NO_STORE: (&str, &str) = ("cache-control", "no-store, no-transform");

/// What every answer has, whatever it is.
pub fn fixed() -> impl Iterator<Item = (&'static str, &'static str)> {
    SECURITY.into_iter().chain([NO_STORE])
}
