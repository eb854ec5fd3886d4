//! What someone outside keycap does in the OpenRouter account: they add keys of their own, add keys that carry our
//! marker and have no row, delete or change keys, and put the management key of another account in place of ours.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use sandbox::{Sandbox, Spent, Usd};
use serde_json::Value;

use super::world::World;

impl World {
    pub fn somebodys_key(&self, name: &str) {
        let key = sandbox::NewKey {
            name: name.to_owned(),
            ..Default::default()
        };
        let now = self.upstream_now_ms();
        self.sandbox.borrow_mut().add_foreign_key(key, now);
    }

    /// Adds `n` foreign keys. They are newer than every other key and so come first in the list, which has 100 keys a
    /// page.
    pub fn somebodys_keys(&self, n: usize) {
        (0..n).for_each(|n| self.somebodys_key(&format!("somebody's {n}")));
    }

    /// Deletes the newest `n` foreign keys, or all of them if there are fewer.
    pub fn somebody_deletes(&self, n: usize) {
        let hashes: Vec<String> = {
            let sandbox = self.sandbox.borrow();
            let keys = sandbox.ledger().keys.iter().rev();
            let theirs = keys.filter(|key| key.foreign && key.deleted_at_ms.is_none());
            theirs.take(n).map(|key| key.hash.clone()).collect()
        };
        for hash in hashes {
            self.by_hand("DELETE", &format!("/keys/{hash}"), &Value::Null);
        }
    }

    /// Adds the `n`-th foreign key that carries our marker and has no row. Returns its name.
    pub fn marker_without_row(&self, n: usize) -> String {
        let instance = self.db.text("SELECT name FROM instance");
        let name = format!("keycap/{instance}/gen_{n:024x}");
        self.somebodys_key(&name);
        name
    }

    /// Sends a request to OpenRouter with the management key, as a person would by hand. Returns the JSON of the
    /// answer. Panics unless the status is 2xx.
    pub fn by_hand(&self, method: &str, path: &str, body: &Value) -> Value {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let credential = format!("Bearer {}", sandbox::MANAGEMENT_KEY);
        let request = sandbox::Request {
            method: method.to_owned(),
            target: format!("/openrouter/api/v1{path}"),
            headers: vec![
                header("authorization", &credential),
                header("content-type", "application/json"),
                header("user-agent", "somebody"),
            ],
            body: body.to_string().into_bytes(),
        };
        let of_key = path.strip_prefix("/keys/");
        let before = of_key.and_then(|hash| self.upstream_key(hash));
        let now = self.upstream_now_ms();
        let delivery = self.sandbox.borrow_mut().handle_by_hand(&request, now);
        let answer = delivery.answer().expect("an answer");
        assert!((200..300).contains(&answer.status), "{answer:?}");
        match (method, of_key, before) {
            ("DELETE", Some(hash), _) => self.gone.borrow_mut().push(hash.to_owned()),
            ("PATCH", Some(_), Some(before)) => self.was_changed_by_hand(&before),
            _ => {}
        }
        answer.value()
    }

    /// The upstream key with this hash, as the sandbox has it now.
    pub fn upstream_key(&self, hash: &str) -> Option<sandbox::UpstreamKey> {
        self.sandbox.borrow().ledger().key(hash).cloned()
    }

    /// Someone outside keycap changes a key, if it still exists.
    pub fn somebody_changes(&self, hash: &str, change: &Value) {
        if self.is_there(hash) {
            self.by_hand("PATCH", &format!("/keys/{hash}"), change);
        }
    }

    /// Someone outside keycap deletes a key, if it still exists.
    pub fn somebody_deletes_key(&self, hash: &str) {
        if self.is_there(hash) {
            self.by_hand("DELETE", &format!("/keys/{hash}"), &Value::Null);
        }
    }

    fn is_there(&self, hash: &str) -> bool {
        let key = self.upstream_key(hash);
        key.is_some_and(|key| key.deleted_at_ms.is_none())
    }

    /// Counts the keys that the database has as live and that someone outside keycap deleted at OpenRouter.
    pub fn missing(&self) -> usize {
        let there = self.db.texts(&format!(
            "SELECT upstream_hash FROM generations WHERE state IN ('active', 'disabled') AND expires_at > {}",
            self.now().secs()
        ));
        let gone = self.gone.borrow();
        there.iter().filter(|hash| gone.contains(hash)).count()
    }

    /// Books this spend on the one key that works.
    pub fn spends(&self, dollars: f64) {
        self.spent_by(&self.usable()[0].hash, dollars);
    }

    /// Books this spend on a key. The key may be disabled: a call that was running at that time is booked late.
    pub fn spent_by(&self, hash: &str, dollars: f64) {
        let (now, amount) = (self.upstream_now_ms(), sandbox::Usd::from_dollars(dollars));
        assert!(self.sandbox.borrow_mut().book_usage(hash, amount, now));
    }

    /// Spends with every secret that was delivered, until OpenRouter refuses each of them.
    pub fn spends_all(&self) {
        spend_all(
            &self.sandbox,
            &self.delivered.borrow(),
            self.upstream_now_ms(),
        );
    }

    /// Does the same as [`World::spends_all`] just before each effect whose name contains `effect`, at most `times`
    /// times, until another action is set with `Effects::between`. Returns a counter of how often it was done.
    pub fn spends_all_before(&self, effect: &'static str, times: usize) -> Rc<Cell<usize>> {
        let done = Rc::new(Cell::new(0));
        let counted = Rc::clone(&done);
        let (sandbox, delivered) = (Rc::clone(&self.sandbox), Rc::clone(&self.delivered));
        let (now, ahead) = (Rc::clone(&self.now_ms), Rc::clone(&self.upstream_ahead_ms));
        self.effects.between(Some(Box::new(move |name| {
            if counted.get() < times && name.contains(effect) {
                counted.set(counted.get() + 1);
                spend_all(&sandbox, &delivered.borrow(), now.get() + ahead.get());
            }
        })));
        done
    }

    /// Makes a workspace beside the default one. Returns its id.
    pub fn workspace(&self) -> String {
        let body = serde_json::json!({ "name": "Keys", "slug": "keys" });
        let made = self.by_hand("POST", "/workspaces", &body);
        made["data"]["id"].as_str().unwrap().to_owned()
    }

    /// Makes a guardrail that allows only this model. Returns its id.
    pub fn guardrail(&self, model: &str) -> String {
        let body = serde_json::json!({ "name": "Models", "allowed_models": [model] });
        let made = self.by_hand("POST", "/guardrails", &body);
        made["data"]["id"].as_str().unwrap().to_owned()
    }

    /// The id of the guardrail that the key is assigned to at OpenRouter.
    pub fn held_to(&self, hash: &str) -> Option<String> {
        let sandbox = self.sandbox.borrow();
        let key = sandbox.ledger().key(hash)?;
        key.guardrail.as_ref().map(|is| is.guardrail_id.clone())
    }

    /// Makes the management key belong to another account. Returns the sandbox of our account, so that the test can put
    /// it back.
    pub fn swap_account(&self) -> sandbox::Sandbox {
        let settings = sandbox::Settings {
            seed: 4_711,
            default_workspace_id: String::from("5a4db0c5-0000-4000-8000-00000000ffff"),
            ..sandbox::Settings::default()
        };
        self.sandbox.replace(sandbox::Sandbox::new(settings))
    }
}

fn spend_all(sandbox: &RefCell<Sandbox>, secrets: &[String], now_ms: i64) {
    let (mut sandbox, price) = (sandbox.borrow_mut(), Usd::from_dollars(0.7));
    for secret in secrets {
        while matches!(sandbox.spend(secret, price, now_ms), Spent::Booked(_)) {}
    }
}
