//! The directories that say who has left: a Google Workspace, and an organization at GitHub. Each needs two settings. With
//! one of the two, or with a key file that cannot be read, offboarding skips that directory and says why.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::config::reader::SettingsReader;
use crate::domain::key::secret::Secret;
use crate::ports::json::members::read_typed;
use crate::ports::json::parse;
use crate::ports::upstreams::{Organization, ServiceAccount};

const PEM_BEGINS: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_ENDS: &str = "-----END PRIVATE KEY-----";

/// What the settings say about a directory.
pub enum Directory<T> {
    /// Neither setting is there.
    Unset,
    /// One of the two settings is missing.
    Incomplete,
    /// The key file cannot be read.
    Malformed,
    Ready(T),
}

pub type DirectorySetting = Directory<ServiceAccount>;
pub type OrganizationSetting = Directory<Organization>;

impl<T> Directory<T> {
    /// Answers whether any of its settings is there.
    pub const fn is_set(&self) -> bool {
        !matches!(self, Self::Unset)
    }
}

/// The members of a service account's key file that are needed.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
}

impl SettingsReader<'_> {
    pub(crate) fn directory(&mut self, domains: &[String]) -> DirectorySetting {
        const KEY: &str = "GOOGLE_SA_KEY_JSON";
        const SUBJECT: &str = "GOOGLE_DIRECTORY_SUBJECT";
        let (key, subject) = match (self.text(KEY), self.text(SUBJECT)) {
            (None, None) => return Directory::Unset,
            (Some(key), Some(subject)) => (key, subject),
            (key, _) => {
                let missing = if key.is_some() { SUBJECT } else { KEY };
                self.closes(missing, "missing: the directory is not asked who has left");
                return Directory::Incomplete;
            }
        };
        let account = key_file(&key).and_then(|file| {
            Some(ServiceAccount {
                key: Secret::new(pkcs8(&file.private_key)?),
                email: file.client_email,
                key_id: file.private_key_id,
                subject: subject.to_ascii_lowercase(),
                domains: domains.to_vec(),
            })
        });
        let Some(account) = account else {
            self.closes(
                KEY,
                "not the key file of a service account: the directory is not asked who has left",
            );
            return Directory::Malformed;
        };
        Directory::Ready(account)
    }

    pub(crate) fn organization(&mut self) -> OrganizationSetting {
        const LOGIN: &str = "GITHUB_ORG";
        const TOKEN: &str = "GITHUB_ORG_TOKEN";
        let (login, token) = match (self.text(LOGIN), self.text(TOKEN)) {
            (None, None) => return Directory::Unset,
            (Some(login), Some(token)) => (login, token),
            (login, _) => {
                let missing = if login.is_some() { TOKEN } else { LOGIN };
                self.closes(
                    missing,
                    "missing: the organization is not asked who has left",
                );
                return Directory::Incomplete;
            }
        };
        if !is_login(&login) {
            self.wrong(LOGIN, "must be the login of an organization");
        }
        if token.bytes().any(|byte| !byte.is_ascii_graphic()) {
            self.wrong(TOKEN, "must be visible ASCII characters without spaces");
        }
        let token = Secret::new(token);
        Directory::Ready(Organization { login, token })
    }
}

/// Reads the key file, which may also be written in base64.
fn key_file(text: &str) -> Option<KeyFile> {
    let plain = if text.starts_with('{') {
        text.as_bytes().to_vec()
    } else {
        let packed: String = text.split_ascii_whitespace().collect();
        STANDARD.decode(packed).ok()?
    };
    let file: KeyFile = read_typed(parse(&plain)?).ok()?;
    (file.client_email.contains('@')).then_some(file)
}

/// The private key of a PEM text as base64 of PKCS#8, without the lines around it.
fn pkcs8(pem: &str) -> Option<String> {
    let body = pem
        .trim()
        .strip_prefix(PEM_BEGINS)?
        .strip_suffix(PEM_ENDS)?;
    let body: String = body.split_ascii_whitespace().collect();
    (!body.is_empty() && STANDARD.decode(&body).is_ok()).then_some(body)
}

/// Answers whether a text is the login of an organization: letters, digits and single hyphens, at most 39 of them.
fn is_login(text: &str) -> bool {
    (1..=39).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_read_plain_and_in_base64_and_anything_else_is_malformed() {
        let good = r#"{"client_email":"a@b.example","private_key":"-----BEGIN PRIVATE KEY-----\nbm90\nLWE=\n-----END PRIVATE KEY-----\n"}"#;
        let read = key_file(good).unwrap();
        assert_eq!(pkcs8(&read.private_key).as_deref(), Some("bm90LWE="));
        assert!(key_file(&STANDARD.encode(good)).is_some());
        for bad in [
            "",
            "{",
            "null",
            "bm90IGpzb24=",
            r#"{"client_email":"a@b.example"}"#,
            r#"{"client_email":"nobody","private_key":""}"#,
            r#"{"client_email":"a@b.example","client_email":"c@b.example","private_key":""}"#,
        ] {
            assert!(key_file(bad).is_none(), "{bad}");
        }
        for bad in [
            "",
            "bm90LWE=",
            "-----BEGIN RSA PRIVATE KEY-----\nbm90\n-----END RSA PRIVATE KEY-----",
        ] {
            assert!(pkcs8(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn an_organization_has_a_login_that_fits_into_a_path() {
        assert!(is_login("sandbox-company"));
        for bad in ["", "a/b", "a b", "a?b", "..", &"a".repeat(40)] {
            assert!(!is_login(bad), "{bad}");
        }
    }
}
