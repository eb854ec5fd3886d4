//! Each test here fails when one guard is taken out and everything else stays (`npm run mutants`).

mod mint;
mod revokes;
mod schema;
mod sessions;
mod switches;
mod walks;

/// SQL that inserts a second generation beside the claimed one, in the other slot.
fn generation(state: &str, name: &str, hash: &str) -> String {
    format!(
        "INSERT INTO generations (public_id, key_id, owner_id, slot, state, op_nonce, upstream_name, upstream_hash, secret_sha256,
           recorded_at, plan_rev, limit_nano, limit_reset, created_at, expires_at, change_id)
         SELECT 'gen_t', key_id, owner_id, 1, '{state}', 'n', {name}, {hash}, 'x', 1, 0, limit_nano, limit_reset, created_at, expires_at, 't'
         FROM generations"
    )
}
