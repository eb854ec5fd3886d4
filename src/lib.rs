//! keycap hands out OpenRouter keys with spending limits from the edge. This file has the entry points of the Worker.
//! The application itself is the same on the Worker and in native tests.

#[macro_use]
pub mod ports;
pub mod app;
pub mod config;
pub mod crypto;
pub mod domain;
pub mod http;
pub mod jobs;
pub mod store;
mod upstream;

#[cfg(target_arch = "wasm32")]
mod platform;

#[cfg(target_arch = "wasm32")]
mod entry {
    use web_sys::{Request, Response};
    use worker::{Context, Env, ScheduleContext, ScheduledEvent};

    use crate::platform;

    #[worker::event(start)]
    fn start() {
        console_error_panic_hook::set_once();
    }

    #[worker::event(fetch)]
    async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
        platform::fetch(&request, env, &context).await
    }

    #[worker::event(scheduled)]
    async fn scheduled(event: ScheduledEvent, env: Env, _: ScheduleContext) {
        platform::scheduled(&event, env).await;
    }
}
