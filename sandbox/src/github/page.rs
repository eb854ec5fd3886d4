//! The authorize page: plain HTML without scripts or inline styles, and its stylesheet.

use super::{authorize::Asked, personas::PERSONAS};
use crate::message::Response;

const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

pub(crate) fn stylesheet() -> Response {
    Response::typed(
        200,
        "text/css; charset=utf-8",
        include_str!("style.css").to_owned(),
    )
}

/// The form has no action: it posts to its own address, so that the query is sent too.
pub(super) fn authorize(asked: &Asked) -> Response {
    let scope = if asked.scope.is_empty() {
        "public profile only"
    } else {
        &asked.scope
    };
    let personas: String = PERSONAS
        .iter()
        .map(|persona| choice(&persona.id, persona.line))
        .collect();
    let page = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox: authorize an application</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/github/style.css">
</head>
<body>
<main>
<p class="notice">This is a sandbox on your own machine, not GitHub. No account and no password is involved.</p>
<h1>Who signs in?</h1>
<p>An application asks to read an account.</p>
<dl>
<dt>Application</dt><dd><code>{client}</code></dd>
<dt>Access</dt><dd>{scope}</dd>
<dt>Returns to</dt><dd><code>{redirect}</code></dd>
<dt>Account</dt><dd>{account}</dd>
</dl>
<form method="post">
<ul>
{personas}</ul>
</form>
</main>
</body>
</html>
"#,
        client = escape(&asked.client_id),
        scope = escape(scope),
        redirect = escape(&asked.redirect_uri),
        account = if asked.prompt.is_some() {
            "to be chosen (<code>prompt=select_account</code>)"
        } else {
            "GitHub would take the one that is signed in there"
        },
    );
    Response::html(200, page)
        .with("content-security-policy", POLICY)
        .with("cache-control", "no-store")
}

fn choice(id: &str, line: &str) -> String {
    format!(
        "<li><button name=\"persona\" value=\"{id}\"><strong>{id}</strong> <span>{line}</span></button></li>\n"
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn text_from_the_address_cannot_become_markup() {
        assert_eq!(
            escape(r#"<b a="1" c='2'>&"#),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;"
        );
    }
}
