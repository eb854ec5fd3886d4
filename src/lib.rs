//! keycap hands out capped OpenRouter keys from the edge. These are the runtime's entry points; the application itself
//! is the same on the Worker and in native tests.

#[macro_use]
mod json;

mod absence;
pub mod app;
mod caps;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod error;
mod guardrails;
pub mod http;
pub mod jobs;
mod mint;
mod offboard;
mod own_keys;
pub mod ports;
mod rotate;
mod spend;
pub mod store;
mod turn;
mod upstream;
mod upstream_changes;

#[cfg(target_arch = "wasm32")]
mod runtime;

#[cfg(target_arch = "wasm32")]
mod entry {
    use web_sys::{Request, Response};
    use worker::{Context, Env, ScheduleContext, ScheduledEvent};

    use crate::runtime;

    #[worker::event(start)]
    fn start() {
        console_error_panic_hook::set_once();
    }

    #[worker::event(fetch)]
    async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
        runtime::fetch(&request, env, &context).await
    }

    #[worker::event(scheduled)]
    async fn scheduled(event: ScheduledEvent, env: Env, _: ScheduleContext) {
        runtime::scheduled(&event, env).await;
    }
}
