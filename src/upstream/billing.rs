//! Billing providers: services at which a member signs in with an account of their own, and which then make a key that
//! this account pays for.
//!
//! A provider is three things: where a person signs in, the one call that turns what came back into a key, and the member
//! of its answer that has the key. A further provider is one file beside these and one line in [`PROVIDERS`]; the
//! migration that adds its row says what members read about it.

pub mod daydream;
pub mod openrouter;
pub mod provider;

use crate::upstream::billing::provider::BillingProvider;

/// Every provider that the code knows.
pub static PROVIDERS: [&BillingProvider; 2] = [&openrouter::OPENROUTER, &daydream::DAYDREAM];

/// The provider of this name.
pub fn provider(slug: &str) -> Option<&'static BillingProvider> {
    PROVIDERS.into_iter().find(|provider| provider.slug == slug)
}

#[cfg(test)]
mod tests {
    use super::provider::*;
    use super::*;
    use crate::ports::Answer;

    fn answer(status: u16, content_type: &str, body: &str) -> Answer {
        Answer {
            status,
            content_type: content_type.to_owned(),
            retry_after: None,
            age: None,
            cache_control: None,
            body: body.as_bytes().to_vec(),
        }
    }

    fn told(provider: &BillingProvider, answer: &Answer) -> &'static str {
        match provider.read(answer) {
            Exchanged::Key(_) => "key",
            Exchanged::Refused => "refused",
            Exchanged::Unknown => "unknown",
        }
    }

    #[test]
    fn an_answer_that_does_not_say_that_no_key_was_made_is_unknown() {
        let key = r#"{"key":"visibly-fake-key-0000"}"#;
        for (status, kind, body, expected) in [
            (200, "application/json", key, "key"),
            (201, "text/plain", key, "key"),
            (200, "application/json", r#"{"key":"short"}"#, "unknown"),
            (200, "application/json", r#"{"key":1}"#, "unknown"),
            (
                200,
                "application/json",
                r#"{"other":"visibly-fake-key-0000"}"#,
                "unknown",
            ),
            (200, "text/html", "<!doctype html>", "unknown"),
            (302, "", "", "unknown"),
            (400, "application/json", "{}", "refused"),
            (401, "text/plain", "expired", "refused"),
            (
                403,
                "text/html; charset=utf-8",
                "<!doctype html>",
                "unknown",
            ),
            (408, "application/json", "{}", "unknown"),
            (429, "application/json", "{}", "refused"),
            (500, "text/plain", "oops", "unknown"),
        ] {
            for provider in PROVIDERS {
                assert_eq!(
                    told(provider, &answer(status, kind, body)),
                    expected,
                    "{status} {kind} {body}"
                );
            }
        }
    }

    #[test]
    fn daydreams_key_may_have_any_of_three_names() {
        for name in ["apiKey", "api_key", "key"] {
            let body = format!(r#"{{"{name}":"visibly-fake-key-0000"}}"#);
            assert_eq!(
                told(&daydream::DAYDREAM, &answer(200, "application/json", &body)),
                "key"
            );
        }
    }

    #[test]
    fn a_mask_shows_a_beginning_and_an_end() {
        assert_eq!(mask("sk-or-v1-5a4db0c5deadbeef"), "sk-or-v1-5a4...eef");
        assert_eq!(mask("visibly-fake-key-0000"), "visi...000");
        assert_eq!(mask(""), "...");
    }
}
