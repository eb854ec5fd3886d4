//! The sockets around the library: how a delivery is sent on the wire, and everything that waits.

use crate::body::Payload;
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use sandbox::{Delivery, Request, Response, Sandbox};
use std::{
    collections::HashMap,
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{oneshot, watch},
};

const BODY_MAX: usize = 1 << 20;
/// How long `GET /_sandbox/held` waits for calls to be held.
const HELD_PATIENCE: Duration = Duration::from_secs(20);
const HELD: &str = "/_sandbox/held";
const RELEASE: &str = "/_sandbox/release";
const RESET: &str = "/_sandbox/reset";

pub struct Front {
    stage: Mutex<Stage>,
    /// Sends a notice after every request, to those that wait for held calls.
    changes: watch::Sender<()>,
}

struct Stage {
    sandbox: Sandbox,
    waiting: HashMap<u64, oneshot::Sender<Delivery>>,
}

/// The error that closes a connection without an answer.
#[derive(Debug)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("cut by a fault")
    }
}

impl std::error::Error for Cut {}

/// Serves until the listener breaks. Each connection is a task of its own.
pub async fn accept(listener: TcpListener, front: Front) -> io::Result<()> {
    let front = Arc::new(front);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(Arc::clone(&front), stream));
    }
}

async fn connection(front: Arc<Front>, stream: TcpStream) {
    // Small answers are sent at once. A socket without this option still works.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { front.serve(request).await }
    });
    // An error here is a client that left, or a fault that cut the connection. Both are intended.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Front {
    pub fn new(sandbox: Sandbox) -> Self {
        Self {
            stage: Mutex::new(Stage {
                sandbox,
                waiting: HashMap::new(),
            }),
            changes: watch::Sender::new(()),
        }
    }

    async fn serve(
        &self,
        incoming: hyper::Request<Incoming>,
    ) -> Result<hyper::Response<Payload>, Cut> {
        let request = read(incoming).await?;
        match self.answer(&request).await {
            Delivery::Answer(response) => wire(response, Payload::whole),
            Delivery::Truncated(response) => wire(response, Payload::half),
            Delivery::Stall => std::future::pending().await,
            Delivery::Reset | Delivery::Held { .. } => Err(Cut),
        }
    }

    async fn answer(&self, request: &Request) -> Delivery {
        match (request.method.as_str(), request.path()) {
            ("POST", RELEASE) => Delivery::Answer(self.release(request)),
            ("GET", HELD) => self.until_held(request).await,
            _ => self.ask(request).await,
        }
    }

    async fn ask(&self, request: &Request) -> Delivery {
        let (delivery, held) = self.handle(request);
        self.changes.send_replace(());
        match held {
            // After a reset of the sandbox its held calls are forgotten, and their senders are gone.
            Some(released) => released.await.unwrap_or(Delivery::Reset),
            None => delivery,
        }
    }

    fn handle(&self, request: &Request) -> (Delivery, Option<oneshot::Receiver<Delivery>>) {
        let mut stage = self.stage();
        let delivery = stage.sandbox.handle(request, now_ms());
        if request.path() == RESET {
            stage.waiting.clear();
        }
        let Delivery::Held { ticket } = delivery else {
            return (delivery, None);
        };
        let (sender, receiver) = oneshot::channel();
        stage.waiting.insert(ticket, sender);
        (delivery, Some(receiver))
    }

    /// Asks again after every change, until enough calls are held or the time is over. Then the library's own 408 is
    /// the answer.
    async fn until_held(&self, request: &Request) -> Delivery {
        let mut changes = self.changes.subscribe();
        let enough = async {
            loop {
                let delivery = self.stage().sandbox.handle(request, now_ms());
                if !matches!(&delivery, Delivery::Answer(response) if response.status == 408)
                    || changes.changed().await.is_err()
                {
                    return delivery;
                }
            }
        };
        match tokio::time::timeout(HELD_PATIENCE, enough).await {
            Ok(delivery) => delivery,
            Err(_) => self.stage().sandbox.handle(request, now_ms()),
        }
    }

    /// Releases `{"ticket": n}` or `{"all": true}`. Effects happen in the order of the tickets.
    fn release(&self, request: &Request) -> Response {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let field = |name: &str| body.get(name).cloned().unwrap_or_default();
        let mut stage = self.stage();
        let tickets: Vec<u64> = match (field("ticket").as_u64(), field("all").as_bool()) {
            (Some(ticket), _) => vec![ticket],
            (None, Some(true)) => stage
                .sandbox
                .held()
                .iter()
                .map(|held| held.ticket)
                .collect(),
            _ => {
                return Response::json(400, &serde_json::json!({"error": "name a ticket, or all"}));
            }
        };
        let released = tickets
            .into_iter()
            .filter(|&ticket| stage.let_go(ticket))
            .count();
        Response::json(200, &serde_json::json!({"released": released}))
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stage {
    fn let_go(&mut self, ticket: u64) -> bool {
        let Some(delivery) = self.sandbox.release(ticket, now_ms()) else {
            return false;
        };
        if let Some(waiting) = self.waiting.remove(&ticket) {
            // The caller may have left, but the effect has happened nevertheless.
            let _ = waiting.send(delivery);
        }
        true
    }
}

async fn read(incoming: hyper::Request<Incoming>) -> Result<Request, Cut> {
    let (parts, body) = incoming.into_parts();
    let bytes = Limited::new(body, BODY_MAX)
        .collect()
        .await
        .map_err(|_| Cut)?
        .to_bytes();
    let text =
        |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Ok(Request {
        method: parts.method.to_string(),
        target: parts
            .uri
            .path_and_query()
            .map_or_else(|| "/".to_owned(), ToString::to_string),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: bytes.to_vec(),
    })
}

fn wire(
    response: Response,
    payload: fn(Vec<u8>) -> Payload,
) -> Result<hyper::Response<Payload>, Cut> {
    let mut builder = hyper::Response::builder().status(response.status);
    for (name, value) in &response.headers {
        builder = builder.header(name, value);
    }
    builder.body(payload(response.body)).map_err(|_| Cut)
}

fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
