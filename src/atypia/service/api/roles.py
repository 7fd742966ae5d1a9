"""Who a route is for, as the type of a parameter: `user: Reader`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from atypia.service.access.users import User, require

Viewer = Annotated[User, Depends(require("viewer"))]
Reader = Annotated[User, Depends(require("reader"))]
Admin = Annotated[User, Depends(require("admin"))]
