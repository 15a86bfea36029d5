//! A server that plays Dodo Payments: the requests that we make of it, with whole answers as its SDKs describe them,
//! and webhooks, signed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, patch, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{Client, Reply, Server};

/// The operator's key for it.
pub const KEY: &str = "dodo-test-key";

/// What signs its webhooks, and what signs them after a rotation.
pub const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
pub const NEXT_SECRET: &str = "whsec_bmV4dCBzZWNyZXQgb2YgdGhlIHRlc3Rz";

/// A credit costs a euro.
pub const PRICE: i64 = 10_000;

const AT: &str = "2026-11-26T00:00:00Z";

#[derive(Default)]
struct Held {
    requests: Vec<(String, Value)>,
    payments: BTreeMap<String, Value>,
    refunds: BTreeMap<String, Value>,
    disputes: BTreeMap<String, Value>,
    subscriptions: BTreeMap<String, Value>,
    made: usize,
    down: bool,
    refusing: bool,
}

/// The server. It goes with the test's runtime.
#[derive(Clone)]
pub struct Dodo {
    held: Arc<Mutex<Held>>,
    /// Where it listens.
    pub url: String,
}

/// A webhook as it is sent.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub id: String,
    pub timestamp: i64,
    pub body: String,
    pub signature: String,
}

impl Dodo {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let dodo = Self { held: Arc::default(), url };
        let router = Router::new()
            .route("/checkouts", post(checkout))
            .route("/payments", get(|dodo, key, page| list(dodo, key, page, |held| &held.payments)))
            .route("/payments/{id}", get(payment))
            .route("/refunds", get(|dodo, key, page| list(dodo, key, page, |held| &held.refunds)).post(refund))
            .route("/subscriptions/{id}/charge", post(charge))
            .route("/subscriptions/{id}", patch(subscription))
            .route("/disputes", get(|dodo, key, page| list(dodo, key, page, |held| &held.disputes)))
            .with_state(dodo.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        dodo
    }

    /// The operator's file for it.
    pub fn config(&self) -> String {
        format!(
            "[payments]\nprocessor = \"dodo\"\nbase_url = \"{}\"\nproduct_id = \"pdt_credits\"\n\
             mandate_product_id = \"pdt_mandate\"\n\
             return_url = \"https://agents.example.com/paid\"\n\
             [payments.currencies.EUR]\nmicrocredits_per_minor_unit = {PRICE}\nminimum = 100\nmaximum = 1000000\n",
            self.url
        )
    }

    /// A server that sells through it, whose first account has so many credits.
    pub async fn server(&self, credits: i64) -> Server {
        self.server_with("", credits).await
    }

    /// The same, with more in the operator's file.
    pub async fn server_with(&self, config: &str, credits: i64) -> Server {
        let mut server = Server::with(config, credits).await;
        server.stop();
        std::fs::write(server.data().join("aaasp.toml"), config.to_owned() + &self.config()).unwrap();
        server.set("AAASP_DODO_API_KEY", KEY);
        server.set("AAASP_DODO_WEBHOOK_SECRETS", &format!("{NEXT_SECRET} {SECRET}"));
        server.serve();
        server
    }

    /// What it was asked for so far: method and path, and the body.
    pub fn requests(&self) -> Vec<(String, Value)> {
        self.held.lock().unwrap().requests.clone()
    }

    /// Answers nothing but failures, or works again.
    pub fn set_down(&self, down: bool) {
        self.held.lock().unwrap().down = down;
    }

    /// Refuses all that it is asked for, or does it again.
    pub fn refuse(&self, refusing: bool) {
        self.held.lock().unwrap().refusing = refusing;
    }

    /// A payment of a top-up, in a state. The tax is a part of the amount.
    pub fn payment(&self, top_up: &str, (amount, tax): (i64, i64), status: &str) -> String {
        let mut held = self.held.lock().unwrap();
        held.made += 1;
        let id = format!("pay_{:04}", held.made);
        let payment = json!({
            "payment_id": id, "business_id": "bus_1", "brand_id": "bus_1", "status": status, "currency": "EUR",
            "total_amount": amount, "tax": tax, "settlement_amount": amount, "settlement_currency": "EUR",
            "settlement_tax": tax, "metadata": {"top_up": top_up}, "created_at": AT, "updated_at": AT,
            "customer": {"customer_id": "cus_1", "email": "ada@example.com", "name": "Ada"},
            "billing": {"country": "AT"}, "disputes": [], "refunds": [], "digital_products_delivered": false,
            "has_license_key": false, "is_multi_subscription": false, "is_update_payment_method": false,
            "payment_provider": "dodo", "retry_attempt": 0, "subscription_ids": [], "includes_usage": false,
            "service_periods": [],
            "error_message": (status == "failed").then_some("the card was declined"),
        });
        held.payments.insert(id.clone(), payment);
        id
    }

    /// A refund of a payment, in a state; none is all of it.
    pub fn refund(&self, payment: &str, amount: Option<i64>, status: &str) -> String {
        let mut held = self.held.lock().unwrap();
        held.made += 1;
        let id = format!("ref_{:04}", held.made);
        let whole = held.payments[payment]["total_amount"].as_i64().unwrap();
        let refund = json!({
            "refund_id": id, "payment_id": payment, "business_id": "bus_1", "brand_id": "bus_1", "status": status,
            "amount": amount.unwrap_or(whole), "currency": "EUR", "is_partial": amount.is_some(), "created_at": AT,
            "customer": {"customer_id": "cus_1", "email": "ada@example.com", "name": "Ada"}, "metadata": {},
            "reason": null,
        });
        held.refunds.insert(id.clone(), refund);
        id
    }

    /// A subscription that is charged on demand, for a reference of ours.
    pub fn mandate(&self, reference: &str) -> String {
        let mut held = self.held.lock().unwrap();
        held.made += 1;
        let id = format!("sub_{:04}", held.made);
        let subscription = json!({
            "subscription_id": id, "status": "active", "on_demand": true, "product_id": "pdt_mandate", "quantity": 1,
            "metadata": {"auto_top_up": reference}, "currency": "EUR", "recurring_pre_tax_amount": 0, "created_at": AT,
            "customer": {"customer_id": "cus_1", "email": "ada@example.com", "name": "Ada"},
            "billing": {"country": "AT"}, "has_payment_method": true,
        });
        held.subscriptions.insert(id.clone(), subscription);
        id
    }

    /// The payment of the last charge, which becomes so.
    pub fn charged(&self, status: &str) -> String {
        let id = self.held.lock().unwrap().payments.keys().next_back().unwrap().clone();
        self.becomes(&id, status);
        id
    }

    /// A dispute of a whole payment, in a state.
    pub fn dispute(&self, payment: &str, status: &str) -> String {
        let mut held = self.held.lock().unwrap();
        held.made += 1;
        let id = format!("dsp_{:04}", held.made);
        let whole = held.payments[payment]["total_amount"].to_string();
        let dispute = json!({
            "dispute_id": id, "payment_id": payment, "business_id": "bus_1", "brand_id": "bus_1", "amount": whole,
            "currency": "EUR", "dispute_stage": "dispute", "dispute_status": format!("dispute_{status}"),
            "created_at": AT, "payment_provider": "dodo", "is_resolved_by_rdr": null, "remarks": null, "reason": null,
            "customer": {"customer_id": "cus_1", "email": "ada@example.com", "name": "Ada"},
        });
        held.disputes.insert(id.clone(), dispute);
        id
    }

    /// Changes the state of a payment, refund or dispute.
    pub fn becomes(&self, id: &str, status: &str) {
        let mut held = self.held.lock().unwrap();
        let held = &mut *held;
        if let Some(payment) = held.payments.get_mut(id) {
            payment["status"] = status.into();
        } else if let Some(refund) = held.refunds.get_mut(id) {
            refund["status"] = status.into();
        } else if let Some(subscription) = held.subscriptions.get_mut(id) {
            subscription["status"] = status.into();
        } else {
            held.disputes.get_mut(id).unwrap()["dispute_status"] = format!("dispute_{status}").into();
        }
    }

    /// Answers something else than its documentation says for a field of a payment, refund or dispute.
    pub fn spoil(&self, id: &str, field: &str) {
        let mut held = self.held.lock().unwrap();
        let held = &mut *held;
        let things = held.payments.iter_mut().chain(&mut held.refunds).chain(&mut held.disputes);
        let (_, thing) = things.into_iter().find(|(known, _)| *known == id).unwrap();
        thing[field] = json!({"strange": true});
    }

    /// A webhook of an event about something, with its state now, sent so many seconds ago.
    pub fn webhook(&self, event: &str, about: &str, seconds_ago: i64) -> Webhook {
        let mut held = self.held.lock().unwrap();
        held.made += 1;
        let (kind, mut data) = match event.split('.').next().unwrap() {
            "payment" => ("Payment", held.payments[about].clone()),
            "refund" => ("Refund", held.refunds[about].clone()),
            "subscription" if held.subscriptions.contains_key(about) => {
                ("Subscription", held.subscriptions[about].clone())
            }
            "dispute" => ("Dispute", held.disputes[about].clone()),
            _ => ("Payout", json!({"payout_id": about})),
        };
        data["payload_type"] = kind.into();
        let body = json!({"business_id": "bus_1", "type": event, "timestamp": AT, "data": data}).to_string();
        Webhook::signed(&format!("msg_{:04}", held.made), now() - seconds_ago, body, SECRET)
    }

    /// Sends one at once, and expects it to be taken.
    pub async fn tell(&self, server: &Server, event: &str, about: &str) {
        let reply = self.webhook(event, about, 0).send(server).await;
        assert_eq!(reply.status, 204, "{}", reply.text);
    }
}

impl Webhook {
    pub fn signed(id: &str, timestamp: i64, body: String, secret: &str) -> Self {
        let secret = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
        Self { id: id.to_owned(), timestamp, body, signature }
    }

    /// Sends it, as it is, with no key.
    pub async fn send(&self, server: &Server) -> Reply {
        Client::send(self.request(server)).await
    }

    pub fn request(&self, server: &Server) -> reqwest::RequestBuilder {
        let request = server.account.with_key(None).request(Method::POST, "/v1/webhooks/dodo");
        request
            .header("content-type", "application/json")
            .header("webhook-id", &self.id)
            .header("webhook-timestamp", self.timestamp)
            .header("webhook-signature", &self.signature)
            .body(self.body.clone())
    }
}

/// Seconds since the epoch.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

fn asked(dodo: &Dodo, headers: &HeaderMap, request: &str, body: Value) -> Result<(), (StatusCode, Json<Value>)> {
    let mut held = dodo.held.lock().unwrap();
    if held.down {
        return Err((StatusCode::BAD_GATEWAY, Json(json!({"message": "down"}))));
    }
    if held.refusing {
        return Err((StatusCode::CONFLICT, Json(json!({"message": "not now"}))));
    }
    if headers.get("authorization").is_none_or(|key| key != &format!("Bearer {KEY}")) {
        return Err((StatusCode::UNAUTHORIZED, Json(json!({"code": "UNAUTHORIZED", "message": "no such key"}))));
    }
    held.requests.push((request.to_owned(), body));
    Ok(())
}

async fn checkout(State(dodo): State<Dodo>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    asked(&dodo, &headers, "POST /checkouts", body)?;
    let mut held = dodo.held.lock().unwrap();
    held.made += 1;
    let session = format!("cks_{:04}", held.made);
    let url = format!("https://checkout.example.com/{session}");
    Ok(Json(json!({"session_id": session, "checkout_url": url})))
}

async fn payment(State(dodo): State<Dodo>, headers: HeaderMap, Path(id): Path<String>) -> Answer {
    asked(&dodo, &headers, &format!("GET /payments/{id}"), Value::Null)?;
    let held = dodo.held.lock().unwrap();
    held.payments.get(&id).cloned().map(Json).ok_or((StatusCode::NOT_FOUND, Json(json!({"message": "not found"}))))
}

async fn charge(
    State(dodo): State<Dodo>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Answer {
    asked(&dodo, &headers, &format!("POST /subscriptions/{id}/charge"), body.clone())?;
    let top_up = body["metadata"]["top_up"].as_str().unwrap();
    let payment = dodo.payment(top_up, (body["product_price"].as_i64().unwrap(), 0), "processing");
    Ok(Json(json!({"payment_id": payment})))
}

async fn subscription(
    State(dodo): State<Dodo>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Json(body): Json<Value>,
) -> Answer {
    asked(&dodo, &headers, &format!("PATCH /subscriptions/{id}"), body.clone())?;
    dodo.becomes(&id, body["status"].as_str().unwrap());
    let held = dodo.held.lock().unwrap();
    Ok(Json(held.subscriptions[&id].clone()))
}

async fn refund(State(dodo): State<Dodo>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    asked(&dodo, &headers, "POST /refunds", body.clone())?;
    let payment = body["payment_id"].as_str().unwrap();
    if !dodo.held.lock().unwrap().payments.contains_key(payment) {
        return Err((StatusCode::NOT_FOUND, Json(json!({"message": "not found"}))));
    }
    let id = dodo.refund(payment, body["items"][0]["amount"].as_i64(), "pending");
    let held = dodo.held.lock().unwrap();
    Ok(Json(held.refunds[&id].clone()))
}

async fn list(
    State(dodo): State<Dodo>,
    headers: HeaderMap,
    Query(query): Query<BTreeMap<String, String>>,
    which: impl Fn(&Held) -> &BTreeMap<String, Value>,
) -> Answer {
    asked(&dodo, &headers, "GET a list", json!(query))?;
    // As its documentation has it: pages begin at 0, and have 10 items unless more are asked for, at most 100.
    let number = |name: &str, default: usize| query.get(name).map_or(default, |text| text.parse().unwrap());
    let (size, page) = (number("page_size", 10).min(100), number("page_number", 0));
    let held = dodo.held.lock().unwrap();
    let items: Vec<_> = which(&held).values().skip(size * page).take(size).cloned().collect();
    Ok(Json(json!({"items": items})))
}
