from django import forms
from django.contrib.auth.forms import UserCreationForm

from accounts.models import Profile, User


class SignupForm(UserCreationForm):
    class Meta:
        model = User
        fields = ["email", "username"]


class ProfileForm(forms.ModelForm):
    class Meta:
        model = Profile
        fields = ["display_name", "biography", "newsletter"]

    def clean_display_name(self):
        name = self.cleaned_data["display_name"].strip()
        if len(name) < 2:
            raise forms.ValidationError("Too short.")
        return name
