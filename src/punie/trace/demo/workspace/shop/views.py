from asgiref.sync import sync_to_async
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpResponseBadRequest, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render

from shop.cart import Cart, checkout
from shop.models import Order, Product
from shop.payments import PaymentError, charge


def product_list(request):
    products = Product.objects.available().select_related("category")
    return render(request, "shop/product_list.html", {"products": products})


def product_detail(request, product_id):
    product = get_object_or_404(Product, pk=product_id)
    return render(request, "shop/product_detail.html", {"product": product})


def product_search(request):
    term = request.GET.get("q", "")
    products = Product.objects.filter(Q(name__icontains=term) | Q(category__name__icontains=term))
    return render(request, "shop/product_list.html", {"products": products})


def cart_add(request, product_id):
    if request.method != "POST":
        return HttpResponseBadRequest("POST only")
    Cart(request.session).add(product_id)
    return redirect("shop:cart")


@login_required
def order_history(request):
    orders = Order.objects.filter(user=request.user).prefetch_related("lines__product")
    return render(request, "shop/order_history.html", {"orders": orders})


async def pay(request):
    user = await request.auser()
    order = await sync_to_async(checkout)(user, Cart(request.session))
    try:
        charge_id = await charge(order, request.POST["card_token"])
    except PaymentError as error:
        return JsonResponse({"error": str(error)}, status=402)
    return JsonResponse({"charge": charge_id})
