//! A directory as offboarding walks it, whichever it is: the pages of its people, the deleted ones, and one person.

use std::cell::RefCell;

use crate::app::context::App;
use crate::config::Config;
use crate::config::directories::Directory;
use crate::crypto::sha256_hex;
use crate::domain::key::secret::Secret;
use crate::domain::people::departure::{DirectoryKind, Doubt, Found};
use crate::domain::run::{DIRECTORY_INCOMPLETE, DIRECTORY_MALFORMED};
use crate::ports::upstreams::{Organization, ServiceAccount};
use crate::store::members::presences::Absentee;
use crate::upstream::directory::{self, DirectoryPage, Trouble};
use crate::upstream::organization;

/// The hexadecimal digits of a digest that tell one directory, or one page, from another.
const DIGITS: usize = 32;

/// A directory that is configured.
pub enum DirectorySource<'a> {
    Google {
        account: &'a ServiceAccount,
        token: RefCell<RunToken>,
    },
    GitHub(&'a Organization),
}

/// The access token of a run. A token that is refused is replaced once.
#[derive(Default)]
pub struct RunToken {
    token: Option<Secret>,
    replaced: bool,
}

impl<'a> DirectorySource<'a> {
    /// The directory of this kind; `None` if it is not configured. Fails with the code that says why it is skipped.
    pub fn of(config: &'a Config, kind: DirectoryKind) -> Result<Option<Self>, &'static str> {
        fn ready<T>(setting: &Directory<T>) -> Result<Option<&T>, &'static str> {
            match setting {
                Directory::Unset => Ok(None),
                Directory::Incomplete => Err(DIRECTORY_INCOMPLETE),
                Directory::Malformed => Err(DIRECTORY_MALFORMED),
                Directory::Ready(is) => Ok(Some(is)),
            }
        }
        Ok(match kind {
            DirectoryKind::Google => ready(&config.directory)?.map(|account| Self::Google {
                account,
                token: RefCell::default(),
            }),
            DirectoryKind::GitHub => ready(&config.organization)?.map(Self::GitHub),
        })
    }

    /// A digest of which directory this is. Another address, account, administrator or domain is another directory.
    pub fn digest(&self, config: &Config) -> String {
        let bases = &config.upstreams;
        let text = match self {
            Self::Google { account, .. } => {
                let mut domains = account.domains.clone();
                domains.sort();
                let parts = [
                    bases.google_directory.as_str(),
                    &account.email,
                    &account.subject,
                    &domains.join(","),
                ];
                parts.join("\n")
            }
            Self::GitHub(organization) => {
                let login = organization.login.to_ascii_lowercase();
                [bases.github_api.as_str(), &login].join("\n")
            }
        };
        short_digest(&text)
    }

    /// Answers whether the directory lists deleted accounts.
    pub const fn lists_deleted(&self) -> bool {
        matches!(self, Self::Google { .. })
    }

    pub async fn page(
        &self,
        app: &App,
        at: Option<&str>,
        deleted: bool,
    ) -> Result<DirectoryPage, Doubt> {
        match self {
            Self::GitHub(organization) => {
                organization::page(&app.upstream(), organization, at).await
            }
            Self::Google { account, token } => loop {
                let token = current(app, account, token).await?;
                let page = directory::page(&app.upstream(), &token, at, deleted).await;
                if let Some(answer) = self.settled(page)? {
                    return Ok(answer);
                }
            },
        }
    }

    /// What has become of a member whom no page has shown.
    pub async fn person(&self, app: &App, absentee: &Absentee) -> Result<Found, Doubt> {
        let (id, login) = (absentee.id.as_str(), absentee.login.as_str());
        match self {
            Self::GitHub(of) => organization::person(&app.upstream(), of, id, login).await,
            Self::Google { account, token } => loop {
                let token = current(app, account, token).await?;
                let found = directory::person(&app.upstream(), &token, id).await;
                if let Some(answer) = self.settled(found)? {
                    return Ok(answer);
                }
            },
        }
    }

    /// The answer, or `None` if a new token may help.
    fn settled<T>(&self, answer: Result<T, Trouble>) -> Result<Option<T>, Doubt> {
        match (answer, self) {
            (Ok(answer), _) => Ok(Some(answer)),
            (Err(Trouble::Expired), Self::Google { token, .. }) if !token.borrow().replaced => {
                *token.borrow_mut() = RunToken {
                    token: None,
                    replaced: true,
                };
                Ok(None)
            }
            (Err(Trouble::Expired), _) => Err(Doubt::Forbidden),
            (Err(Trouble::Doubt(doubt)), _) => Err(doubt),
        }
    }
}

/// The run's token. It is asked for once, when it is first needed.
async fn current(
    app: &App,
    account: &ServiceAccount,
    token: &RefCell<RunToken>,
) -> Result<Secret, Doubt> {
    let known = token.borrow().token.clone();
    if let Some(known) = known {
        return Ok(known);
    }
    let fresh = directory::token(&app.upstream(), &*app.signer, account, app.now()).await?;
    token.borrow_mut().token = Some(fresh.clone());
    Ok(fresh)
}

/// A digest that is long enough to tell texts apart.
pub fn short_digest(text: &str) -> String {
    let mut digest = sha256_hex(text.as_bytes());
    digest.truncate(DIGITS);
    digest
}
