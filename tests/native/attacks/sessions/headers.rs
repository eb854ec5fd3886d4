//! Forged cookie headers around a valid token.

use super::Forged;
use crate::attacks::SESSION;

/// `Cookie` headers that hold the valid token in a place where it must not count.
pub(super) fn cookie_headers(token: &str, attempt: &str) -> Vec<Forged> {
    let mut forms: Vec<Forged> = [
        format!("{SESSION}=\"{token}\""),
        format!("{SESSION}='{token}'"),
        format!("{SESSION}=={token}"),
        format!("={SESSION}={token}"),
        format!("x{SESSION}={token}"),
        format!("{SESSION}x={token}"),
        format!("{SESSION}[0]={token}"),
        format!("{SESSION}%20={token}"),
        format!("%5F%5FHost-keycap_session={token}"),
        format!("${SESSION}={token}"),
        format!("{}={token}", SESSION.to_lowercase()),
        format!("{}={token}", SESSION.to_uppercase()),
        format!("__Secure-keycap_session={token}"),
        format!("keycap_session={token}"),
        format!("__Host-session={token}"),
        format!("session={token}"),
        format!("{attempt}={token}"),
        format!("{SESSION}:{token}"),
        format!("{SESSION} {token}"),
        format!("a=1, {SESSION}={token}"),
        format!("a=1 {SESSION}={token}"),
        format!("a=1&{SESSION}={token}"),
        format!("a=\"; {SESSION}={token}\""),
        format!("a={SESSION}={token}"),
        token.to_owned(),
        SESSION.to_owned(),
        format!("{SESSION}="),
        format!("{SESSION}=; {SESSION}={token}"),
        format!("{SESSION}=x; {SESSION}={token}"),
        format!("{SESSION}=deleted; {SESSION}={token}"),
        format!("{SESSION}=x;{SESSION}={token};{SESSION}={token}"),
        format!("{SESSION}={}", "A".repeat(4_096)),
        format!("{SESSION}={token}{}", "A".repeat(4_096)),
        format!(
            "{SESSION}={}.{}.{}",
            "A".repeat(65_536),
            "B".repeat(9),
            "C".repeat(43)
        ),
        format!("{SESSION}={}", ".".repeat(4_096)),
        ";".repeat(4_096),
        "=".repeat(4_096),
        format!("{SESSION}={token}\u{e9}"),
    ]
    .into_iter()
    .map(|text| (text.chars().take(60).collect(), text.into_bytes()))
    .collect();
    // Some languages trim these characters from a cookie's name, and browsers do not. That would circumvent the
    // `__Host-` prefix.
    for blank in [
        "\u{85}", "\u{a0}", "\u{1680}", "\u{2000}", "\u{2028}", "\u{3000}", "\u{feff}",
    ] {
        forms.push((
            format!("{blank:?} before the name"),
            format!("{blank}{SESSION}={token}").into_bytes(),
        ));
        forms.push((
            format!("{blank:?} before the value"),
            format!("{SESSION}={blank}{token}").into_bytes(),
        ));
    }
    for byte in [0x85_u8, 0xa0, 0xff] {
        let text = [&[byte], format!("{SESSION}={token}").as_bytes()].concat();
        forms.push((format!("byte {byte:#x} before the name"), text));
    }
    forms
}
