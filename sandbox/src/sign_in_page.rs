//! The sign-in pages of the billing providers: plain HTML with one button for each choice. The form has no action: it posts
//! to its own address, so that the query is sent too.

use crate::message::{Request, Response, first, form};

const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

/// What the person chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    SignIn,
    /// Back to the application, with an error.
    Decline,
    /// Nowhere: the person closes the page.
    WalkAway,
}

/// The choice in a posted form; `None` for any other.
pub(crate) fn choice(request: &Request) -> Option<Choice> {
    match first(&form(&request.body), "choice")?.as_str() {
        "sign-in" => Some(Choice::SignIn),
        "decline" => Some(Choice::Decline),
        "walk-away" => Some(Choice::WalkAway),
        _ => None,
    }
}

pub(crate) fn show(provider: &str, returns_to: &str) -> Response {
    let page = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox: sign in at {provider}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/github/style.css">
</head>
<body>
<main>
<p class="notice">This is a sandbox on your own machine, not {provider}. No account and no password is involved.</p>
<h1>Let an application have a key?</h1>
<p>An application asks {provider} for a key that your account pays for.</p>
<dl><dt>Returns to</dt><dd><code>{}</code></dd></dl>
<form method="post">
<ul>
<li><button name="choice" value="sign-in"><strong>Sign in</strong> <span>and let it have a key</span></button></li>
<li><button name="choice" value="decline"><strong>Decline</strong> <span>and go back</span></button></li>
<li><button name="choice" value="walk-away"><strong>Walk away</strong> <span>and never go back</span></button></li>
</ul>
</form>
</main>
</body>
</html>
"#,
        escape(returns_to)
    );
    Response::html(200, page)
        .with("content-security-policy", POLICY)
        .with("cache-control", "no-store")
}

/// Redirects to an address with these parameters added.
pub(crate) fn send_back(address: &str, parameters: &[(&str, &str)]) -> Response {
    let mark = if address.contains('?') { '&' } else { '?' };
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(parameters)
        .finish();
    Response::empty(302)
        .with("location", &format!("{address}{mark}{query}"))
        .with("cache-control", "no-store")
}

pub(crate) fn walked_away() -> Response {
    Response::html(
        200,
        "<!doctype html><title>Nobody is here</title><h1>You walked away</h1>".to_owned(),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
