//! Outbound HTTP in native tests: the sandbox's library, called in the same process, with the sandbox's faults and the
//! fates of the test.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use keycap::ports::{Answer, Call, HttpClient, LocalFuture, Outcome};
use sandbox::{Delivery, Request, Sandbox};

use super::canaries::Canaries;
use super::effects::{Effects, Fate, meet};

/// Rewrites the JSON of an answer, in ways that the sandbox's faults do not offer.
pub type Bend = fn(&Call, &mut serde_json::Value);

/// A text to replace and its replacement, in GitHub's answer about who a person is. The result need not be JSON.
pub type Respelt = Option<(&'static str, String)>;

/// Changes every answer of one operation, including its status and its bytes.
pub type Twist = Option<(sandbox::Operation, Box<dyn Fn(&mut Answer)>)>;

#[derive(Clone)]
pub struct Upstream {
    pub twist: Rc<RefCell<Twist>>,
    pub respelt: Rc<RefCell<Respelt>>,
    pub bend: Rc<Cell<Option<Bend>>>,
    pub sandbox: Rc<RefCell<Sandbox>>,
    pub canaries: Canaries,
    pub now_ms: Rc<Cell<i64>>,
    pub ahead_ms: Rc<Cell<i64>>,
    pub effects: Effects,
}

impl Upstream {
    fn bent(&self, call: &Call, body: Vec<u8>) -> Vec<u8> {
        if let Some((before, after)) = &*self.respelt.borrow()
            && call.url.path().ends_with("/user")
        {
            let text = String::from_utf8(body).unwrap();
            let respelt = text.replace(before, after);
            assert_ne!(respelt, text, "it is there to be replaced");
            return respelt.into_bytes();
        }
        match (self.bend.get(), serde_json::from_slice(&body)) {
            (Some(bend), Ok(mut value)) => {
                bend(call, &mut value);
                value.to_string().into_bytes()
            }
            _ => body,
        }
    }

    /// Watches what only a provider receives: the code that it issued, and the PKCE verifier. Google gets them as a form.
    fn watch(&self, call: &Call) {
        let text = call.body.as_deref().unwrap_or_default();
        let body: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        for name in ["code", "code_verifier"] {
            if let Some(value) = body[name].as_str() {
                self.canaries.watch(name, value);
            }
            for (_, value) in
                url::form_urlencoded::parse(text.as_bytes()).filter(|(key, _)| key == name)
            {
                self.canaries.watch(name, &value);
            }
        }
    }

    fn deliver(&self, call: &Call) -> Outcome {
        let target = match call.url.query() {
            Some(query) => format!("{}?{query}", call.url.path()),
            None => call.url.path().to_owned(),
        };
        let headers = call.headers.iter();
        let request = Request {
            method: call.method.to_owned(),
            target,
            headers: headers.map(|(n, v)| ((*n).to_owned(), v.clone())).collect(),
            body: call.body.clone().unwrap_or_default().into_bytes(),
        };
        let operation = sandbox::Operation::of(&request);
        let now = self.now_ms.get();
        let delivery = self
            .sandbox
            .borrow_mut()
            .handle(&request, now + self.ahead_ms.get());
        match delivery {
            Delivery::Answer(response) => {
                let mut answer = Answer {
                    status: response.status,
                    content_type: response.header("content-type").unwrap_or("").to_owned(),
                    retry_after: response.header("retry-after").map(str::to_owned),
                    cache_control: response.header("cache-control").map(str::to_owned),
                    age: response.header("age").map(str::to_owned),
                    body: self.bent(call, response.body),
                };
                if let Some((twisted, twist)) = &*self.twist.borrow()
                    && operation == Some(*twisted)
                {
                    twist(&mut answer);
                }
                // The Worker's own client does the same: an answer that is larger than the limit is no answer.
                match answer.body.len() <= call.max_bytes {
                    true => Outcome::Answer(answer),
                    false => Outcome::Unknown,
                }
            }
            Delivery::Stall => {
                self.now_ms.set(now + i64::from(call.deadline_ms));
                Outcome::Unknown
            }
            Delivery::Truncated(_) | Delivery::Reset | Delivery::Held { .. } => Outcome::Unknown,
        }
    }
}

impl HttpClient for Upstream {
    fn send(&self, call: Call) -> LocalFuture<'_, Outcome> {
        Box::pin(async move {
            let path = call.url.path();
            self.watch(&call);
            let fate = self.effects.next(format!("http {} {path}", call.method));
            if fate.is_some_and(Fate::is_late) {
                let (upstream, call) = (self.clone(), call.clone());
                self.effects.keep(move || drop(upstream.deliver(&call)));
            }
            let sent = meet(fate, || self.deliver(&call)).await;
            sent.unwrap_or(Outcome::Unknown)
        })
    }
}
