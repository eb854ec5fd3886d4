//! What the start page says when a sign-in came back without a session.

use crate::config::Config;
use crate::domain::people::identity::Provider;

/// Why a sign-in came back without a session, in words.
pub struct SignInNotice {
    pub title: String,
    pub text: String,
    pub provider: Provider,
    /// People can sign in with this provider here.
    pub is_offered: bool,
    /// The refusal is about this account, so another account is offered beside it.
    pub another_account: bool,
}

/// How a code begins that is about Google. A code without it is about GitHub, or about no provider.
const OF_GOOGLE: &str = "google_";

/// The codes that are about the account: another one may do.
const OF_THE_ACCOUNT: [&str; 5] = [
    "denied",
    "blocked",
    "not_a_person",
    "account_suspended",
    "unverified_email",
];

impl SignInNotice {
    pub fn of(config: &Config, code: &str) -> Self {
        let (provider, code) = match code.strip_prefix(OF_GOOGLE) {
            Some(code) => (Provider::Google, code),
            None => (Provider::GitHub, code),
        };
        let name = provider.title();
        let (title, text) = in_words(code);
        Self {
            title: title.replace("{provider}", name),
            text: text.replace("{provider}", name),
            provider,
            is_offered: config.signs_in_with(provider),
            another_account: OF_THE_ACCOUNT.contains(&code),
        }
    }
}

/// Says in words why a sign-in came back without a session, without blame, and what to do. The provider's name is filled
/// in afterwards.
fn in_words(code: &str) -> (&'static str, &'static str) {
    match code {
        "denied" => (
            "You did not sign in.",
            "{provider} says that you declined. Nothing was changed. Continue with {provider} whenever you like.",
        ),
        "state" => (
            "That sign-in could not be matched to this browser.",
            "It was too old, was used before, or began in another browser. Start again from here.",
        ),
        "expired" => (
            "That sign-in took too long.",
            "{provider}'s code lasts ten minutes and works once. Start again from here.",
        ),
        "blocked" => (
            "This account may not use keys here.",
            "The people who run this service blocked it. Ask them if you think that is wrong.",
        ),
        "not_a_person" => (
            "That is not a person's account.",
            "Only personal {provider} accounts can claim; bots and organisations cannot.",
        ),
        "account_suspended" => (
            "{provider} says that your account is suspended.",
            "Ask {provider} to restore it, then sign in again.",
        ),
        "unverified_email" => (
            "{provider} says that your e-mail address is not verified.",
            "Verify your primary address in {provider}'s settings, then sign in again.",
        ),
        "unproved" => (
            "{provider}'s answer could not be verified.",
            "It did not prove who you are, so you are not signed in. Start again from here.",
        ),
        "rate_limited" => (
            "{provider} asked this service to slow down.",
            "There were too many sign-ins in a short time. Try again in a few minutes.",
        ),
        "github_unavailable" | "unavailable" => (
            "{provider} did not answer.",
            "You are not signed in. Try again in a minute.",
        ),
        "storage_unavailable" => (
            "Your sign-in could not be saved.",
            "You are not signed in. Try again in a minute.",
        ),
        "unknown_preview" => (
            "That preview is not known here.",
            "This service signs people in only for previews that it lists. The people who run it can add one.",
        ),
        "not_configured" | "misconfigured" | "suspended_app" => (
            "Sign-in with {provider} does not work here at the moment.",
            "The people who run this service have to repair its connection to {provider}.",
        ),
        _ => (
            "You are not signed in.",
            "Something went wrong on the way. Start again from here.",
        ),
    }
}
