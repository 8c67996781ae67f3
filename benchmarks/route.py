"""A bare Starlette route: the least that a bridge in Python could cost."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def _buckets(request):
    return JSONResponse([])


app = Starlette(routes=[Route("/buckets", _buckets)])
