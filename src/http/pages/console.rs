//! The pages of the console. All of them are one document with the navigation between the sections; the console's script
//! reads from the address what to show, and its data comes from the admins' API.

use askama::Template;

use crate::app::error::Error;
use crate::domain::id::{IdKind, PublicId};
use crate::http::pages::{Frame, render};
use crate::http::server::context::Context;
use crate::http::server::reply::Reply;

/// A section of the console, with its own address.
struct Section {
    path: &'static str,
    name: &'static str,
    /// What the pages below it show, one by one.
    shows: Option<IdKind>,
}

const fn section(path: &'static str, name: &'static str) -> Section {
    Section {
        path,
        name,
        shows: None,
    }
}

const SECTIONS: [Section; 14] = [
    section("/admin", "Overview"),
    Section {
        shows: Some(IdKind::Member),
        ..section("/admin/members", "Members")
    },
    section("/admin/keys", "Keys"),
    Section {
        shows: Some(IdKind::Bulk),
        ..section("/admin/bulk-changes", "Bulk changes")
    },
    section("/admin/requests", "Requests"),
    section("/admin/switches", "Switches"),
    Section {
        shows: Some(IdKind::Run),
        ..section("/admin/runs", "Runs")
    },
    section("/admin/plans", "Plans"),
    section("/admin/workspaces", "Workspaces"),
    section("/admin/providers", "Providers"),
    section("/admin/blocks", "Blocks"),
    section("/admin/allotments", "Allotments"),
    section("/admin/departures", "Departures"),
    section("/admin/audit", "Audit"),
];

#[derive(Template)]
#[template(path = "console.html")]
struct ConsolePage<'a> {
    frame: Frame<'a>,
    sections: &'static [Section],
    /// The section that the page belongs to.
    current: &'static Section,
}

/// Answers 200 with the console, opened at the section of the address. Whether there is a member or a run with the id in
/// the address is said by the API; a text that is no id is an unknown address.
pub async fn show_console(context: Context) -> Result<Reply, Error> {
    let [overview, others @ ..] = &SECTIONS;
    let is_here = |section: &&Section| {
        let below = context.path.strip_prefix(section.path);
        below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
    };
    let current = others.iter().find(is_here).unwrap_or(overview);
    let is_known = match current.shows {
        Some(kind) if context.path != current.path => {
            PublicId::parse(kind, context.last_segment()).is_some()
        }
        _ => true,
    };
    if !is_known {
        return Err(Error::NotFound);
    }
    let page = ConsolePage {
        frame: Frame::of(&context.app.config),
        sections: &SECTIONS,
        current,
    };
    render(200, &page)
}
