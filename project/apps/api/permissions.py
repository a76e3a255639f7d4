"""Who may do what: the rules of the pages, asked of the models."""

from typing import Any, cast

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.articles.models import Article, Comment
from apps.users.models import User
from dovetail.api.authentication import SessionAuthentication


def person_of(request: Request) -> User:
    """Return the person who asks, of whom a permission has made sure that they are signed in."""
    return cast("User", request.user)


class ArticlePermission(IsAuthenticatedOrReadOnly):
    """Everyone reads what they see, authors and editors change it, moderators delete it.

    What someone does not see is left out by the view's queryset, so that it does not exist for
    them.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if getattr(view, "action", "") == "trash":
            return bool(request.user.is_authenticated)
        return super().has_permission(request, view)

    def has_object_permission(self, request: Request, view: APIView, obj: object) -> bool:
        article = cast("Article", obj)
        if request.method in SAFE_METHODS:
            return True
        action = getattr(view, "action", "")
        if action == "restoration":
            return True  # the model decides, and says why not
        if action == "destroy":
            return article.can_be_deleted_by(request.user)
        return article.can_be_edited_by(request.user)


class CommentPermission(IsAuthenticatedOrReadOnly):
    """Everyone reads the comments of what they see, authors and moderators change them."""

    def has_object_permission(self, request: Request, view: APIView, obj: object) -> bool:
        comment = cast("Comment", obj)
        if request.method in SAFE_METHODS:
            return True
        if getattr(view, "action", "") == "destroy":
            return comment.can_be_deleted_by(request.user)
        return comment.can_be_edited_by(request.user)


class ReauthenticationRequired(PermissionDenied):
    default_code = "reauthentication_required"
    default_detail = (
        "Prove who you are at /accounts/reauthenticate/, in a browser with this session, and try "
        "again within five minutes."
    )


class HasRecentProof(IsAuthenticated):
    """Limits what the pages ask a recent proof for to sessions that have it.

    A proof is given by a person, to a session: one that a token could renew, or that were implied
    by it, would prove nothing about who holds the token. An access token is made to be kept in a
    file, and what leaks with it must not be all that the site knows about its owner.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not super().has_permission(request, view):
            return False
        by_session = isinstance(request.successful_authenticator, SessionAuthentication)
        # REST framework's request has all that Django's has.
        if not by_session or is_reauthentication_required(cast("Any", request), app="apps.users"):
            raise ReauthenticationRequired
        return True
