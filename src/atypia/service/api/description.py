"""The description of the API (OpenAPI): what FastAPI tells of the routes, with problems told as they are."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from atypia.service.api.problems import MEDIA_TYPE
from atypia.service.api.schemas import ProblemDetails

PROBLEM = "#/components/schemas/ProblemDetails"
_NOT_OURS = ("HTTPValidationError", "ValidationError")
_TOKEN = {"type": "http", "scheme": "bearer", "description": "A token as `atypia tokens add` shows once."}


def describe(app: FastAPI) -> None:
    """Have an app tell its description so: made once, when it is first asked for."""
    told = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _set_right(told())
        assert app.openapi_schema is not None
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _set_right(told: dict[str, Any]) -> None:
    parts = told.setdefault("components", {})
    shapes = parts.setdefault("schemas", {})
    for name in _NOT_OURS:
        shapes.pop(name, None)
    shapes["ProblemDetails"] = ProblemDetails.model_json_schema()
    problem = {"description": "A problem", "content": {MEDIA_TYPE: {"schema": {"$ref": PROBLEM}}}}
    parts["responses"] = {"Problem": problem}
    parts["securitySchemes"] = {"token": _TOKEN}
    told["security"] = [{}, {"token": []}]
    for operations in told["paths"].values():
        for operation in operations.values():
            _set_problems(operation["responses"])


def _set_problems(responses: dict[str, Any]) -> None:
    """Tell of all errors at once, but for those that a route tells more of."""
    for status in [one for one in responses if one.isdigit() and int(one) >= 400]:
        if PROBLEM in str(responses[status]) or "HTTPValidationError" in str(responses[status]):
            del responses[status]
    responses["default"] = {"$ref": "#/components/responses/Problem"}
