//! The settings about people: who signs in with Google, who the admins are, and which deployments sign in for others.

use sha2::{Digest, Sha256};

use crate::config::forms;
use crate::config::reader::SettingsReader;
use crate::domain::key::secret::Secret;
use crate::domain::policy::origin::Origin;
use crate::domain::policy::relay::{Relay, TrustedOrigins};
use crate::ports::upstreams::OAuthApp;

impl SettingsReader<'_> {
    /// Our app at Google. Unlike GitHub's, it is not missed if it is not there; one half of it is.
    pub(crate) fn google(&mut self) -> Option<OAuthApp> {
        const SETTINGS: [&str; 2] = ["GOOGLE_OAUTH_CLIENT_ID", "GOOGLE_OAUTH_CLIENT_SECRET"];
        if SETTINGS.iter().all(|setting| self.text(setting).is_none()) {
            return None;
        }
        let [client_id, client_secret] = SETTINGS.map(|setting| self.credential(setting));
        Some(OAuthApp {
            client_id: client_id?,
            client_secret: Secret::new(client_secret?),
        })
    }

    pub(crate) fn google_domains(&mut self) -> Vec<String> {
        const SETTING: &str = "GOOGLE_ALLOWED_DOMAINS";
        let domains = self.list(SETTING);
        if !domains.iter().all(|domain| forms::is_domain(domain)) {
            self.wrong(SETTING, "must be domains separated by commas");
        }
        domains
    }

    pub(crate) fn relay_secrets(&mut self) -> Vec<Secret> {
        self.secrets("RELAY_SECRET").unwrap_or_default()
    }

    /// Whether this deployment signs people in for its previews, or is a preview. `has_secret` is false if `RELAY_SECRET`
    /// is missing.
    pub(crate) fn relay(&mut self, ours: Option<&Origin>, has_secret: bool) -> Relay {
        const TRUSTED: &str = "TRUSTED_ORIGINS";
        const RELAY: &str = "RELAY_ORIGIN";
        let in_development = ours.is_some_and(Origin::is_development);
        let trusted = self.list(TRUSTED);
        let origins = TrustedOrigins::parse(&trusted, in_development);
        if origins.is_none() {
            self.wrong(
                TRUSTED,
                "must be https origins separated by commas; at most one begins with *. below a domain of its own",
            );
        }
        let origins = origins.filter(|_| !trusted.is_empty());
        let Some(text) = self.text(RELAY) else {
            if origins.is_some() && !has_secret {
                self.closes("RELAY_SECRET", "missing: nobody signs in for a preview");
            }
            return origins
                .filter(|_| has_secret)
                .map_or(Relay::Off, Relay::For);
        };
        let origin = Origin::parse(&text).filter(|origin| Some(origin) != ours);
        if origin.is_none() || !trusted.is_empty() {
            self.wrong(
                RELAY,
                "must be the https origin of another deployment, and stand without TRUSTED_ORIGINS",
            );
        }
        if !has_secret {
            self.wrong("RELAY_SECRET", "RELAY_ORIGIN needs it");
        }
        origin.map_or(Relay::Off, Relay::Through)
    }

    /// The admins by the names that the database knows them by: account numbers of GitHub, and SHA-256 of addresses. A
    /// preview has none, since the code of any branch runs there.
    pub(crate) fn admins(&mut self, relay: &Relay) -> Vec<String> {
        const IDS: &str = "ADMIN_GITHUB_USER_IDS";
        const EMAILS: &str = "ADMIN_EMAILS";
        let mut admins = self.list(IDS);
        let is_id = |id: &String| id.parse::<u64>().is_ok_and(|n| n.to_string() == *id);
        if !admins.iter().all(is_id) {
            self.wrong(IDS, "must be numeric ids separated by commas");
        }
        let emails = self.list(EMAILS);
        if !emails.iter().all(|email| forms::is_email(email)) {
            self.wrong(EMAILS, "must be e-mail addresses separated by commas");
        }
        admins.extend(emails.iter().map(|email| admin_name(email)));
        if matches!(relay, Relay::Through(_)) && !admins.is_empty() {
            self.closes(IDS, "a preview has no admins");
            return Vec::new();
        }
        admins
    }

    /// The entries of a list that is separated by commas, in lower case.
    fn list(&self, setting: &str) -> Vec<String> {
        let text = self.text(setting).unwrap_or_default();
        let entries = text
            .split(',')
            .map(|entry| entry.trim().to_ascii_lowercase());
        entries.filter(|entry| !entry.is_empty()).collect()
    }
}

/// The name of the admin with this e-mail address, which is in lower case. The database has no address of an admin.
pub fn admin_name(email: &str) -> String {
    hex::encode(Sha256::digest(email.as_bytes()))
}
