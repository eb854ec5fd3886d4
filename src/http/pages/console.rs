//! The pages of the console. All of them are one document with the navigation between the sections; the console's script
//! reads from the address what to show, and its data comes from the admins' API.

use askama::Template;

use crate::app::error::Error;
use crate::http::pages::{Frame, render};
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;

/// A section of the console, with its own address.
struct Section {
    path: &'static str,
    name: &'static str,
}

const SECTIONS: [Section; 1] = [Section {
    path: "/admin",
    name: "Overview",
}];

#[derive(Template)]
#[template(path = "console.html")]
struct ConsolePage<'a> {
    frame: Frame<'a>,
    sections: &'static [Section],
    /// The section that the page belongs to.
    current: &'static Section,
}

/// Answers 200 with the console, opened at the section of the address.
pub async fn show_console(context: Context) -> Result<Reply, Error> {
    let [overview, others @ ..] = &SECTIONS;
    let is_here = |section: &&Section| {
        let below = context.path.strip_prefix(section.path);
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    };
    let page = ConsolePage {
        frame: Frame::of(&context.app.config),
        sections: &SECTIONS,
        current: others.iter().find(is_here).unwrap_or(overview),
    };
    render(200, &page)
}
