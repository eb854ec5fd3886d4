//! Callbacks with an error, and with parameters that nobody asked for.

use super::{Bent, DENIED, EXPIRED, OWN, STATE};

pub(super) const ERRORS: &[Bent] = &[
    (
        "declined, with a code as well",
        |t| (format!("error=access_denied&{}", t.a.query()), t.cookies()),
        DENIED,
    ),
    (
        "declined, without a code",
        |t| {
            (
                format!("error=access_denied&state={}", t.a.state),
                t.cookies(),
            )
        },
        DENIED,
    ),
    (
        "declined in another browser",
        |t| {
            (
                format!("error=access_denied&state={}", t.other.state),
                t.cookies(),
            )
        },
        STATE,
    ),
    (
        "declined without a state",
        |t| (String::from("error=access_denied"), t.cookies()),
        STATE,
    ),
    (
        "the application suspended",
        |t| {
            (
                format!("error=application_suspended&state={}", t.a.state),
                t.cookies(),
            )
        },
        "/?auth_error=suspended_app",
    ),
    (
        "another callback address",
        |t| {
            (
                format!("error=redirect_uri_mismatch&state={}", t.a.state),
                t.cookies(),
            )
        },
        "/?auth_error=misconfigured",
    ),
    (
        "no verified address",
        |t| {
            (
                format!("error=unverified_user_email&state={}", t.a.state),
                t.cookies(),
            )
        },
        "/?auth_error=unverified_email",
    ),
    (
        "an empty error",
        |t| (format!("error=&{}", t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "an unknown error",
        |t| (format!("error=canary-error&{}", t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "an error in capitals",
        |t| (format!("error=ACCESS_DENIED&{}", t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "two errors",
        |t| {
            (
                format!("error=canary&error=access_denied&state={}", t.a.state),
                t.cookies(),
            )
        },
        EXPIRED,
    ),
    (
        "HTML as an error",
        |t| {
            (
                format!("error=%3Cscript%3Ecanary()%3C/script%3E&{}", t.a.query()),
                t.cookies(),
            )
        },
        EXPIRED,
    ),
    (
        "a line in an error",
        |t| {
            (
                format!("error=canary%0d%0aset-cookie:canary=1&{}", t.a.query()),
                t.cookies(),
            )
        },
        EXPIRED,
    ),
    (
        "an address as an error",
        |t| {
            (
                format!("error=https://canary.example&{}", t.a.query()),
                t.cookies(),
            )
        },
        EXPIRED,
    ),
    (
        "HTML as a description",
        |t| {
            (
                format!(
                    "error=access_denied&error_description=%3Cb%3Ecanary&error_uri=//canary.example&{}",
                    t.a.query()
                ),
                t.cookies(),
            )
        },
        DENIED,
    ),
    (
        "a next of the callback's own",
        |t| (format!("{}&next=admin", t.a.query()), t.cookies()),
        OWN,
    ),
    (
        "a redirect address of the callback's own",
        |t| {
            (
                format!("{}&redirect_uri=https://canary.example", t.a.query()),
                t.cookies(),
            )
        },
        OWN,
    ),
];
