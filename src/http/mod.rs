//! HTTP: the route table as data, one pipeline that every request passes, and one file for each resource.

#[macro_use]
pub mod server;
pub mod admin;
pub mod api;
pub mod auth;
pub mod pages;
pub mod routes;

use crate::app::context::App;
use crate::http::server::pipeline::Service;

/// The application behind its routes.
pub fn service(app: App) -> Service {
    Service::new(app, routes::ROUTES, pages::error)
}
