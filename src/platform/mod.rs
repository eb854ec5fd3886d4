//! The Worker's implementation of the ports, and the way in for requests and cron events.
//!
//! The application is built once for each isolate. A request that may change anything runs to its end, even if nobody
//! waits for it any more: a closed tab must not have the effect of a crash.

mod database;
mod fetcher;
mod inbound;
mod signatures;
mod signer;
mod small;
mod stream;

use crate::crypto::keyring::Keyring;
use crate::http::server::message::Outbound;
use crate::http::server::pipeline::Service;
use std::cell::RefCell;
use std::rc::Rc;

use futures_channel::oneshot;
use wasm_bindgen::JsValue;
use web_sys::{Headers, Request, Response, ResponseInit};
use worker::js_sys::{self, Reflect, Uint8Array};
use worker::{Context, Env, ScheduledEvent};

use crate::app::context::App;
use crate::config::page_files::PageFiles;
use crate::config::{Config, Problem};
use crate::domain::time::Timestamp;
use crate::http::server::fallbacks;
use crate::http::server::headers;
use crate::jobs;
use crate::platform::inbound::Unread;

/// The application, or the problems because of which there is none.
type Built = Result<Service, Vec<Problem>>;

thread_local! {
    static SERVICE: RefCell<Option<Built>> = const { RefCell::new(None) };
    /// The headers that every answer has. They cross the wasm boundary once instead of with each answer.
    static FIXED: Result<Headers, JsValue> = fixed_headers();
}

/// Answers a request.
pub async fn fetch(request: &Request, env: Env, context: &Context) -> worker::Result<Response> {
    let service = match service(&env) {
        Ok(service) => service,
        Err(problems) => return respond(fallbacks::misconfigured(&problems)),
    };
    let inbound = match inbound::read(request).await? {
        Ok(inbound) => inbound,
        Err(Unread::Address) => return respond(fallbacks::address_too_long()),
        Err(Unread::Header) => return respond(fallbacks::malformed()),
    };
    if !service.has_effects(&inbound) {
        return respond(service.answer(inbound).await);
    }
    let (sender, receiver) = oneshot::channel();
    context.wait_until(async move {
        // The caller may have gone, so that nobody receives the answer.
        let _: Result<(), Outbound> = sender.send(service.answer(inbound).await);
        jobs::run_queued(service.app()).await;
    });
    match receiver.await {
        Ok(outbound) => respond(outbound),
        // The answer was dropped before it was made, so nothing is known of it.
        Err(_) => respond(fallbacks::failed()),
    }
}

/// Runs the jobs of a cron event.
pub async fn scheduled(event: &ScheduledEvent, env: Env) {
    match service(&env) {
        Ok(service) => {
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a date")]
            let scheduled = Timestamp::from_millis(event.schedule() as i64);
            jobs::run(service.app(), &event.cron(), scheduled).await;
        }
        Err(problems) => worker::console_error!(
            "{}",
            serde_json::json!({ "level": "error", "event": "misconfigured", "problems": problems })
        ),
    }
}

fn service(env: &Env) -> Built {
    SERVICE.with_borrow_mut(|built| built.get_or_insert_with(|| build(env)).clone())
}

fn build(env: &Env) -> Built {
    let mut config = Config::from_env(&|name| {
        let text = env.var(name).ok().map(|var| var.to_string());
        text.or_else(|| env.secret(name).ok().map(|secret| secret.to_string()))
    })?;
    config.page_files = page_files().ok_or_else(|| {
        vec![Problem {
            setting: "build/page-files.mjs",
            problem: "the build has not named what the pages load",
        }]
    })?;
    let missing = |setting| {
        vec![Problem {
            setting,
            problem: "this binding is missing",
        }]
    };
    let kv = small::Handoffs::new(env).map_err(|_| missing("HANDOFFS"))?;
    let brake = small::EdgeRateLimiter::new(env).map_err(missing)?;
    let console = small::Console::new().map_err(|_| missing("console"))?;
    let db = database::D1::new(env, console.clone()).map_err(|_| missing("DB"))?;
    for problem in &config.closed_by {
        worker::console_warn!(
            "{}",
            serde_json::json!({ "level": "warn", "event": "closed_by", "setting": problem.setting, "problem": problem.problem })
        );
    }
    Ok(crate::http::service(App {
        keyring: Rc::new(Keyring::new(&config.session_secrets).with_relay(&config.relay_secrets)),
        config: Rc::new(config),
        db: Rc::new(db),
        kv: Rc::new(kv),
        http: Rc::new(fetcher::Fetcher::new(console.clone())),
        clock: Rc::new(small::SystemClock),
        random: Rc::new(small::SystemRandom),
        signer: Rc::new(signer::WebCryptoSigner),
        rate_limiter: Rc::new(brake),
        log: Rc::new(console),
        signatures: Rc::new(signatures::WebCrypto),
        queued_work: Rc::default(),
        health_cache: Rc::default(),
        google_keys: Rc::default(),
    }))
}

/// The addresses of what the pages load, from the variable that the build's module sets.
fn page_files() -> Option<PageFiles> {
    let json = Reflect::get(&js_sys::global(), &JsValue::from_str("keycapPageFiles")).ok()?;
    PageFiles::parse(&json.as_string()?)
}

fn respond(outbound: Outbound) -> worker::Result<Response> {
    let (parts, body) = outbound.into_parts();
    let init = ResponseInit::new();
    init.set_status(parts.status.as_u16());
    FIXED.with(|fixed| {
        let fixed = fixed.as_ref().map_err(JsValue::clone)?;
        init.set_headers(fixed);
        Ok::<(), JsValue>(())
    })?;
    let body = (!body.is_empty()).then(|| Uint8Array::from(body.as_slice()));
    let response = Response::new_with_opt_buffer_source_and_init(body.as_deref(), &init)?;
    let own = response.headers();
    for (name, value) in &parts.headers {
        let header = (name.as_str(), value.to_str().unwrap_or_default());
        if !headers::fixed().any(|fixed| fixed == header) {
            own.append(header.0, header.1)?;
        }
    }
    Ok(response)
}

fn fixed_headers() -> Result<Headers, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in headers::fixed() {
        headers.set(name, value)?;
    }
    Ok(headers)
}
