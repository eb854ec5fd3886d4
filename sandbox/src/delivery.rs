//! One call, from its arrival to the answer that the caller sees: its fault, its effect (now, later or never), and held
//! calls.

use crate::{
    Sandbox, bend, daydream,
    faults::FaultKind,
    github, google,
    ledger::Outcome,
    message::{Delivery, Request, Response},
    openrouter,
    operation::{Host, Operation},
};
use serde::Serialize;
use std::collections::BTreeMap;

const GATEWAY_PAGE: &str = "<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>";
const EDGE_PAGE: &str =
    "<!doctype html><title>Attention required</title><h1>Something in between refused this</h1>";
const WELCOME_PAGE: &str =
    "<!doctype html><title>Welcome</title><h1>An HTML page where JSON was asked for</h1>";

/// A call whose answer waits for `release`.
#[derive(Clone, Debug, Serialize)]
pub struct HeldCall {
    pub ticket: u64,
    pub operation: Operation,
    /// Whether the effect has happened already (`hold_after`).
    pub effect: bool,
}

#[derive(Clone, Debug)]
struct Held {
    operation: Operation,
    call: u64,
    step: Step,
}

#[derive(Clone, Debug)]
enum Step {
    Perform(Request),
    Answer(Response),
}

#[derive(Clone, Debug)]
struct Late {
    operation: Operation,
    call: u64,
    request: Request,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    held: BTreeMap<u64, Held>,
    late: Vec<Late>,
    tickets: u64,
}

impl Waiting {
    pub const fn next_ticket(&self) -> u64 {
        self.tickets
    }

    pub const fn continue_from(&mut self, tickets: u64) {
        self.tickets = tickets;
    }

    fn hold(&mut self, held: Held) -> Delivery {
        self.tickets += 1;
        self.held.insert(self.tickets, held);
        Delivery::Held {
            ticket: self.tickets,
        }
    }
}

impl Sandbox {
    /// Delivers one call: applies the fault that is due for it, and records the call in the ledger.
    pub(crate) fn deliver(
        &mut self,
        operation: Operation,
        request: &Request,
        now: i64,
    ) -> Delivery {
        let fault = self.faults.next(operation);
        let call = self
            .ledger
            .open_call(operation, now, fault.as_ref().map(FaultKind::name));
        let delivery = match fault {
            None => Delivery::Answer(self.run(operation, request, call, now)),
            Some(fault) => self.deliver_faulty(&fault, operation, request, call, now),
        };
        self.ledger.close_call(call, outcome_of(&delivery));
        delivery
    }

    fn deliver_faulty(
        &mut self,
        fault: &FaultKind,
        operation: Operation,
        request: &Request,
        call: u64,
        now: i64,
    ) -> Delivery {
        match fault {
            FaultKind::ResetBefore => Delivery::Reset,
            FaultKind::StallBefore => Delivery::Stall,
            FaultKind::Refuse { status } | FaultKind::ErrorBefore { status } => {
                Delivery::Answer(failure(operation, *status))
            }
            FaultKind::RateLimited {
                retry_after,
                headers,
            } => Delivery::Answer(rate_limited(operation, *retry_after, headers, now)),
            FaultKind::HtmlError => Delivery::Answer(Response::html(502, GATEWAY_PAGE.to_owned())),
            FaultKind::HtmlRefuse { status } => {
                Delivery::Answer(Response::html(*status, EDGE_PAGE.to_owned()))
            }
            FaultKind::OffsetIgnored => {
                let request = request.without("offset");
                Delivery::Answer(self.run(operation, &request, call, now))
            }
            FaultKind::Late => {
                self.waiting.late.push(Late {
                    operation,
                    call,
                    request: request.clone(),
                });
                Delivery::Reset
            }
            FaultKind::HoldBefore => self.waiting.hold(Held {
                operation,
                call,
                step: Step::Perform(request.clone()),
            }),
            FaultKind::Duplicate => {
                self.run(operation, request, call, now);
                Delivery::Answer(self.run(operation, request, call, now))
            }
            after => {
                let answer = self.run(operation, request, call, now);
                self.spoil(after, operation, call, answer)
            }
        }
    }

    /// Applies the faults that strike after the effect.
    fn spoil(
        &mut self,
        fault: &FaultKind,
        operation: Operation,
        call: u64,
        answer: Response,
    ) -> Delivery {
        match fault {
            FaultKind::ResetAfter => Delivery::Reset,
            FaultKind::StallAfter => Delivery::Stall,
            FaultKind::Truncated => Delivery::Truncated(answer),
            FaultKind::ErrorAfter { status } => Delivery::Answer(failure(operation, *status)),
            FaultKind::Html => Delivery::Answer(Response::html(200, WELCOME_PAGE.to_owned())),
            FaultKind::HoldAfter => self.waiting.hold(Held {
                operation,
                call,
                step: Step::Answer(answer),
            }),
            lie => Delivery::Answer(bend::bend(lie, answer)),
        }
    }

    fn run(&mut self, operation: Operation, request: &Request, call: u64, now: i64) -> Response {
        self.ledger.mark_effect(call);
        self.perform(operation, request, now)
    }

    /// Lists the calls whose answers wait, oldest first.
    #[must_use]
    pub fn held(&self) -> Vec<HeldCall> {
        let held = self.waiting.held.iter();
        held.map(|(&ticket, held)| HeldCall {
            ticket,
            operation: held.operation,
            effect: matches!(held.step, Step::Answer(_)),
        })
        .collect()
    }

    /// Lets a held call go on. If its effect has not happened yet, it happens now. Returns `None` for an unknown
    /// ticket.
    pub fn release(&mut self, ticket: u64, now_ms: i64) -> Option<Delivery> {
        let Held {
            operation,
            call,
            step,
        } = self.waiting.held.remove(&ticket)?;
        let now = self.time(now_ms);
        let answer = match step {
            Step::Answer(answer) => answer,
            Step::Perform(request) => self.run(operation, &request, call, now),
        };
        self.ledger
            .close_call(call, Outcome::Answered(answer.status));
        Some(Delivery::Answer(answer))
    }

    /// Lets every late effect happen, in the order of arrival. Returns how many there were.
    pub fn land_late(&mut self, now_ms: i64) -> usize {
        let now = self.time(now_ms);
        let late = std::mem::take(&mut self.waiting.late);
        for Late {
            operation,
            call,
            request,
        } in &late
        {
            let answer = self.run(*operation, request, *call, now);
            self.ledger
                .close_call(*call, Outcome::Landed(answer.status));
        }
        late.len()
    }

    /// Counts the effects that have not happened yet.
    #[must_use]
    pub const fn late_count(&self) -> usize {
        self.waiting.late.len()
    }
}

const fn outcome_of(delivery: &Delivery) -> Outcome {
    match delivery {
        Delivery::Answer(response) => Outcome::Answered(response.status),
        Delivery::Truncated(response) => Outcome::Truncated(response.status),
        Delivery::Reset => Outcome::Reset,
        Delivery::Stall => Outcome::Stalled,
        Delivery::Held { .. } => Outcome::Held,
    }
}

/// An error as the played host words it.
fn failure(operation: Operation, status: u16) -> Response {
    match operation.host() {
        Host::Openrouter => openrouter::error(status, openrouter::usual_text(status)),
        Host::OpenrouterSite | Host::Daydream | Host::DaydreamApi => daydream::error(status),
        Host::Github | Host::GithubApi => github::api_error(status, github::usual_text(status)),
        Host::Google | Host::GoogleToken | Host::GoogleCerts => {
            google::oauth_error(status, google::usual_error(status), "The sandbox says no.")
        }
        Host::GoogleDirectory => google::directory::error(
            status,
            google::directory::usual_reason(status),
            "The sandbox says no.",
        ),
    }
}

fn rate_limited(
    operation: Operation,
    retry_after: Option<u64>,
    headers: &BTreeMap<String, String>,
    now: i64,
) -> Response {
    let answer = match operation.host() {
        Host::Openrouter => openrouter::rate_limited(),
        Host::OpenrouterSite | Host::Daydream | Host::DaydreamApi => daydream::error(429),
        Host::Github | Host::GithubApi => github::rate_limited(retry_after, now),
        Host::Google | Host::GoogleToken | Host::GoogleCerts => {
            google::oauth_error(429, "rate_limit_exceeded", "Too many requests.")
        }
        Host::GoogleDirectory => {
            google::directory::error(429, "rateLimitExceeded", "Quota exceeded for quota metric")
        }
    };
    let answer = match retry_after {
        Some(seconds) => answer.with("retry-after", &seconds.to_string()),
        None => answer,
    };
    headers.iter().fold(answer, |answer, (name, value)| {
        answer.with(&name.to_ascii_lowercase(), value)
    })
}
