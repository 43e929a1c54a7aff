from asgiref.sync import sync_to_async
from django.core.mail import send_mail
from django.template.loader import render_to_string

from accounts.models import User

SENDER = "greenhouse@shop.example"


async def send_template(template, user_id, context):
    user = await User.objects.aget(pk=user_id)
    body = render_to_string(f"mail/{template}.txt", {"user": user, **context})
    sent = await sync_to_async(send_mail)("Greenhouse", body, SENDER, [user.email])
    return sent == 1
