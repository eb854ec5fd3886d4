//! What somebody else does on the upstream account: keys of their own, markers that no row knows, another account.

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

    /// Newer ones than any there is: a hundred fill a page.
    pub fn somebodys_keys(&self, n: usize) {
        (0..n).for_each(|n| self.somebodys_key(&format!("somebody's {n}")));
    }

    /// Their newest go, as far as there are any.
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

    /// The `n`-th key that carries our marker and has no row; its name.
    pub fn marker_without_row(&self, n: usize) -> String {
        let instance = self.db.text("SELECT name FROM instance");
        let name = format!("keycap/{instance}/gen_{n:024x}");
        self.somebodys_key(&name);
        name
    }

    /// What the management key may do, done by hand: the answer, which says yes.
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

    /// An upstream key as it is.
    pub fn upstream_key(&self, hash: &str) -> Option<sandbox::UpstreamKey> {
        self.sandbox.borrow().ledger().key(hash).cloned()
    }

    /// Somebody changes a key, if it is there.
    pub fn somebody_changes(&self, hash: &str, change: &Value) {
        if self.is_there(hash) {
            self.by_hand("PATCH", &format!("/keys/{hash}"), change);
        }
    }

    /// Somebody deletes a key, if it is there.
    pub fn somebody_deletes_key(&self, hash: &str) {
        if self.is_there(hash) {
            self.by_hand("DELETE", &format!("/keys/{hash}"), &Value::Null);
        }
    }

    fn is_there(&self, hash: &str) -> bool {
        let key = self.upstream_key(hash);
        key.is_some_and(|key| key.deleted_at_ms.is_none())
    }

    /// Of what is on record as there, what somebody has deleted upstream.
    pub fn missing(&self) -> usize {
        let there = self.db.texts(&format!(
            "SELECT upstream_hash FROM generations WHERE state IN ('active', 'disabled') AND expires_at > {}",
            self.now().secs()
        ));
        let gone = self.gone.borrow();
        there.iter().filter(|hash| gone.contains(hash)).count()
    }

    /// The one key that works spends so much.
    pub fn spends(&self, dollars: f64) {
        self.spent_by(&self.usable()[0].hash, dollars);
    }

    /// A key spends so much, or what was running when it went off is counted late.
    pub fn spent_by(&self, hash: &str, dollars: f64) {
        let (now, amount) = (self.upstream_now_ms(), sandbox::Usd::from_dollars(dollars));
        assert!(self.sandbox.borrow_mut().book_usage(hash, amount, now));
    }

    /// With every secret that was given out, as long as upstream lets any call in.
    pub fn spends_all(&self) {
        spend_all(
            &self.sandbox,
            &self.delivered.borrow(),
            self.upstream_now_ms(),
        );
    }

    /// The same just before each effect whose name has this in it, as often as given, until somebody else acts between
    /// effects; how often it was done.
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

    /// A workspace beside the default one.
    pub fn workspace(&self) -> String {
        let body = serde_json::json!({ "name": "Keys", "slug": "keys" });
        let made = self.by_hand("POST", "/workspaces", &body);
        made["data"]["id"].as_str().unwrap().to_owned()
    }

    /// A guardrail that lets keys have this model alone; its id.
    pub fn guardrail(&self, model: &str) -> String {
        let body = serde_json::json!({ "name": "Models", "allowed_models": [model] });
        let made = self.by_hand("POST", "/guardrails", &body);
        made["data"]["id"].as_str().unwrap().to_owned()
    }

    /// The guardrail that upstream holds a key to.
    pub fn held_to(&self, hash: &str) -> Option<String> {
        let sandbox = self.sandbox.borrow();
        let key = sandbox.ledger().key(hash)?;
        key.guardrail.as_ref().map(|is| is.guardrail_id.clone())
    }

    /// The management key now belongs to somebody else's account; ours, to put back.
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
