from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import get_object_or_404, redirect, render

from accounts.forms import ProfileForm, SignupForm
from accounts.models import Address


def signup(request):
    form = SignupForm(request.POST or None)
    if form.is_valid():
        form.save()
        return redirect("accounts:profile")
    return render(request, "accounts/signup.html", {"form": form})


@login_required
def profile_detail(request):
    return render(request, "accounts/profile.html", {"profile": request.user.profile})


@login_required
def profile_edit(request):
    form = ProfileForm(request.POST or None, instance=request.user.profile)
    if form.is_valid():
        form.save()
        return redirect("accounts:profile")
    return render(request, "accounts/profile_edit.html", {"form": form})


@login_required
def address_delete(request, address_id):
    address = get_object_or_404(Address, pk=address_id, user=request.user)
    address.delete()
    return JsonResponse({"deleted": address_id})
