//! Canaries: every secret of a run. None of them may be in a value of the database, a line of the log or an answer,
//! except that the one answer which delivers a fresh key contains its secret. OpenRouter's hashes are in no answer and
//! no log line either: a hash is enough to have a key disabled.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use sandbox::Sandbox;

use super::browser::Response;
use super::database::Sqlite;

/// A shorter text is not treated as a secret.
const SHORTEST: usize = 16;
/// Number of characters at the end of a secret that are searched for. Giving half of a secret away is a leak too, and
/// the beginning of a session token is the same for everybody.
const LOOKED_FOR: usize = 32;

#[derive(Clone)]
pub struct Canaries {
    sandbox: Rc<RefCell<Sandbox>>,
    /// Secrets in the settings, and what only GitHub receives: a description of each, and its last characters.
    ours: Rc<RefCell<BTreeSet<(&'static str, String)>>>,
    /// Cookies may be in answers, and must not be stored anywhere.
    cookies: Rc<RefCell<BTreeSet<String>>>,
    /// Every secret that was in the answer that it was made for.
    delivered: Rc<RefCell<Vec<String>>>,
}

impl Canaries {
    pub fn new(sandbox: Rc<RefCell<Sandbox>>, delivered: Rc<RefCell<Vec<String>>>) -> Self {
        Self {
            sandbox,
            ours: Rc::default(),
            cookies: Rc::default(),
            delivered,
        }
    }

    /// The same canaries, searched for in copies of the sandbox and of the delivered secrets.
    pub fn copied(&self, sandbox: Rc<RefCell<Sandbox>>, to: Rc<RefCell<Vec<String>>>) -> Self {
        let copy = Self::new(sandbox, to);
        copy.ours.borrow_mut().clone_from(&self.ours.borrow());
        copy.cookies.borrow_mut().clone_from(&self.cookies.borrow());
        copy
    }

    /// From now on this text is a secret. `what` describes it.
    pub fn watch(&self, what: &'static str, secret: &str) {
        if secret.len() >= SHORTEST {
            self.ours.borrow_mut().insert((what, end(secret)));
        }
    }

    /// Checks an answer before it leaves. `delivers` is true if the answer may contain the secret of a key.
    pub fn look_at(&self, response: &Response, delivers: bool) {
        let mut text = response.body.clone();
        for (_, value) in &response.headers {
            text.push('\n');
            text.push_str(&String::from_utf8_lossy(value.as_bytes()));
        }
        if delivers
            && [200, 201].contains(&response.status)
            && let Some(secret) = response.secret()
        {
            text = text.replacen(&secret, "", 1);
            self.delivered.borrow_mut().push(secret);
        }
        for (what, canary) in self.all() {
            assert!(!text.contains(&canary), "{what} in an answer: {response:?}");
        }
        for hash in self.hashes() {
            assert!(!text.contains(&hash), "a hash in an answer: {response:?}");
        }
        let set = response.headers.get_all("set-cookie").into_iter();
        for value in set.filter_map(|set| set.to_str().ok()?.split(['=', ';']).nth(1)) {
            if value.len() >= LOOKED_FOR {
                self.cookies.borrow_mut().insert(end(value));
            }
        }
    }

    /// Checks what is stored: every value of the database, and the log.
    pub fn look_at_rest(&self, db: &Sqlite, log: &str) {
        let mut all = self.all();
        let cookies = self.cookies.borrow();
        all.extend(cookies.iter().map(|cookie| ("a cookie", cookie.clone())));
        let needles: Vec<&str> = all.iter().map(|(_, canary)| canary.as_str()).collect();
        if let Some(found) = first_in(&db.dump(), &needles) {
            panic!("{} at rest", all[found].0);
        }
        if let Some(found) = first_in(log, &needles) {
            panic!("{} in the log", all[found].0);
        }
        let hashes = self.hashes();
        let hashes: Vec<&str> = hashes.iter().map(String::as_str).collect();
        assert_eq!(first_in(log, &hashes), None, "a hash in the log");
    }

    /// Everything that nobody may see: a description of each secret, and its last characters.
    fn all(&self) -> Vec<(&'static str, String)> {
        let sandbox = self.sandbox.borrow();
        let ledger = sandbox.ledger();
        let delivered = self.delivered.borrow();
        let minted = ledger.secrets_minted.iter().chain(delivered.iter());
        let tokens = ledger.github_tokens.iter();
        let mut all: Vec<_> = self.ours.borrow().iter().cloned().collect();
        all.extend(minted.map(|secret| ("a key's secret", end(secret))));
        let returned = ledger.sign_in_values.iter();
        all.extend(returned.map(|value| ("what a provider sent back", end(value))));
        let of_directory = ledger.directory_tokens.iter();
        all.extend(of_directory.map(|token| ("a token for the directory", end(token))));
        all.extend(tokens.map(|token| ("GitHub's token", end(&token.access_token))));
        for token in &ledger.google_tokens {
            all.push(("Google's token", end(&token.access_token)));
            all.push(("Google's ID token", end(&token.id_token)));
        }
        all
    }

    fn hashes(&self) -> Vec<String> {
        let sandbox = self.sandbox.borrow();
        let keys = sandbox.ledger().keys.iter().map(|key| end(&key.hash));
        let linked = sandbox.ledger().linked_keys.iter();
        let linked = linked.map(|key| end(&sandbox::sha256_hex(key.secret.as_bytes())));
        keys.chain(linked).collect()
    }
}

/// The position of the first needle that is in the text.
fn first_in(text: &str, needles: &[&str]) -> Option<usize> {
    let is_there =
        |needle: &&str| memchr::memmem::find(text.as_bytes(), needle.as_bytes()).is_some();
    needles.iter().position(is_there)
}

fn end(secret: &str) -> String {
    secret[secret.len().saturating_sub(LOOKED_FOR)..].to_owned()
}
