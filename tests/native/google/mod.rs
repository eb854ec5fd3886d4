//! People who sign in with Google: the sign-in itself, what proves who they are, who of them may claim, who is an admin,
//! and signing in for a preview.

mod admins;
mod claims;
mod keys;
mod oracle;
mod previews;
mod sign_in;
mod tokens;

use sandbox::{GoogleTokens, TokenLie};

use crate::support::World;

/// From now on, each ID token of this world's Google has this oddity.
fn lies(world: &World, lie: TokenLie) {
    let tokens = GoogleTokens {
        lie: Some(lie),
        ..GoogleTokens::default()
    };
    world.sandbox.borrow_mut().set_google_tokens(tokens);
}

fn members(world: &World) -> i64 {
    world.db.number("SELECT COUNT(*) FROM members")
}

fn query(address: &str, name: &str) -> String {
    let query = address.split_once('?').unwrap().1;
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(key, _)| key == name);
    found
        .unwrap_or_else(|| panic!("{name} in {address}"))
        .1
        .into_owned()
}
