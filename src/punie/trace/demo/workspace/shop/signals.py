from django.db.models.signals import post_save
from django.dispatch import receiver

from notifications.tasks import enqueue_mail
from shop.models import Order


@receiver(post_save, sender=Order)
def mail_on_shipping(sender, instance, created, **kwargs):
    if not created and instance.status == Order.Status.SHIPPED:
        enqueue_mail("order_shipped", instance.user_id, {"order": instance.pk})
