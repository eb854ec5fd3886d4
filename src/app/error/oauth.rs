//! Errors as the clients of OAuth read them (RFC 6749, section 5.2; RFC 8628, section 3.5).

use serde::Serialize;

use crate::app::error::Error;

/// An error of OAuth.
#[derive(Debug, Serialize)]
#[cfg_attr(
    not(target_arch = "wasm32"),
    derive(schemars::JsonSchema),
    schemars(rename = "OAuthError")
)]
pub struct OAuthErrorBody {
    /// What a client acts on: `authorization_pending`, `slow_down`, `access_denied`, `expired_token`, `invalid_grant`,
    /// `invalid_request`, `unsupported_grant_type`, `temporarily_unavailable` or `server_error`.
    error: &'static str,
    /// What happened and what to do, for a person.
    error_description: String,
    /// The same as in the problems of other routes.
    code: &'static str,
    /// The id of the request, as in the header `x-request-id`.
    instance: String,
}

impl Error {
    /// The body of the answer to a client of OAuth.
    pub fn oauth(&self, request_id: &str) -> OAuthErrorBody {
        let said = [self.title(), ". ", self.detail().as_str()].concat();
        OAuthErrorBody {
            error: self.oauth_error(),
            // These are the characters that a description may have (RFC 6749, section 5.2).
            error_description: said
                .chars()
                .map(|c| match c {
                    '"' | '\\' | '\u{2019}' => '\'',
                    ' '..='~' => c,
                    _ => '-',
                })
                .collect(),
            code: self.code(),
            instance: request_id.to_owned(),
        }
    }

    /// The status with which a client of OAuth is refused: 400, unless the request did not come as far as OAuth.
    pub const fn oauth_status(&self) -> u16 {
        match self.status() {
            403 if matches!(self, Self::ForeignOrigin) => 403,
            status @ (413 | 415 | 429 | 500..) => status,
            _ => 400,
        }
    }

    const fn oauth_error(&self) -> &'static str {
        match self {
            Self::Device(why) => why.oauth(),
            Self::RateLimited => "slow_down",
            Self::BadRequest { .. }
            | Self::MalformedJson(_)
            | Self::UnsupportedMediaType
            | Self::BodyTooLarge
            | Self::ForeignOrigin => "invalid_request",
            _ => match self.status() {
                500 => "server_error",
                501.. => "temporarily_unavailable",
                // A rule refuses the member who has approved.
                _ => "access_denied",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Error;
    use crate::domain::people::device::DeviceRefusal;

    #[test]
    fn each_error_has_the_word_and_the_status_of_oauth() {
        use DeviceRefusal as R;
        for (error, status, word) in [
            (R::Pending.into(), 400, "authorization_pending"),
            (R::SlowDown.into(), 400, "slow_down"),
            (R::Denied.into(), 400, "access_denied"),
            (R::Expired.into(), 400, "expired_token"),
            (R::UnknownDeviceCode.into(), 400, "invalid_grant"),
            (R::Redeemed.into(), 400, "invalid_grant"),
            (
                R::UnsupportedGrantType.into(),
                400,
                "unsupported_grant_type",
            ),
            (R::HasKey.into(), 400, "access_denied"),
            (R::TooManyOpen.into(), 503, "temporarily_unavailable"),
            (Error::RateLimited, 429, "slow_down"),
            (Error::BodyTooLarge, 413, "invalid_request"),
            (Error::UnsupportedMediaType, 415, "invalid_request"),
            (Error::ForeignOrigin, 403, "invalid_request"),
            (Error::BadRequest { detail: "" }, 400, "invalid_request"),
            (Error::MintingStopped, 400, "access_denied"),
            (Error::ClaimUnknown, 503, "temporarily_unavailable"),
            (Error::Internal, 500, "server_error"),
        ] {
            let is = (error.oauth_status(), error.oauth("req").error);
            assert_eq!(is, (status, word), "{error:?}");
        }
    }

    #[test]
    fn a_description_has_only_the_characters_that_it_may_have() {
        let said = Error::BadRequest {
            detail: "A \"quoted\" and \\ the plan’s ü.\n",
        };
        let description = said.oauth("req").error_description;
        assert!(
            description.ends_with("A 'quoted' and ' the plan's -.-"),
            "{description}"
        );
    }
}
