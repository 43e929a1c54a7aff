import asyncio
from collections import deque

from notifications.mail import send_template

pending = deque()


def enqueue_mail(template, user_id, context):
    pending.append((template, user_id, context))


async def drain_queue(limit=50):
    """Sends up to `limit` waiting mails at once and returns how many went out."""
    batch = [pending.popleft() for _ in range(min(limit, len(pending)))]
    results = await asyncio.gather(*(send_template(*mail) for mail in batch), return_exceptions=True)
    return sum(result is True for result in results)
