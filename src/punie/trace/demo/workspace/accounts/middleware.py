from django.utils import timezone


class LastSeenMiddleware:
    """Remembers when a signed-in user was last seen, at most once a minute."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        user = request.user
        if user.is_authenticated and is_stale(user.last_seen):
            type(user).objects.filter(pk=user.pk).update(last_seen=timezone.now())
        return self.get_response(request)


def is_stale(last_seen):
    return last_seen is None or (timezone.now() - last_seen).total_seconds() > 60
