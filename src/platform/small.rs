//! The clock, randomness, key-value store, rate limiter and log of the Worker.

use std::time::Duration;

use wasm_bindgen::{JsCast, JsValue};
use worker::js_sys::{self, Function, Object, Promise, Reflect};
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::types::RateLimiter as EdgeBinding;
use worker::{Delay, Env};

use crate::ports::rate_limit::Limit;
use crate::ports::{
    Clock, KeyValue, KvUnavailable, LocalFuture, Log, NoRandomness, Random, RateLimiter,
};

pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a date")]
        {
            js_sys::Date::now() as i64
        }
    }

    fn pause(&self, ms: u32) -> LocalFuture<'_, ()> {
        Box::pin(Delay::from(Duration::from_millis(u64::from(ms))))
    }
}

pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        getrandom::fill(bytes).map_err(|_| NoRandomness)
    }
}

/// Workers KV, as the binding gives it. Only three of its methods are called.
pub struct Handoffs {
    store: JsValue,
    get: Function,
    put: Function,
    delete: Function,
}

impl Handoffs {
    pub fn new(env: &Env) -> Result<Self, JsValue> {
        let store = Reflect::get(env.as_ref(), &"HANDOFFS".into())?;
        let method = |name: &str| Reflect::get(&store, &name.into())?.dyn_into::<Function>();
        Ok(Self {
            get: method("get")?,
            put: method("put")?,
            delete: method("delete")?,
            store,
        })
    }

    async fn asked(&self, name: &str) -> Result<Option<String>, JsValue> {
        let promise = self.get.call1(&self.store, &name.into())?;
        Ok(JsFuture::from(Promise::from(promise)).await?.as_string())
    }

    async fn written(&self, name: &str, value: &str, ttl: Option<i64>) -> Result<(), JsValue> {
        let options = Object::new();
        if let Some(secs) = ttl.and_then(|secs| u32::try_from(secs).ok()) {
            Reflect::set(&options, &"expirationTtl".into(), &secs.into())?;
        }
        let put = &self.put;
        let promise = put.call3(&self.store, &name.into(), &value.into(), &options)?;
        JsFuture::from(Promise::from(promise)).await.map(|_| ())
    }

    async fn deleted(&self, name: &str) -> Result<(), JsValue> {
        let promise = self.delete.call1(&self.store, &name.into())?;
        JsFuture::from(Promise::from(promise)).await.map(|_| ())
    }
}

impl KeyValue for Handoffs {
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<String>, KvUnavailable>> {
        Box::pin(async move { self.asked(name).await.map_err(|_| KvUnavailable) })
    }

    fn put<'a>(
        &'a self,
        name: &'a str,
        value: String,
        ttl_secs: Option<i64>,
    ) -> LocalFuture<'a, Result<(), KvUnavailable>> {
        Box::pin(async move {
            let written = self.written(name, &value, ttl_secs).await;
            written.map_err(|_| KvUnavailable)
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<(), KvUnavailable>> {
        Box::pin(async move { self.deleted(name).await.map_err(|_| KvUnavailable) })
    }
}

/// One rate-limit binding for each limit.
pub struct EdgeRateLimiter(Vec<(Limit, EdgeBinding)>);

impl EdgeRateLimiter {
    /// Fails with the name of the binding that is missing.
    pub fn new(env: &Env) -> Result<Self, &'static str> {
        let bound = |limit: Limit| {
            let limiter = env.rate_limiter(limit.binding());
            let limiter = limiter.map_err(|_| limit.binding())?;
            Ok((limit, JsValue::from(limiter).unchecked_into()))
        };
        Limit::ALL
            .into_iter()
            .map(bound)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl RateLimiter for EdgeRateLimiter {
    fn allows<'a>(&'a self, limit: Limit, key: &'a str) -> LocalFuture<'a, bool> {
        Box::pin(async move {
            let Some((_, limiter)) = self.0.iter().find(|(known, _)| *known == limit) else {
                return true;
            };
            // No answer lets the request pass. The quotas that must hold are in the database.
            within(limiter, key).await.unwrap_or(true)
        })
    }
}

/// Whether the binding lets the request pass. An error means that the binding did not answer.
async fn within(limiter: &EdgeBinding, key: &str) -> Result<bool, JsValue> {
    let asked = Object::new();
    Reflect::set(&asked, &"key".into(), &key.into())?;
    let outcome = JsFuture::from(limiter.limit(asked)?).await?;
    let success = Reflect::get(&outcome, &"success".into())?;
    Ok(success.as_bool().unwrap_or(true))
}

/// The Worker's console. V8 records the stack with every line. While that is the program's own stack, this costs a
/// tenth of a small answer. So each line is written in a microtask after the program, and the lines stay in order.
#[derive(Clone)]
pub struct Console {
    log: Function,
    queue_microtask: Function,
}

impl Console {
    pub fn new() -> Result<Self, JsValue> {
        let global = js_sys::global();
        let console = Reflect::get(&global, &"console".into())?;
        let log = Reflect::get(&console, &"log".into())?;
        let queue_microtask = Reflect::get(&global, &"queueMicrotask".into())?;
        Ok(Self {
            log: log.unchecked_into(),
            queue_microtask: queue_microtask.unchecked_into(),
        })
    }
}

impl Log for Console {
    fn line(&self, line: &str) {
        let write = self.log.bind1(&JsValue::UNDEFINED, &line.into());
        let queued = self.queue_microtask.call1(&JsValue::UNDEFINED, &write);
        if queued.is_err() {
            worker::console_log!("{line}");
        }
    }
}
