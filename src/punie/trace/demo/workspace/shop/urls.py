from django.urls import path

from shop import views

app_name = "shop"

urlpatterns = [
    path("", views.product_list, name="product-list"),
    path("search/", views.product_search, name="product-search"),
    path("<int:product_id>/", views.product_detail, name="product-detail"),
    path("<int:product_id>/add/", views.cart_add, name="cart-add"),
    path("orders/", views.order_history, name="order-history"),
    path("pay/", views.pay, name="pay"),
]
