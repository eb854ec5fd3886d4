//! The authorize page, which Google's sign-in shares: plain HTML without scripts or inline styles, and its stylesheet.

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

/// What an authorize page shows. The texts are escaped when they are written, except `access` and `account`, which are
/// markup already.
pub(crate) struct Page<'a> {
    pub provider: &'a str,
    pub stylesheet: &'a str,
    pub client: &'a str,
    pub access: &'a str,
    pub redirect: &'a str,
    pub account: &'a str,
    /// The id and the line of each persona.
    pub choices: &'a [(&'a str, &'a str)],
}

impl Page<'_> {
    /// The form has no action: it posts to its own address, so that the query is sent too.
    pub fn answer(&self) -> Response {
        let personas: String = self
            .choices
            .iter()
            .map(|(id, line)| choice(id, line))
            .collect();
        let page = format!(
            r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox: authorize an application</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{stylesheet}">
</head>
<body>
<main>
<p class="notice">This is a sandbox on your own machine, not {provider}. No account and no password is involved.</p>
<h1>Who signs in?</h1>
<p>An application asks to read an account.</p>
<dl>
<dt>Application</dt><dd><code>{client}</code></dd>
<dt>Access</dt><dd>{access}</dd>
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
            provider = self.provider,
            stylesheet = self.stylesheet,
            client = escape(self.client),
            access = self.access,
            redirect = escape(self.redirect),
            account = self.account,
        );
        Response::html(200, page)
            .with("content-security-policy", POLICY)
            .with("cache-control", "no-store")
    }
}

pub(super) fn authorize(asked: &Asked) -> Response {
    let access = match asked.scope.as_str() {
        "" => "public profile only".to_owned(),
        scope => escape(scope),
    };
    let choices: Vec<(&str, &str)> = PERSONAS
        .iter()
        .map(|persona| (persona.id.as_ref(), persona.line))
        .collect();
    Page {
        provider: "GitHub",
        stylesheet: "/github/style.css",
        client: &asked.client_id,
        access: &access,
        redirect: &asked.redirect_uri,
        account: match asked.prompt {
            Some(_) => "to be chosen (<code>prompt=select_account</code>)",
            None => "GitHub would take the one that is signed in there",
        },
        choices: &choices,
    }
    .answer()
}

fn choice(id: &str, line: &str) -> String {
    format!(
        "<li><button name=\"persona\" value=\"{id}\"><strong>{id}</strong> <span>{line}</span></button></li>\n"
    )
}

pub(crate) fn escape(text: &str) -> String {
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
