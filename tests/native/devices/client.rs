//! A client of OAuth by other hands (the crate oauth2) gets a key from this service without knowing anything of it.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::time::Duration;

use oauth2::basic::BasicClient;
use oauth2::{
    ClientId, DeviceAuthorizationUrl, DeviceCodeErrorResponseType, HttpRequest, HttpResponse,
    RequestTokenError, StandardDeviceAuthorizationResponse, TokenResponse, TokenUrl,
};

use super::*;
use crate::support::described;

/// Carries a request of the library to the service, as the terminal's network does.
fn carried(world: &World, request: HttpRequest) -> Result<HttpResponse, Infallible> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let request = http::Request::from_parts(parts, Body::Bytes(body));
    let response = world.run(world.service().answer(request)).unwrap();
    described::check("POST", &path, &response);
    let mut answer = http::Response::builder().status(response.status);
    *answer.headers_mut().unwrap() = response.headers;
    Ok(answer.body(response.body.into_bytes()).unwrap())
}

fn url(path: &str) -> String {
    format!("{ORIGIN}/api/v1/device/{path}")
}

fn client() -> BasicClient<
    oauth2::EndpointNotSet,
    oauth2::EndpointSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointSet,
> {
    BasicClient::new(ClientId::new(String::from("oauth2 for Rust")))
        .set_device_authorization_url(DeviceAuthorizationUrl::new(url("code")).unwrap())
        .set_token_uri(TokenUrl::new(url("token")).unwrap())
}

fn begins(world: &World) -> StandardDeviceAuthorizationResponse {
    let http = |request| carried(world, request);
    let begun = client().exchange_device_code().request(&http);
    begun.unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn a_library_of_oauth_begins_waits_slows_down_and_gets_the_key() {
    let world = World::new();
    let member = Browser::signed_in(&world, "member");
    let begun = begins(&world);
    assert_eq!(
        begun.verification_uri().as_str(),
        format!("{ORIGIN}/device")
    );
    assert_eq!(begun.interval(), Duration::from_secs(5));
    assert_eq!(begun.expires_in(), Duration::from_secs(600));
    let complete = begun.verification_uri_complete().unwrap().secret().clone();
    assert!(complete.ends_with(begun.user_code().secret()));
    let (waits, approvals) = (RefCell::new(Vec::new()), Cell::new(0));
    let http = |request| carried(&world, request);
    let sleep = |interval: Duration| {
        waits.borrow_mut().push(interval.as_secs());
        // The first wait is cut short, so that the service asks for longer ones.
        let passed = if waits.borrow().len() == 1 {
            1
        } else {
            interval.as_secs()
        };
        world.pass(passed.try_into().unwrap());
        if waits.borrow().len() == 4 {
            assert_eq!(approves(&member, begun.user_code().secret()).status, 200);
            approvals.set(1);
        }
    };
    let client = client();
    let token = client
        .exchange_device_access_token(&begun)
        .request(&http, sleep, None)
        .unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(approvals.get(), 1);
    assert_eq!(*waits.borrow(), [5, 10, 10, 10]);
    assert_eq!(token.token_type(), &oauth2::basic::BasicTokenType::Bearer);
    assert!(token.expires_in().unwrap() > Duration::from_secs(89 * 86_400));
    let made = world.usable();
    assert_eq!(made.len(), 1);
    let delivered = world.delivered.borrow().clone();
    assert_eq!(delivered, [token.access_token().secret().clone()]);
}

#[test]
fn a_library_of_oauth_ends_with_what_the_person_decided_or_left_undone() {
    type Ending = fn(&Browser<'_>, &str);
    let endings: [(Ending, DeviceCodeErrorResponseType); 2] = [
        (
            |member, code| assert_eq!(denies(member, code).status, 200),
            DeviceCodeErrorResponseType::AccessDenied,
        ),
        (
            |member, _| member.world.pass(600),
            DeviceCodeErrorResponseType::ExpiredToken,
        ),
    ];
    for (ending, expected) in endings {
        let world = World::new();
        let member = Browser::signed_in(&world, "member");
        let begun = begins(&world);
        let http = |request| carried(&world, request);
        let sleep = |_| ending(&member, begun.user_code().secret());
        let client = client();
        let ended = client
            .exchange_device_access_token(&begun)
            .request(&http, sleep, None);
        match ended {
            Err(RequestTokenError::ServerResponse(error)) => assert_eq!(error.error(), &expected),
            other => panic!("{other:?}"),
        }
        assert_eq!(mints(&world), 0);
    }
}
