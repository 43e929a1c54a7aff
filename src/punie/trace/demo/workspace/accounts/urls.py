from django.urls import path

from accounts import views

app_name = "accounts"

urlpatterns = [
    path("signup/", views.signup, name="signup"),
    path("profile/", views.profile_detail, name="profile"),
    path("profile/edit/", views.profile_edit, name="profile-edit"),
    path("addresses/<int:address_id>/delete/", views.address_delete, name="address-delete"),
]
