"""The cart lives in the session until it becomes an order."""
from django.db import transaction

from shop.models import Order, Product

SESSION_KEY = "cart"


class Cart:
    def __init__(self, session):
        self.session = session
        self.items = session.setdefault(SESSION_KEY, {})

    def add(self, product_id, quantity=1):
        key = str(product_id)
        self.items[key] = self.items.get(key, 0) + quantity
        self.session.modified = True

    def remove(self, product_id):
        self.items.pop(str(product_id), None)
        self.session.modified = True

    def __len__(self):
        return sum(self.items.values())


@transaction.atomic
def checkout(user, cart):
    order = Order.objects.create(user=user)
    for product_id, quantity in cart.items.items():
        product = Product.objects.select_for_update().get(pk=product_id)
        product.stock -= quantity
        product.save(update_fields=["stock"])
        order.lines.create(product=product, quantity=quantity)
    return order
