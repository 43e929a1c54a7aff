import hashlib
import hmac
import json

from django.conf import settings
from django.http import HttpResponse, HttpResponseForbidden
from django.views.decorators.csrf import csrf_exempt

from shop.models import Order


@csrf_exempt
def payment_webhook(request):
    if not signature_matches(request.body, request.headers.get("X-Signature", "")):
        return HttpResponseForbidden()
    event = json.loads(request.body)
    if event["type"] == "charge.succeeded":
        Order.objects.filter(pk=event["order"]).update(status=Order.Status.PAID)
    return HttpResponse(status=204)


def signature_matches(body, signature):
    expected = hmac.new(settings.SECRET_KEY.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, signature)
