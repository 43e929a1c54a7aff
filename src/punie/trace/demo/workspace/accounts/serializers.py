from rest_framework import serializers

from accounts.models import Address, Profile, User


class ProfileSerializer(serializers.ModelSerializer):
    class Meta:
        model = Profile
        fields = ["display_name", "biography", "newsletter"]


class UserSerializer(serializers.ModelSerializer):
    """What the API shows of a user; the password is never among it."""

    profile = ProfileSerializer(read_only=True)

    class Meta:
        model = User
        fields = ["id", "email", "username", "profile"]
        read_only_fields = ["id"]

    def validate_email(self, value):
        if User.objects.filter(email__iexact=value).exists():
            raise serializers.ValidationError("This address is taken.")
        return value.lower()


class AddressSerializer(serializers.ModelSerializer):
    class Meta:
        model = Address
        fields = ["id", "street", "postcode", "city", "is_default"]
