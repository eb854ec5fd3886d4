//! Callbacks with another state or code, or with none.

use super::{Bent, EXPIRED, OWN, STATE, with};

pub(super) const ALTERED_QUERIES: &[Bent] = &[
    ("nothing", |t| (t.a.query(), t.cookies()), OWN),
    (
        "no state",
        |t| (format!("code={}", t.a.code), t.cookies()),
        STATE,
    ),
    ("an empty state", |t| with(t, &t.a.code, ""), STATE),
    ("no query", |t| (String::new(), t.cookies()), STATE),
    (
        "a longer state",
        |t| with(t, &t.a.code, &format!("{}x", t.a.state)),
        STATE,
    ),
    (
        "a shorter state",
        |t| with(t, &t.a.code, &t.a.state[..t.a.state.len() - 1]),
        STATE,
    ),
    (
        "the suffix alone",
        |t| with(t, &t.a.code, &t.a.state[..8]),
        STATE,
    ),
    (
        "the suffix and a dot",
        |t| with(t, &t.a.code, &t.a.state[..9]),
        STATE,
    ),
    (
        "a state in capitals",
        |t| with(t, &t.a.code, &t.a.state.to_uppercase()),
        STATE,
    ),
    (
        "a blank before the state",
        |t| with(t, &t.a.code, &format!("%20{}", t.a.state)),
        STATE,
    ),
    (
        "a blank after the state",
        |t| with(t, &t.a.code, &format!("{}+", t.a.state)),
        STATE,
    ),
    (
        "a zero byte after the state",
        |t| with(t, &t.a.code, &format!("{}%00", t.a.state)),
        STATE,
    ),
    (
        "a line after the state",
        |t| with(t, &t.a.code, &format!("{}%0d%0aset-cookie:a=b", t.a.state)),
        STATE,
    ),
    (
        "no UTF-8 after the state",
        |t| with(t, &t.a.code, &format!("{}%ff", t.a.state)),
        STATE,
    ),
    (
        "a state encoded twice",
        |t| with(t, &t.a.code, &t.a.state.replace('.', "%252E")),
        STATE,
    ),
    (
        "a state encoded once",
        |t| with(t, &t.a.code, &t.a.state.replace('.', "%2e")),
        OWN,
    ),
    (
        "an encoded parameter name",
        |t| {
            (
                format!("c%6fde={}&st%61te={}", t.a.code, t.a.state),
                t.cookies(),
            )
        },
        OWN,
    ),
    (
        "a parameter in capitals",
        |t| {
            (
                format!("code={}&STATE={}", t.a.code, t.a.state),
                t.cookies(),
            )
        },
        STATE,
    ),
    (
        "a parameter as a list",
        |t| {
            (
                format!("code={}&state[]={}", t.a.code, t.a.state),
                t.cookies(),
            )
        },
        STATE,
    ),
    (
        "parameters in a row of semicolons",
        |t| {
            (
                format!("code={};state={}", t.a.code, t.a.state),
                t.cookies(),
            )
        },
        STATE,
    ),
    (
        "the true state first",
        |t| (format!("{}&state=x", t.a.query()), t.cookies()),
        OWN,
    ),
    (
        "the true state second",
        |t| (format!("state=x&{}", t.a.query()), t.cookies()),
        STATE,
    ),
    (
        "an empty state first",
        |t| (format!("state=&{}", t.a.query()), t.cookies()),
        STATE,
    ),
    (
        "another attempt's state first",
        |t| (format!("state={}&{}", t.b.state, t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "the true code first",
        |t| (format!("{}&code=x", t.a.query()), t.cookies()),
        OWN,
    ),
    (
        "the true code second",
        |t| (format!("code=x&{}", t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "two true codes",
        |t| (format!("code={}&{}", t.b.code, t.a.query()), t.cookies()),
        EXPIRED,
    ),
    (
        "the state of another browser",
        |t| with(t, &t.a.code, &t.other.state),
        STATE,
    ),
    (
        "state and code of another browser",
        |t| (t.other.query(), t.cookies()),
        STATE,
    ),
    (
        "the code of another browser",
        |t| with(t, &t.other.code, &t.a.state),
        EXPIRED,
    ),
    (
        "the code of another attempt: its verifier is another",
        |t| with(t, &t.b.code, &t.a.state),
        EXPIRED,
    ),
    (
        "the state of another attempt",
        |t| with(t, &t.a.code, &t.b.state),
        EXPIRED,
    ),
    (
        "no code",
        |t| (format!("state={}", t.a.state), t.cookies()),
        STATE,
    ),
    ("an empty code", |t| with(t, "", &t.a.state), EXPIRED),
    (
        "a code with a line",
        |t| with(t, "a%0d%0ax:y", &t.a.state),
        EXPIRED,
    ),
    (
        "a code with a zero byte",
        |t| with(t, &format!("{}%00", t.a.code), &t.a.state),
        EXPIRED,
    ),
    (
        "a code with a quote",
        |t| with(t, "%22%2c%22client_id%22%3a%22x", &t.a.state),
        EXPIRED,
    ),
    (
        "a code that is no UTF-8",
        |t| with(t, "%ff%fe", &t.a.state),
        EXPIRED,
    ),
    (
        "a huge code",
        |t| with(t, &"A".repeat(16_384), &t.a.state),
        EXPIRED,
    ),
    (
        "a huge state",
        |t| with(t, &t.a.code, &"a".repeat(16_384)),
        STATE,
    ),
];
