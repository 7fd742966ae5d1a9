"""A login at an identity provider: the authorisation code flow with PKCE, state and nonce.

OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3; PKCE by RFC 7636 with S256; the issuer in the answer by
RFC 9207. One random cookie binds the way out to the way back: state, nonce and verifier are derived from it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from joserfc import jws, jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from atypia.service.access.provider import Provider
from atypia.service.access.settings import Oidc
from atypia.service.access.users import RANK

ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "EdDSA",
)
"""That an ID token may be signed with: none of them by a secret that the client knows too, nor `none`."""
LEEWAY = 60
COOKIE, SECURE_COOKIE = "atypia-oidc", "__Host-atypia-oidc"
MINUTES = 10
_NEXT = re.compile(r"/(?![/\\])[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*")


class LoginRefused(Exception):
    """Somebody came back from the provider who may not come in."""


@dataclass(frozen=True)
class Person:
    """Whom the provider says to have logged in."""

    name: str
    role: str
    subject: str


def derived(secret: str, what: str) -> str:
    """Return the state, nonce or verifier of a way out, from the secret in its cookie."""
    digest = hmac.new(secret.encode(), b"atypia oidc " + what.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def way_out(provider: Provider, secret: str, redirect: str) -> str:
    """Return the address at the provider that a browser is sent to; raise ProviderFailed."""
    challenge = hashlib.sha256(derived(secret, "verifier").encode()).digest()
    query = {
        "response_type": "code",
        "client_id": provider.settings.client_id,
        "redirect_uri": redirect,
        "scope": " ".join(provider.settings.scopes),
        "state": derived(secret, "state"),
        "nonce": derived(secret, "nonce"),
        "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    place = provider.description().authorization
    return f"{place}{'&' if '?' in place else '?'}{urlencode(query)}"


def way_back(provider: Provider, secret: str, redirect: str, answer: Mapping[str, str]) -> Person:
    """Return who came back with an answer; raise LoginRefused or ProviderFailed."""
    if not hmac.compare_digest(derived(secret, "state").encode(), answer.get("state", "").encode()):
        raise LoginRefused("The answer does not belong to a login that this browser began. Begin again.")
    if answer.get("iss", provider.settings.issuer) != provider.settings.issuer:
        raise LoginRefused("The answer is of another identity provider. Begin again.")
    if "error" in answer or not answer.get("code"):
        raise LoginRefused("The identity provider did not let you in.")
    token = provider.exchange(answer["code"], derived(secret, "verifier"), redirect)
    return person_of(_verified(provider, token, derived(secret, "nonce")), provider.settings)


def _verified(provider: Provider, token: str, nonce: str) -> Mapping[str, Any]:
    """Return the claims of an ID token that the provider signed for us, now, for this login."""
    try:
        claims = _signed(provider, token)
        _rules(provider.settings, nonce).validate(claims)
    except (JoseError, ValueError, TypeError) as error:
        raise LoginRefused("The identity provider's token is not valid. Begin again.") from error
    audience = claims["aud"]
    if claims.get("azp", provider.settings.client_id) != provider.settings.client_id or (
        isinstance(audience, list) and len(audience) > 1 and "azp" not in claims
    ):
        raise LoginRefused("The identity provider's token is for somebody else. Begin again.")
    return claims


def _signed(provider: Provider, token: str) -> dict[str, Any]:
    try:
        return _decoded(token, provider.keys())
    except InvalidKeyIdError:  # a new key, perhaps
        return _decoded(token, provider.keys(again=True))


def _decoded(token: str, keys: KeySet) -> dict[str, Any]:
    registry = jws.JWSRegistry(algorithms=list(ALGORITHMS))
    return jwt.decode(token, keys, algorithms=list(ALGORITHMS), registry=registry).claims


def _rules(settings: Oidc, nonce: str) -> jwt.JWTClaimsRegistry:
    return jwt.JWTClaimsRegistry(
        leeway=LEEWAY,
        iss={"essential": True, "value": settings.issuer},
        aud={"essential": True, "value": settings.client_id},
        exp={"essential": True},
        iat={"essential": True},
        sub={"essential": True},
        nonce={"essential": True, "value": nonce},
    )


def person_of(claims: Mapping[str, Any], settings: Oidc) -> Person:
    """Return the person of an ID token with the highest role that its claim gives; raise LoginRefused."""
    found: Any = claims
    for step in settings.role_claim.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    values = found if isinstance(found, list) else [found]
    roles = [settings.roles[value] for value in values if isinstance(value, str) and value in settings.roles]
    if not roles:
        raise LoginRefused("You have no role here. Ask the administrator for one.")
    subject = str(claims["sub"])
    name = claims.get(settings.name_claim)
    plain = "".join(sign for sign in str(name or subject) if sign.isprintable()).strip()[:100]
    return Person(plain or "somebody", max(roles, key=RANK.__getitem__), subject)


def safe_next(text: str) -> str:
    """Return a path of our own page, or its start in place of anything else.

    >>> safe_next("/findings?job=1"), safe_next("//evil.example"), safe_next("https://evil.example")
    ('/findings?job=1', '/', '/')
    """
    return text if len(text) <= 500 and _NEXT.fullmatch(text) else "/"
