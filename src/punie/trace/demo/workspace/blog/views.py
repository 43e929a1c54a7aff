from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, redirect, render
from django.views.generic import ListView

from blog.forms import CommentForm
from blog.models import Post


class PostListView(ListView):
    queryset = Post.objects.exclude(published=None).order_by("-published")
    paginate_by = 10
    template_name = "blog/post_list.html"


def post_detail(request, slug):
    post = get_object_or_404(Post, slug=slug)
    comments = post.comments.filter(approved=True)
    return render(request, "blog/post_detail.html", {"post": post, "comments": comments})


@login_required
def comment_create(request, slug):
    post = get_object_or_404(Post, slug=slug)
    form = CommentForm(request.POST or None)
    if form.is_valid():
        comment = form.save(commit=False)
        comment.post, comment.author = post, request.user
        comment.save()
        return redirect("blog:post", slug=slug)
    return render(request, "blog/comment_form.html", {"form": form, "post": post})


async def live_comments(request, slug):
    post = await Post.objects.aget(slug=slug)
    newest = [comment async for comment in post.comments.order_by("-created")[:5]]
    return render(request, "blog/live_comments.html", {"comments": newest})
