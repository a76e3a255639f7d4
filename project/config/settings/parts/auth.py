from datetime import timedelta

from config import env
from config.settings.parts.names import SITE_NAME

AUTH_USER_MODEL = "users.User"
# A subclass of ModelBackend, so it checks permissions too. With both, each failed login would hash
# the password twice.
AUTHENTICATION_BACKENDS = ["apps.users.backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "apps.users.validators.MaximumLengthValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["email", "display_name"]},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "apps.users.validators.GuessablePasswordValidator"},
]
# Asks the network, so it is off by default.
if env.bool("PWNED_PASSWORDS"):
    AUTH_PASSWORD_VALIDATORS.append({"NAME": "apps.users.validators.BreachedPasswordValidator"})
# Words that count for nothing in a password, such as your company, your products and your city,
# besides the site's name and host, and the person's name and address.
PASSWORD_WORDS: list[str] = []
PASSWORD_RESET_TIMEOUT = 3600  # seconds
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"

ACCOUNT_ADAPTER = "apps.users.adapters.AccountAdapter"
ACCOUNT_FORMS = {
    "add_email": "apps.users.forms.AddEmailForm",
    "change_password": "apps.users.counted_forms.ChangePasswordForm",
    "confirm_email_verification_code": "apps.users.signup.ConfirmForm",
    "confirm_reauthentication_code": "apps.users.counted_forms.MailedCodeForm",
    "login": "apps.users.forms.LoginForm",
    "reauthenticate": "apps.users.passwords.ReauthenticateForm",
    "reset_password": "apps.users.forms.ResetPasswordForm",
    "reset_password_from_key": "apps.users.passwords.ResetPasswordKeyForm",
    "set_password": "apps.users.passwords.SetPasswordForm",
    "signup": "apps.users.signup.SignupForm",
}
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
# With a code, for which there is only the session that asked. A link would confirm an address for
# the account of whoever typed it.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 600  # seconds; OWASP ASVS 6.5.5
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS = 3
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_CHANGE_EMAIL = False
ACCOUNT_MAX_EMAIL_ADDRESSES = 5
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300  # seconds
# At the identity provider for people who have neither a password nor a second factor here, and by
# mailed code if that is not possible: see apps.users.adapters.
ACCOUNT_REAUTHENTICATION_METHODS = ["password", "mfa", "provider", "code"]
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 600  # seconds a mailed code is valid for
# Wrong passwords and codes are counted by apps.users.guesses.
ACCOUNT_RATE_LIMITS = {"login_failed": None}
# Guesses of one account's password, or of its codes: amount, time and what to count by, as in
# ACCOUNT_RATE_LIMITS. See docs/accounts.md.
GUESS_LIMITS = {
    "ip_address": "10/m/ip",  # whichever the account
    "unknown_browsers": "5/5m/key,100/d/key",  # all browsers that have not signed in to it before
    "known_browser": "5/5m/key,100/d/key",  # each browser that has
    "known_browsers": "20/5m/key",  # all browsers that have
}

MFA_ADAPTER = "apps.users.adapters.MFAAdapter"
MFA_FORMS = {
    "authenticate": "apps.users.counted_forms.AuthenticateForm",
    "reauthenticate": "apps.users.counted_forms.ReauthenticateForm",
    "add_webauthn": "apps.users.passkeys.AddForm",
    "authenticate_webauthn": "apps.users.passkeys.AuthenticateForm",
    "login_webauthn": "apps.users.passkeys.LoginForm",
    "reauthenticate_webauthn": "apps.users.passkeys.ReauthenticateForm",
}
MFA_SUPPORTED_TYPES = ["recovery_codes", "totp", "webauthn"]
MFA_TOTP_ISSUER = SITE_NAME
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TRUST_ENABLED = True  # "remember this browser"
MFA_TRUST_COOKIE_AGE = timedelta(days=14)
# Without a second factor, staff sign in as ordinary members: see apps.users.backends.
MFA_REQUIRED_FOR_STAFF = env.bool("MFA_REQUIRED_FOR_STAFF", default=not env.bool("DEBUG"))

# A session ends two weeks after its last use and 30 days after its login. See docs/accounts.md.
SESSION_ENGINE = "apps.users.sessions"  # Django's "db", with a row for each session
SESSION_COOKIE_AGE = 14 * 24 * 3600  # seconds
SESSION_LIFETIME = timedelta(days=30)
USERSESSIONS_ADAPTER = "apps.users.adapters.UserSessionsAdapter"
USERSESSIONS_TRACK_ACTIVITY = True  # by apps.users.middleware
# On the cable too, a session that this model does not list by its `session_key` is not signed in.
CABLE_SESSION_MODEL = "usersessions.UserSession"

# Browsers accept this prefix only over HTTPS, for exactly this host and for all paths.
_prefix = "" if env.bool("DEBUG") else "__Host-"
MFA_TRUST_COOKIE_NAME = f"{_prefix}mfa_trusted"
DEVICE_COOKIE_NAME = f"{_prefix}device"

# Tokens for the API. See docs/accounts.md.
ACCESS_TOKEN_LIFETIME = timedelta(days=365)  # the longest that one can be valid
ACCESS_TOKENS_PER_PERSON = 20
ACCESS_TOKEN_KEPT = timedelta(days=30)  # how long its owner sees that one has expired

ACCOUNT_DELETION_GRACE = timedelta(days=14)  # how long a deleted account can be restored
DATA_EXPORT_LIFETIME = timedelta(days=7)
SECURITY_EVENT_LIFETIME = timedelta(days=365)
