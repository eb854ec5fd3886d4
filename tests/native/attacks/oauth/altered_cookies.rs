//! Callbacks with another cookie of an attempt, or with none.

use super::{Bent, OWN, STATE};
use crate::attacks::SESSION;

pub(super) const ALTERED_COOKIES: &[Bent] = &[
    ("no cookie", |t| (t.a.query(), String::new()), STATE),
    (
        "the other attempt's cookie alone",
        |t| (t.a.query(), t.b.cookie()),
        STATE,
    ),
    (
        "cookies swapped",
        |t| {
            (
                t.a.query(),
                format!("{}={}; {}={}", t.a.name, t.b.sealed, t.b.name, t.a.sealed),
            )
        },
        STATE,
    ),
    (
        "the cookie under the other's name, with its state",
        |t| (t.b.query(), format!("{}={}", t.b.name, t.a.sealed)),
        STATE,
    ),
    (
        "another browser's cookie under this name",
        |t| (t.a.query(), format!("{}={}", t.a.name, t.other.sealed)),
        STATE,
    ),
    (
        "a cookie's name in capitals",
        |t| {
            (
                t.a.query(),
                format!("{}={}", t.a.name.to_uppercase(), t.a.sealed),
            )
        },
        STATE,
    ),
    (
        "a cookie without its prefix",
        |t| (t.a.query(), t.a.cookie().replace("__Host-", "")),
        STATE,
    ),
    (
        "a quoted cookie",
        |t| (t.a.query(), format!("{}=\"{}\"", t.a.name, t.a.sealed)),
        STATE,
    ),
    (
        "a padded cookie",
        |t| (t.a.query(), format!("{}==", t.a.cookie())),
        STATE,
    ),
    (
        "a doubled cookie",
        |t| (t.a.query(), format!("{}{}", t.a.cookie(), t.a.sealed)),
        STATE,
    ),
    (
        "an empty cookie first",
        |t| (t.a.query(), format!("{}=; {}", t.a.name, t.a.cookie())),
        STATE,
    ),
    (
        "a broken cookie second",
        |t| (t.a.query(), format!("{}; {}=x", t.a.cookie(), t.a.name)),
        OWN,
    ),
    (
        "a session in the attempt's place",
        |t| (t.a.query(), format!("{SESSION}={}", t.a.sealed)),
        STATE,
    ),
];
