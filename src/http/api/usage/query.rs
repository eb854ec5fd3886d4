//! The query of `GET /api/v1/usage`. Each error names the parameter that is wrong.

use crate::app::error::Error;
use crate::domain::usage::day::UtcDay;
use crate::domain::usage::range::{BadRange, UsageRange};
use crate::http::server::context::Context;
use crate::store::usage::panel::{UsageGroup, UsageScope};

/// The most groups that a page of groups has.
const MOST_GROUPS: i64 = 50;

pub(super) fn range(context: &Context, today: UtcDay) -> Result<UsageRange, Error> {
    let (from, to) = (context.query("from"), context.query("to"));
    UsageRange::read(from.as_deref(), to.as_deref(), today).map_err(|bad| {
        let (pointer, detail) = match bad {
            BadRange::From => ("/from", "must be a date such as 2026-11-30"),
            BadRange::To => ("/to", "must be a date such as 2026-11-30"),
            BadRange::Backwards => ("/from", "must not be later than to"),
            BadRange::Future => ("/to", "must not be later than today, in UTC"),
            BadRange::TooLong => ("/from", "must be at most three years before to"),
            BadRange::NotByMonth => (
                "/from",
                "must be the first of a month if the range has more than 92 days",
            ),
        };
        Error::bad_member(pointer, detail)
    })
}

pub(super) fn groups(context: &Context) -> Result<(Option<UsageGroup>, Option<UsageGroup>), Error> {
    let bad = || {
        Error::bad_member(
            "/group",
            "must be one or two different words of model, key, member, plan, project, workspace and source, with a comma between",
        )
    };
    let Some(text) = context.query("group") else {
        return Ok((None, None));
    };
    let mut words = text
        .split(',')
        .map(|word| UsageGroup::parse(word).ok_or_else(bad));
    let one = words.next().transpose()?;
    let two = words.next().transpose()?;
    if words.next().is_some() || one == two {
        return Err(bad());
    }
    Ok((one, two))
}

pub(super) fn scope(context: &Context) -> Result<UsageScope, Error> {
    let member = context.query("member");
    match (context.query("scope").as_deref(), member) {
        (None | Some("own"), None) => Ok(UsageScope::Own),
        (None | Some("own"), Some(_)) => Err(Error::bad_member("/member", "needs scope=all")),
        (Some("all"), None) => Ok(UsageScope::All),
        (Some("all"), Some(member)) => Ok(UsageScope::Member(member)),
        (Some(_), _) => Err(Error::bad_member("/scope", "must be own or all")),
    }
}

pub(super) fn number(
    context: &Context,
    name: &'static str,
    usual: i64,
    least: i64,
) -> Result<i64, Error> {
    let Some(text) = context.query(name) else {
        return Ok(usual);
    };
    let most = if least == 0 {
        i64::from(u32::MAX)
    } else {
        MOST_GROUPS
    };
    let fits = |number: &i64| (least..=most).contains(number);
    let (pointer, detail) = match least {
        0 => ("/skip", "must be a whole number"),
        _ => ("/top", "must be a whole number from 1 to 50"),
    };
    text.parse()
        .ok()
        .filter(fits)
        .ok_or(Error::bad_member(pointer, detail))
}
