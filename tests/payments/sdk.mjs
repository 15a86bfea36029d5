// The processor's official SDK for JavaScript, and `standardwebhooks`, on what the test gives them: the task comes on
// standard input, what they made of it goes to standard output.
import { readFileSync } from "node:fs";
import DodoPayments from "dodopayments";
import { Webhook } from "standardwebhooks";

const task = JSON.parse(readFileSync(0, "utf8"));
const client = new DodoPayments({
  bearerToken: task.key,
  baseURL: task.dodo,
  webhookKey: task.secret,
  maxRetries: 0,
});
const headers = (webhook) => ({
  "webhook-id": webhook.id,
  "webhook-timestamp": String(webhook.timestamp),
  "webhook-signature": webhook.signature,
});
const believes = (verify) => {
  try {
    verify();
    return true;
  } catch {
    return false;
  }
};

const verdicts = task.webhooks.map((webhook) => [
  believes(() => client.webhooks.unwrap(webhook.body, { headers: headers(webhook) })),
  believes(() => new Webhook(task.secret).verify(webhook.body, headers(webhook))),
]);

const statuses = [];
for (const { id, timestamp, body } of task.send) {
  const signature = new Webhook(task.secret).sign(id, new Date(timestamp * 1000), body);
  const answer = await fetch(`${task.server}/v1/webhooks/dodo`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers({ id, timestamp, signature }) },
    body,
  });
  statuses.push(answer.status);
}

const checkout = await client.checkoutSessions.create(task.checkout);
const payment = await client.payments.retrieve(task.payment);
const refund = await client.refunds.create(task.refund);
const payments = await client.payments.list({ created_at_gte: task.since, page_size: 100, page_number: 0 });
const refunds = await client.refunds.list({ created_at_gte: task.since, page_size: 100, page_number: 0 });
const disputes = await client.disputes.list({ created_at_gte: task.since, page_size: 100, page_number: 0 });
console.log(
  JSON.stringify({
    verdicts,
    statuses,
    url: checkout.checkout_url,
    paid: [payment.total_amount, payment.tax, payment.metadata.top_up],
    refund: refund.refund_id,
    listed: [payments.items.length, refunds.items.length, disputes.items.length],
  }),
);
