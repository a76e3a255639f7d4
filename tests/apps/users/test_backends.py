import pytest
from django.contrib.auth.models import Group, Permission
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from apps.users.models import User
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def permission(name: str) -> Permission:
    return Permission.objects.get(codename=name)


def test_permissions_take_one_query(
    settings: Settings, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    settings.MFA_REQUIRED_FOR_STAFF = False
    editors = Group.objects.create(name="Editors")
    editors.permissions.add(permission("change_article"))
    made = make_user()
    made.groups.add(editors)
    made.user_permissions.add(permission("delete_comment"))
    user, other = User.objects.get(pk=made.pk), make_user()

    with django_assert_num_queries(1):
        assert user.has_perms(["articles.change_article", "articles.delete_comment"])
        assert not user.has_perm("articles.delete_article")
        assert user.get_user_permissions() == {"articles.delete_comment"}
        assert user.get_group_permissions() == {"articles.change_article"}
    assert not other.get_all_permissions()
