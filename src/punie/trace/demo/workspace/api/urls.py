from django.urls import include, path
from rest_framework.routers import DefaultRouter

from api import views
from notifications.webhooks import payment_webhook

router = DefaultRouter()
router.register("users", views.UserViewSet, basename="user")
router.register("products", views.ProductViewSet)
router.register("orders", views.OrderViewSet, basename="order")

urlpatterns = [
    path("", include(router.urls)),
    path("health/", views.health, name="health"),
    path("webhooks/payments/", payment_webhook, name="payment-webhook"),
]
