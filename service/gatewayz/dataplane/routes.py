"""The paths of the data plane."""

from __future__ import annotations

from collections.abc import Callable

from gatewayz.dataplane.calls import answers_calls
from gatewayz.dataplane.errors import ANTHROPIC
from gatewayz.dataplane.messages import counts_tokens
from gatewayz.dataplane.models import PREFIX, Models
from gatewayz.dataplane.paths import full_path
from gatewayz.dataplane.responses import no_stored_response
from gatewayz.dataplane.route import Route
from gatewayz.gateway import Gateway
from gatewayz.wires.anthropic_messages.wire import MessagesCaller
from gatewayz.wires.embeddings.openai import EmbeddingsCaller
from gatewayz.wires.openai_chat.wire import ChatCaller
from gatewayz.wires.openai_completions.wire import CompletionsCaller
from gatewayz.wires.openai_responses.wire import ResponsesCaller

STORED = "/v1/responses/"


def find_route(gateway: Gateway) -> Callable[[str], Route | None]:
    """A function from path to route. Exact paths are one dictionary look-up; the model name in a path may hold slashes.

    A path that matches nothing as it stands is looked up a second time with its ``/v1`` set right.
    """
    models = Models(gateway.providers)
    routes = (
        Route("/v1/chat/completions", {"POST": answers_calls(gateway, ChatCaller())}),
        Route("/v1/completions", {"POST": answers_calls(gateway, CompletionsCaller())}),
        Route("/v1/embeddings", {"POST": answers_calls(gateway, EmbeddingsCaller())}),
        Route("/v1/responses", {"POST": answers_calls(gateway, ResponsesCaller())}),
        Route("/v1/messages", {"POST": answers_calls(gateway, MessagesCaller())}, ANTHROPIC),
        Route("/v1/messages/count_tokens", {"POST": counts_tokens(gateway)}, ANTHROPIC),
        Route("/v1/models", {"GET": models.list, "HEAD": models.list}),
    )
    exact = {route.template: route for route in routes}
    one_model = Route("/v1/models/{model}", {"GET": models.retrieve, "HEAD": models.retrieve})
    stored = Route("/v1/responses/{response_id}", dict.fromkeys(("GET", "HEAD", "POST", "DELETE"), no_stored_response))

    def find(path: str) -> Route | None:
        return exact.get(path) or below(path) or exact.get(full := full_path(path)) or below(full)

    def below(path: str) -> Route | None:
        if path.startswith(PREFIX) and len(path) > len(PREFIX):
            return one_model
        if path.startswith(STORED) and len(path) > len(STORED):
            return stored
        return None

    return find
