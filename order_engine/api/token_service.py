"""TokenService: from message to use case and back."""

from order_engine.api import translate
from order_engine.api.form import Form
from order_engine.api.interceptors.behavior import Context
from order_engine.api.services import Services
from protos.order_engine.v1 import order_service_pb2 as pb
from protos.order_engine.v1 import order_service_pb2_grpc as pb_grpc


class TokenService(pb_grpc.TokenServiceServicer):
    def __init__(self, services: Services) -> None:
        self._services = services

    async def GetToken(self, request: pb.GetTokenRequest, context: Context) -> pb.Token:
        form = Form()
        mint = form.token("token", request.token)
        form.check()
        return translate.token_message(await self._services.get_token(mint))

    async def ListTokens(self, request: pb.ListTokensRequest, context: Context) -> pb.ListTokensResponse:
        form = Form()
        page_size, after = form.page_size(request.page_size), form.token_page(request.page_token)
        form.check()
        return translate.token_page_message(await self._services.list_tokens(page_size, after))
