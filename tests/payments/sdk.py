"""The processor's official SDK for Python, and `standardwebhooks`, on what the test gives them: the task comes on
standard input, what they made of it goes to standard output. Each answer is held against the SDK's types."""

import json
import sys
from datetime import datetime, timezone

import httpx
from dodopayments import DodoPayments
from dodopayments.types import UnwrapWebhookEvent
from pydantic import TypeAdapter
from standardwebhooks import Webhook

task = json.load(sys.stdin)
client = DodoPayments(
    bearer_token=task["key"],
    base_url=task["dodo"],
    webhook_key=task["secret"],
    max_retries=0,
    _strict_response_validation=True,
)
webhook = Webhook(task["secret"])


def headers(sent):
    return {
        "webhook-id": sent["id"],
        "webhook-timestamp": str(sent["timestamp"]),
        "webhook-signature": sent["signature"],
    }


def believes(verify):
    try:
        verify()
        return True
    except Exception:
        return False


verdicts = [
    [
        believes(lambda: client.webhooks.unwrap(sent["body"], headers=headers(sent))),
        believes(lambda: webhook.verify(sent["body"], headers(sent))),
    ]
    for sent in task["webhooks"]
]

statuses = []
for sent in task["send"]:
    # Whoever's events are told, their shape is the SDK's.
    TypeAdapter(UnwrapWebhookEvent).validate_json(sent["body"])
    at = datetime.fromtimestamp(sent["timestamp"], tz=timezone.utc)
    sent["signature"] = webhook.sign(sent["id"], at, sent["body"])
    answer = httpx.post(
        f"{task['server']}/v1/webhooks/dodo",
        content=sent["body"],
        headers={"content-type": "application/json", **headers(sent)},
        trust_env=False,
    )
    statuses.append(answer.status_code)

checkout = client.checkout_sessions.create(**task["checkout"])
payment = client.payments.retrieve(task["payment"])
refund = client.refunds.create(**task["refund"])
since = {"created_at_gte": task["since"], "page_size": 100, "page_number": 0}
lists = [client.payments.list(**since), client.refunds.list(**since), client.disputes.list(**since)]
json.dump(
    {
        "verdicts": verdicts,
        "statuses": statuses,
        "url": checkout.checkout_url,
        "paid": [payment.total_amount, payment.tax, payment.metadata["top_up"]],
        "refund": refund.refund_id,
        "listed": [len(page.items) for page in lists],
    },
    sys.stdout,
)
