import asyncio
import logging

import httpx

logger = logging.getLogger(__name__)

PROVIDER_URL = "https://payments.example/v1/charges"
MAX_ATTEMPTS = 3


class PaymentError(Exception):
    """The provider refused the charge or could not be reached."""


async def charge(order, card_token):
    async with httpx.AsyncClient(timeout=10) as client:
        for attempt in range(MAX_ATTEMPTS):
            response = await client.post(PROVIDER_URL, json=charge_payload(order, card_token))
            if response.status_code == 200:
                return response.json()["charge_id"]
            logger.warning("charge refused with %s", response.status_code)
            await asyncio.sleep(2**attempt)
    raise PaymentError(f"order {order.pk} could not be charged")


async def refund(charge_id):
    async with httpx.AsyncClient(timeout=10) as client:
        response = await client.delete(f"{PROVIDER_URL}/{charge_id}")
    return response.status_code == 204


def charge_payload(order, card_token):
    return {"amount": str(order.total()), "currency": "EUR", "source": card_token}
