from django.urls import path

from blog import views

app_name = "blog"

urlpatterns = [
    path("", views.PostListView.as_view(), name="posts"),
    path("<slug:slug>/", views.post_detail, name="post"),
    path("<slug:slug>/comment/", views.comment_create, name="comment"),
    path("<slug:slug>/live/", views.live_comments, name="live"),
]
