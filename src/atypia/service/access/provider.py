"""An identity provider as it describes itself, and its keys (OpenID Connect Discovery 1.0, RFC 7517)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from atypia.service.access.hosts import is_loopback, origin_of
from atypia.service.access.settings import MIB, Oidc

KEPT = 3600.0
"""Seconds until what a provider says of itself is asked for anew."""
AGAIN = 60.0
"""Seconds until keys are asked for anew because one was not among them."""
WAYS = ("client_secret_basic", "client_secret_post")


class ProviderFailed(Exception):
    """An identity provider does not answer, or not as OpenID Connect says."""


@dataclass(frozen=True)
class Description:
    """What is used of a provider's description of itself."""

    authorization: str
    token: str
    keys: str
    basic: bool
    """Whether it takes the client's secret in a header; else in the form."""


class Provider:
    """A provider, asked as seldom as possible; safe to be used by several threads."""

    def __init__(self, settings: Oidc, transport: httpx.BaseTransport | None = None) -> None:
        self.settings = settings
        self._transport = transport
        self._lock = Lock()
        self._description: tuple[float, Description] | None = None
        self._keys: tuple[float, KeySet] | None = None

    def description(self) -> Description:
        """Return what the provider says of itself; raise ProviderFailed."""
        with self._lock:
            if self._description is None or time.monotonic() - self._description[0] > KEPT:
                place = self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
                self._description = time.monotonic(), self._read(self._json("GET", place))
            return self._description[1]

    def keys(self, *, again: bool = False) -> KeySet:
        """Return the provider's public keys; `again`: one was missing, so ask anew, but not often."""
        place = self.description().keys
        with self._lock:
            kept = self._keys
            if kept is None or time.monotonic() - kept[0] > (AGAIN if again else KEPT):
                kept = self._keys = time.monotonic(), _key_set(self._json("GET", place))
            return kept[1]

    def exchange(self, code: str, verifier: str, redirect: str) -> str:
        """Trade a code for an ID token (RFC 6749, section 4.1.3; RFC 7636); raise ProviderFailed."""
        told, settings = self.description(), self.settings
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect,
            "code_verifier": verifier, "client_id": settings.client_id,
        }  # fmt: skip
        login = None
        if settings.client_secret and told.basic:
            login = httpx.BasicAuth(settings.client_id, settings.client_secret)
        elif settings.client_secret:
            form["client_secret"] = settings.client_secret
        answer = self._json("POST", told.token, form, login)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderFailed("expected an ID token")
        return token

    def _json(
        self, method: str, place: str, form: Mapping[str, str] | None = None, login: httpx.Auth | None = None
    ) -> Mapping[str, Any]:
        """Ask; nobody is followed elsewhere, and no answer is longer than a mebibyte."""
        limits = {"timeout": self.settings.timeout, "follow_redirects": False, "transport": self._transport}
        try:
            with (
                httpx.Client(**limits, trust_env=False) as client,  # type: ignore[arg-type]
                client.stream(method, place, data=form, auth=login) as response,
            ):
                if response.status_code != 200:
                    raise ProviderFailed(f"expected 200, received {response.status_code}")
                text = bytearray()
                for chunk in response.iter_bytes():
                    text += chunk
                    if len(text) > MIB:
                        raise ProviderFailed("expected at most a mebibyte")
                found = httpx.Response(200, content=bytes(text)).json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError) as error:
            raise ProviderFailed(type(error).__name__) from error
        if not isinstance(found, dict):
            raise ProviderFailed("expected an object of JSON")
        return found

    def _read(self, told: Mapping[str, Any]) -> Description:
        if told.get("issuer") != self.settings.issuer:
            raise ProviderFailed("it gives itself another issuer than access.oidc.issuer")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        places = [str(told.get(name, "")) for name in names]
        for name, place in zip(names, places, strict=True):
            if not is_safe(place):
                raise ProviderFailed(f"expected an https address of {name}")
        ways = told.get("token_endpoint_auth_methods_supported", WAYS[:1])
        basic = not isinstance(ways, list) or WAYS[0] in ways
        return Description(places[0], places[1], places[2], basic)


def is_safe(place: str) -> bool:
    """Tell whether an address is encrypted on its way, or never leaves this machine."""
    origin = origin_of(place.partition("?")[0])
    return origin is not None and (origin.scheme == "https" or is_loopback(origin.host))


def _key_set(told: Mapping[str, Any]) -> KeySet:
    """Return the public keys that may sign; one that is shared could be made by whoever knows it."""
    keys = told.get("keys")
    usable = [
        key
        for key in (keys if isinstance(keys, list) else [])
        if isinstance(key, dict) and key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig"
    ]
    try:
        return KeySet.import_key_set({"keys": usable})
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise ProviderFailed("expected public keys") from error
