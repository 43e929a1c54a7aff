from rest_framework.throttling import UserRateThrottle


class BurstThrottle(UserRateThrottle):
    scope = "burst"
    rate = "30/min"


class DailyThrottle(UserRateThrottle):
    scope = "daily"
    rate = "2000/day"
