"""The paths of the data plane."""

from __future__ import annotations

from collections.abc import Callable

from gatewayz.dataplane import anthropic_errors
from gatewayz.dataplane.chat import ChatCompletions
from gatewayz.dataplane.completions import Completions
from gatewayz.dataplane.embeddings import Embeddings
from gatewayz.dataplane.endpoint import Route
from gatewayz.dataplane.messages import CountTokens, Messages
from gatewayz.dataplane.models import PREFIX, Models
from gatewayz.dataplane.paths import full_path
from gatewayz.dataplane.responses import Responses
from gatewayz.gateway import Gateway

STORED = "/v1/responses/"


def find_route(gateway: Gateway) -> Callable[[str], Route | None]:
    """A function from path to route. Exact paths are one dictionary look-up; the model name in a path may hold slashes.

    A path that is nothing as it stands is looked for a second time with its ``/v1`` set right.
    """
    models = Models(gateway.providers)
    responses = Responses(gateway)
    exact = {
        "/v1/chat/completions": Route("/v1/chat/completions", {"POST": ChatCompletions(gateway).post}),
        "/v1/completions": Route("/v1/completions", {"POST": Completions(gateway).post}),
        "/v1/embeddings": Route("/v1/embeddings", {"POST": Embeddings(gateway).post}),
        "/v1/responses": Route("/v1/responses", {"POST": responses.post}),
        "/v1/messages": Route("/v1/messages", {"POST": Messages(gateway).post}, anthropic_errors.answer_error),
        "/v1/messages/count_tokens": Route(
            "/v1/messages/count_tokens",
            {"POST": CountTokens(gateway, gateway.providers).post},
            anthropic_errors.answer_error,
        ),
        "/v1/models": Route("/v1/models", {"GET": models.list, "HEAD": models.list}),
    }
    one_model = Route("/v1/models/{model}", {"GET": models.retrieve, "HEAD": models.retrieve})

    of_responses = Route(
        "/v1/responses/{response_id}", dict.fromkeys(("GET", "HEAD", "POST", "DELETE"), responses.refuse)
    )

    def find(path: str) -> Route | None:
        return exact.get(path) or below(path) or exact.get(full := full_path(path)) or below(full)

    def below(path: str) -> Route | None:
        if path.startswith(PREFIX) and len(path) > len(PREFIX):
            return one_model
        if path.startswith(STORED) and len(path) > len(STORED):
            return of_responses
        return None

    return find
