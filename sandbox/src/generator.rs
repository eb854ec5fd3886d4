//! Makes ids and secrets from a seed and a counter. The counter survives `reset`, so no secret is ever made twice.

use sha2::{Digest, Sha256};

/// Every key secret has this after `sk-or-v1-`. It reads like "sandbox", and distinguishes the secret from a real one.
const SECRET_MARK: &str = "5a4db0c5";

/// Every GitHub token begins with this.
pub const TOKEN_MARK: &str = "gho_sandbox";

/// Every access token of Google begins with this.
pub const GOOGLE_TOKEN_MARK: &str = "ya29.sandbox";
/// Every token of Daydream's has this, after what is the same in every JWT without a signature.
pub const DAYDREAM_TOKEN_MARK: &str = "eyJhbGciOiJub25lIn0.c2FuZGJveA";

/// Every key of Daydream's begins with this.
pub const DAYDREAM_KEY_MARK: &str = "sk_sandbox_daydream_";

/// Every access token for the directory begins with this.
pub const DIRECTORY_TOKEN_MARK: &str = "ya29.directory-sandbox";

#[derive(Clone, Debug)]
pub struct Generator {
    seed: u64,
    made: u64,
}

impl Generator {
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, made: 0 }
    }

    /// A key secret: `sk-or-v1-` and 64 hex digits, of which the first eight are the mark.
    pub fn key_secret(&mut self) -> String {
        let hex = self.hex();
        format!(
            "sk-or-v1-{SECRET_MARK}{}",
            hex.get(SECRET_MARK.len()..).unwrap_or_default()
        )
    }

    /// A GitHub token: `gho_` and 36 characters, of which the first say that the token is the sandbox's.
    pub fn github_token(&mut self) -> String {
        format!("{TOKEN_MARK}{}", self.hex().get(..29).unwrap_or_default())
    }

    /// An access token of Google: `ya29.`, the word sandbox, and 64 hex digits.
    pub fn google_token(&mut self) -> String {
        format!("{GOOGLE_TOKEN_MARK}{}", self.hex())
    }

    /// An access token for the directory: its mark and 64 hex digits.
    pub fn directory_token(&mut self) -> String {
        format!("{DIRECTORY_TOKEN_MARK}{}", self.hex())
    }

    /// An authorization code of twenty hex digits, as GitHub's are.
    pub fn code(&mut self) -> String {
        self.hex().get(..20).unwrap_or_default().to_owned()
    }

    /// A token of Daydream's, in the form of a JWT.
    pub fn daydream_token(&mut self) -> String {
        format!("{DAYDREAM_TOKEN_MARK}{}.", self.hex())
    }

    pub fn daydream_key(&mut self) -> String {
        format!("{DAYDREAM_KEY_MARK}{}", self.hex())
    }

    pub fn request_id(&mut self) -> String {
        self.hex().get(..16).unwrap_or_default().to_uppercase()
    }

    /// A UUID of version 4.
    pub fn uuid(&mut self) -> String {
        let hex = self.hex();
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!(
            "{}-{}-4{}-8{}-{}",
            part(0, 8),
            part(8, 12),
            part(13, 16),
            part(17, 20),
            part(20, 32)
        )
    }

    fn hex(&mut self) -> String {
        self.made += 1;
        let mut input = [0_u8; 16];
        let (seed, made) = input.split_at_mut(8);
        seed.copy_from_slice(&self.seed.to_be_bytes());
        made.copy_from_slice(&self.made.to_be_bytes());
        sha256_hex(&input)
    }
}

/// The SHA-256 of `bytes`, in lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    Sha256::digest(bytes)
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
