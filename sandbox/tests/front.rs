//! The server on its socket: whole and broken answers, held ones, and many at once. Built only with the front.
#![cfg(feature = "front")]

use sandbox::MANAGEMENT_KEY;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
            .args(["--port", "0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim()
            .strip_prefix("sandbox listening on http://")
            .unwrap()
            .to_owned();
        Self { child, address }
    }

    /// Sends a request on a connection of its own and leaves the answer to be read.
    fn send(&self, method: &str, path: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: sandbox\r\nuser-agent: test\r\nconnection: close\r\nauthorization: Bearer {MANAGEMENT_KEY}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    fn call(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let (head, body) = read_all(self.send(method, path, body));
        (
            status(&head),
            serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {head}{body}")),
        )
    }

    fn fault(&self, operation: &str, kind: &str) {
        let fault = json!({"operation": operation, "kind": kind, "times": 1});
        assert_eq!(
            self.call("POST", "/_sandbox/faults", &fault.to_string()),
            (200, json!({"added": 1}))
        );
    }

    fn keys(&self) -> usize {
        self.call("GET", "/_sandbox/ledger", "").1["keys"]
            .as_array()
            .unwrap()
            .len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

const KEYS: &str = "/openrouter/api/v1/keys";

fn read_all(mut stream: TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    // A cut may arrive as an error after the bytes that came through; those are what counts.
    if let Err(error) = stream.read_to_end(&mut bytes) {
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.as_str(), ""));
    (head.to_owned(), body.to_owned())
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

fn promised(head: &str) -> usize {
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    line.unwrap().parse().unwrap()
}

#[test]
fn complete_answers_arrive_complete() {
    let server = Server::start();
    let (status, made) = server.call("POST", KEYS, r#"{"name":"a"}"#);
    assert_eq!((status, made["data"]["name"].as_str()), (201, Some("a")));
    assert_eq!(
        server.call("GET", "/_sandbox/healthz", ""),
        (200, json!({"status": "ok"}))
    );
    assert_eq!(server.call("POST", "/_sandbox/reset", "").0, 200);
    assert_eq!(server.keys(), 0);
}

#[test]
fn a_reset_sends_nothing_and_closes() {
    let server = Server::start();
    for (kind, keys) in [("reset_before", 0), ("reset_after", 1), ("late", 1)] {
        server.fault("openrouter.keys.create", kind);
        let (head, body) = read_all(server.send("POST", KEYS, r#"{"name":"a"}"#));
        assert_eq!(
            (head.as_str(), body.as_str(), server.keys()),
            ("", "", keys),
            "{kind}"
        );
    }
    assert_eq!(
        server.call("POST", "/_sandbox/land", "").1,
        json!({"landed": 1})
    );
    assert_eq!(server.keys(), 2);
}

#[test]
fn a_truncated_answer_breaks_off_half_way_through_what_it_promised() {
    let server = Server::start();
    server.fault("openrouter.keys.create", "truncated");
    let (head, body) = read_all(server.send("POST", KEYS, r#"{"name":"a"}"#));
    assert_eq!((status(&head), body.len()), (201, promised(&head) / 2));
    assert_eq!(server.keys(), 1);
}

#[test]
fn a_stalled_call_blocks_nobody_else() {
    let server = Server::start();
    server.fault("openrouter.keys.create", "stall_after");
    let mut stalled = server.send("POST", KEYS, r#"{"name":"a"}"#);
    // The ledger tells when the call has arrived; the silence after it is then the server's.
    while server.keys() == 0 {
        thread::yield_now();
    }
    stalled
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let error = stalled.read(&mut [0]).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        "{error}"
    );
}

#[test]
fn held_calls_wait_for_their_release_and_the_effect_with_them() {
    let server = Server::start();
    server.fault("openrouter.keys.create", "hold_before");
    server.fault("openrouter.keys.list", "hold_after");
    let create = server.send("POST", KEYS, r#"{"name":"a"}"#);
    let (status_held, held) = server.call(
        "GET",
        "/_sandbox/held?operation=openrouter.keys.create&count=1",
        "",
    );
    assert_eq!((status_held, server.keys()), (200, 0));
    let list = server.send("GET", KEYS, "");
    assert_eq!(server.call("GET", "/_sandbox/held?count=2", "").0, 200);
    let ticket = &held["held"][0]["ticket"];
    assert_eq!(
        server
            .call(
                "POST",
                "/_sandbox/release",
                &json!({"ticket": ticket}).to_string()
            )
            .1,
        json!({"released": 1})
    );
    assert_eq!(status(&read_all(create).0), 201);
    assert_eq!(
        server
            .call("POST", "/_sandbox/release", r#"{"all":true}"#)
            .1,
        json!({"released": 1})
    );
    let (_, listed) = read_all(list);
    assert_eq!(
        listed, r#"{"data":[]}"#,
        "what it answers was decided before it was held"
    );
    assert_eq!(
        server
            .call(
                "POST",
                "/_sandbox/release",
                &json!({"ticket": ticket}).to_string()
            )
            .1,
        json!({"released": 0})
    );
    assert_eq!(server.call("POST", "/_sandbox/release", "{}").0, 400);
}

#[test]
fn a_reset_of_the_sandbox_ends_held_calls_without_an_answer() {
    let server = Server::start();
    server.fault("openrouter.keys.create", "hold_before");
    let held = server.send("POST", KEYS, r#"{"name":"a"}"#);
    assert_eq!(server.call("GET", "/_sandbox/held?count=1", "").0, 200);
    assert_eq!(server.call("POST", "/_sandbox/reset", "").0, 200);
    assert_eq!(read_all(held), (String::new(), String::new()));
    assert_eq!(server.keys(), 0);
}

#[test]
fn three_hundred_calls_at_once_are_all_held_and_all_answered() {
    let server = Server::start();
    let fault = json!({"operation": "openrouter.keys.create", "kind": "hold_before", "times": 0});
    server.call("POST", "/_sandbox/faults", &fault.to_string());
    let calls: Vec<TcpStream> = (0..300)
        .map(|number| {
            server.send(
                "POST",
                KEYS,
                &json!({"name": number.to_string()}).to_string(),
            )
        })
        .collect();
    assert_eq!(server.call("GET", "/_sandbox/held?count=300", "").0, 200);
    assert_eq!(
        server
            .call("POST", "/_sandbox/release", r#"{"all":true}"#)
            .1,
        json!({"released": 300})
    );
    let statuses: Vec<u16> = calls
        .into_iter()
        .map(|stream| status(&read_all(stream).0))
        .collect();
    assert_eq!(statuses, [201; 300]);
    assert_eq!(server.keys(), 300);
}

#[test]
fn a_wrong_option_ends_with_a_message_and_a_taken_port_too() {
    let server = Server::start();
    let port = server.address.rsplit(':').next().unwrap();
    for (arguments, code) in [(["--prot", "1"], 2), (["--port", port], 1)] {
        let output = Command::new(env!("CARGO_BIN_EXE_sandbox"))
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(output.stderr.starts_with(b"sandbox: "));
    }
}
