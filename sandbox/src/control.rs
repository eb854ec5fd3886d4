//! The control API under `/_sandbox/`: faults, the ledger, the clock, and everything that the account's owner could do
//! by hand. The front does the waiting, for held calls and for releases; here everything answers at once.

use crate::{
    Sandbox,
    faults::Fault,
    google::service_account::service_account_json,
    google::{DirectoryLie, DirectoryPerson},
    message::{Request, Response},
    money::Usd,
    openrouter::NewKey,
    operation::Operation,
    spending::{Metering, Spent},
    usage::NewUse,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) const PREFIX: &str = "/_sandbox/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectoryChange {
    #[serde(default)]
    people: Vec<DirectoryPerson>,
    lies: Option<Vec<DirectoryLie>>,
}

type Answer = Result<Response, String>;

impl Sandbox {
    pub(crate) fn control(&mut self, request: &Request, now_ms: i64) -> Response {
        let command = request.path().strip_prefix(PREFIX).unwrap_or_default();
        let result = match (request.method.as_str(), command) {
            ("GET", "healthz") => Ok(Response::json(200, &json!({"status": "ok"}))),
            ("GET", "ledger") => Ok(self.show_ledger(now_ms)),
            ("GET", "held") => self.show_held(request),
            ("POST", "reset") => Ok(self.reset_all()),
            ("POST", "faults") => self.add_faults(request),
            ("DELETE", "faults") => Ok(self.drop_faults()),
            ("POST", "land") => Ok(self.land(now_ms)),
            ("POST", "clock") => self.set_clock(request),
            ("POST", "keys") => self.add_key(request, now_ms),
            ("POST", "usage") => self.add_usage(request, now_ms),
            ("POST", "spend") => self.add_spend(request, now_ms),
            ("POST", "metering") => self.meter(request),
            ("POST", "reports") => self.report(request),
            ("POST", "google") => self.change_google_tokens(request),
            ("POST", "google/rotate") => Ok(self.rotate_keys()),
            ("POST", "google/retire") => Ok(self.retire_keys()),
            ("GET", "directory/key") => Ok(Response::json(
                200,
                &json!({"service_account": service_account_json()}),
            )),
            ("POST", "directory") => self.change_directory(request),
            ("POST", "organization") => self.change_organization(request),
            _ => Ok(Response::json(
                404,
                &json!({"error": "no such control route"}),
            )),
        };
        result.unwrap_or_else(|problem| Response::json(400, &json!({"error": problem})))
    }

    fn show_ledger(&mut self, now_ms: i64) -> Response {
        let now = self.time(now_ms);
        let mut ledger = json!(self.ledger);
        if let Some(members) = ledger.as_object_mut() {
            members.insert("now_ms".to_owned(), json!(now));
            members.insert("held".to_owned(), json!(self.held()));
            members.insert("late".to_owned(), json!(self.late_count()));
        }
        Response::json(200, &ledger)
    }

    /// Answers 200 when at least `count` calls (of `operation`, if given) are held, and otherwise 408.
    fn show_held(&self, request: &Request) -> Answer {
        let (operation, count) = held_query(request)?;
        let held: Vec<_> = self
            .held()
            .into_iter()
            .filter(|held| operation.is_none_or(|operation| held.operation == operation))
            .collect();
        let status = if held.len() >= count { 200 } else { 408 };
        Ok(Response::json(status, &json!({"held": held})))
    }

    fn reset_all(&mut self) -> Response {
        self.reset();
        Response::json(200, &json!({"reset": true}))
    }

    fn add_faults(&mut self, request: &Request) -> Answer {
        let value = body(request)?;
        let given = value
            .as_array()
            .map_or_else(|| vec![&value], |list| list.iter().collect());
        let faults = given
            .into_iter()
            .map(Fault::from_json)
            .collect::<Result<Vec<_>, _>>()?;
        let added = faults.len();
        for fault in faults {
            self.add_fault(fault);
        }
        Ok(Response::json(200, &json!({"added": added})))
    }

    fn drop_faults(&mut self) -> Response {
        self.clear_faults();
        Response::json(200, &json!({"cleared": true}))
    }

    fn land(&mut self, now_ms: i64) -> Response {
        let landed = self.land_late(now_ms);
        Response::json(200, &json!({"landed": landed}))
    }

    fn set_clock(&mut self, request: &Request) -> Answer {
        let value = body(request)?;
        let ms = value
            .get("advance_ms")
            .and_then(Value::as_i64)
            .ok_or("advance_ms is a whole number")?;
        self.advance_clock(ms);
        Ok(Response::json(
            200,
            &json!({"offset_ms": self.clock_offset_ms()}),
        ))
    }

    /// Makes a key as somebody else would. The body has the members of `POST /keys`, and the name is optional.
    fn add_key(&mut self, request: &Request, now_ms: i64) -> Answer {
        let mut value = body(request)?;
        let members = value.as_object_mut().ok_or("a key is an object")?;
        members
            .entry("name")
            .or_insert_with(|| json!("made by somebody else"));
        let new = NewKey::read(members)?;
        let key = self.add_foreign_key(new, now_ms);
        Ok(Response::json(201, &json!({"key": key})))
    }

    /// Makes a model call. The answer says how much of its price was booked, or why it was refused.
    fn add_spend(&mut self, request: &Request, now_ms: i64) -> Answer {
        let value = body(request)?;
        let key = text(&value, "key")?;
        let model = value.get("model").and_then(Value::as_str);
        let spent = self.call_model(key, model, price(&value)?, now_ms);
        let answer = match spent {
            Spent::Booked(amount) => json!({"booked_usd": amount}),
            Spent::Unusable => json!({"refused": "unusable", "status": spent.status()}),
            Spent::LimitReached => json!({"refused": "limit_reached", "status": spent.status()}),
            Spent::ModelNotAllowed => {
                json!({"refused": "model_not_allowed", "status": spent.status()})
            }
        };
        Ok(Response::json(200, &answer))
    }

    fn meter(&mut self, request: &Request) -> Answer {
        let value = body(request)?;
        let lag_ms = value.get("lag_ms").and_then(Value::as_i64);
        let overshoot = value.get("overshoot").and_then(Value::as_bool);
        self.set_metering(Metering {
            lag_ms: lag_ms.ok_or("lag_ms is a whole number")?,
            overshoot: overshoot.ok_or("overshoot is true or false")?,
        });
        Ok(Response::json(200, &json!({"set": true})))
    }

    fn report(&mut self, request: &Request) -> Answer {
        let reports = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        self.set_reports(reports);
        Ok(Response::json(200, &json!({"set": true})))
    }

    fn change_google_tokens(&mut self, request: &Request) -> Answer {
        let tokens = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        self.set_google_tokens(tokens);
        Ok(Response::json(200, &json!({"set": true})))
    }

    fn rotate_keys(&mut self) -> Response {
        self.rotate_google_keys();
        Response::json(200, &json!({"rotated": true}))
    }

    fn retire_keys(&mut self) -> Response {
        self.retire_google_keys();
        Response::json(200, &json!({"retired": true}))
    }

    /// Adds or changes people of the directory, and sets what it says that is not so.
    fn change_directory(&mut self, request: &Request) -> Answer {
        let change: DirectoryChange =
            serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        self.put_directory(change.people);
        if let Some(lies) = change.lies {
            self.set_directory_lies(lies);
        }
        Ok(Response::json(200, &json!({"set": true})))
    }

    fn change_organization(&mut self, request: &Request) -> Answer {
        let organization =
            serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        self.set_organization(organization);
        Ok(Response::json(200, &json!({"set": true})))
    }

    fn add_usage(&mut self, request: &Request, now_ms: i64) -> Answer {
        let value = body(request)?;
        let hash = text(&value, "hash")?;
        let amount = price(&value)?;
        let byok = value.get("byok").and_then(Value::as_bool).unwrap_or(false);
        let booked = if let Some(model) = value.get("model").and_then(Value::as_str) {
            let now = self.time(now_ms);
            let ago = value
                .get("ago_ms")
                .and_then(Value::as_i64)
                .unwrap_or_default();
            self.use_model(&NewUse {
                hash,
                model,
                usd: amount,
                byok,
                at_ms: now.saturating_sub(ago),
                lag_ms: 0,
            })
        } else if byok {
            self.book_byok_usage(hash, amount, now_ms)
        } else {
            self.book_usage(hash, amount, now_ms)
        };
        if booked {
            Ok(Response::json(200, &json!({"booked": true})))
        } else {
            Err("no key has this hash".to_owned())
        }
    }
}

fn held_query(request: &Request) -> Result<(Option<Operation>, usize), String> {
    let operation = match request.query_value("operation").as_deref() {
        None | Some("") => None,
        Some(name) => Some(Operation::parse(name).ok_or_else(|| format!("no operation {name}"))?),
    };
    let count = request.query_value("count").map_or(Ok(1), |text| {
        text.parse()
            .map_err(|_| "count is a whole number".to_owned())
    })?;
    Ok((operation, count))
}

fn text<'a>(value: &'a Value, member: &str) -> Result<&'a str, String> {
    let text = value.get(member).and_then(Value::as_str);
    text.ok_or_else(|| format!("{member} is text"))
}

fn price(value: &Value) -> Result<Usd, String> {
    let dollars = value.get("usd").and_then(Value::as_f64);
    dollars
        .map(Usd::from_dollars)
        .ok_or_else(|| "usd is a number".to_owned())
}

fn body(request: &Request) -> Result<Value, String> {
    serde_json::from_slice(&request.body).map_err(|error| error.to_string())
}
