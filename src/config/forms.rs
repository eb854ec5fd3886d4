//! The text forms that settings must have. Each function is pure and checks one form.

use url::Url;

/// The most bytes of a model name.
const MODEL_BYTES: usize = 128;

/// Answers whether a text consists of hexadecimal digits in groups of 8, 4, 4, 4 and 12.
pub fn is_uuid(text: &str) -> bool {
    text.split('-').map(str::len).eq([8, 4, 4, 4, 12])
        && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

/// Answers whether a text is the name of an OpenRouter model: `author/model`, with `~` in front of a name whose model
/// changes, and possibly `:variant` at the end. It contains no character with a meaning in a shell, JSON or TOML,
/// because the examples quote it there.
pub fn is_model(text: &str) -> bool {
    let plain = text.strip_prefix('~').unwrap_or(text);
    let (name, variant) = plain.split_once(':').unwrap_or((plain, "none"));
    let Some((author, model)) = name.split_once('/') else {
        return false;
    };
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphanumeric())
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    text.len() <= MODEL_BYTES && [author, model, variant].into_iter().all(is_word)
}

/// Answers whether a text is a domain in lower case: labels of letters, digits and hyphens, and at least two of them.
pub fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

/// Answers whether a text has the form of an e-mail address in lower case.
pub fn is_email(text: &str) -> bool {
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
    text.len() <= 254
        && text
            .rsplit_once('@')
            .is_some_and(|(name, domain)| plain(name) && is_domain(domain))
}

/// Reads the address of a page to link to. It must be https, without a user name or a password.
pub fn link(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare = url.username().is_empty() && url.password().is_none();
    (url.scheme() == "https" && url.host().is_some() && bare).then_some(url)
}

/// Reads the address to which people write: a page, or a mail address (RFC 9116, section 2.5.3).
pub fn contact(text: &str) -> Option<Url> {
    let mail = |url: &Url| url.scheme() == "mailto" && url.path().contains('@');
    link(text).or_else(|| Url::parse(text).ok().filter(mail))
}

#[cfg(test)]
mod tests {
    use super::{contact, is_model, link};

    #[test]
    fn a_model_is_an_openrouter_name_without_characters_that_code_would_interpret() {
        for good in [
            "~openai/gpt-latest",
            "openai/gpt-5.1",
            "meta-llama/llama_4:free",
        ] {
            assert!(is_model(good), "{good}");
        }
        for bad in [
            "", "gpt", "openai/", "/gpt", "a/b/c", "a/b:", "a/b:c:d", "~~a/b", "a/b c", "a/b\"",
            "a/b'", "a/$b", "a/`b`", "a/b\n", "../b", "a/\u{e4}",
        ] {
            assert!(!is_model(bad), "{bad:?}");
        }
        assert!(!is_model(&format!("a/{}", "b".repeat(127))));
    }

    #[test]
    fn links_are_https_and_contacts_may_be_mail() {
        for good in ["https://code.example/keycap", "https://code.example"] {
            assert!(link(good).is_some() && contact(good).is_some(), "{good}");
        }
        assert!(contact("mailto:security@keys.example").is_some());
        for bad in [
            "http://code.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "//code.example",
            "https://user:word@code.example",
            "code.example",
            "mailto:nobody",
            "",
        ] {
            assert!(link(bad).is_none() && contact(bad).is_none(), "{bad:?}");
        }
        assert!(link("mailto:security@keys.example").is_none());
    }
}
