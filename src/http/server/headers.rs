//! The security headers of every answer. `public/_headers` has the same set for static files; a test compares the two.

/// The security headers, in the order of `public/_headers`.
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
    // Not `no-referrer`: with it, a form that is sent without scripts carries `Origin: null`.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), microphone=(), midi=(), payment=(), usb=(), clipboard-read=(), clipboard-write=(self)",
    ),
];

/// An answer is about one person, or about this moment: nobody may store it. Nobody may rewrite it on the way either:
/// our policy would block what a proxy or a feature of the Cloudflare zone adds to a page, and our scripts would miss
/// what it removes.
pub const NO_STORE: (&str, &str) = ("cache-control", "no-store, no-transform");

/// Returns the headers that every answer has.
pub fn fixed() -> impl Iterator<Item = (&'static str, &'static str)> {
    SECURITY.into_iter().chain([NO_STORE])
}
