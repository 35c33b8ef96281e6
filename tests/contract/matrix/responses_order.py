"""The order in which the Responses API says things, and that what it says in parts is what it says as a whole."""

from __future__ import annotations

from tests.contract.matrix.scenario import Json


class ResponsesOrder:
    """Takes the events of one stream, and asserts of each that it may come now."""

    def __init__(self) -> None:
        self.text = ""
        """What was said so far, refusals included."""
        self._number = 0
        self._items: list[Json] = []
        self._open: set[int] = set()
        self._parts: dict[tuple[int, str, int], Json] = {}
        """Parts of content and of summaries that are growing, by item, kind and index."""
        self._arguments: dict[int, str] = {}
        self._response: Json | None = None

    def take(self, event: Json) -> None:
        kind = event["type"]
        assert event["sequence_number"] == self._number
        self._number += 1
        assert self._response is None, "nothing comes after the end"
        if "output_index" in event and kind != "response.output_item.added":
            assert event["output_index"] in self._open
            if "item_id" in event:
                assert event["item_id"] == self._items[event["output_index"]]["id"]
        match kind.removeprefix("response."):
            case "created":
                assert self._number == 1
                assert event["response"]["status"] == "in_progress"
            case "in_progress":
                assert self._number == 2
            case "output_item.added":
                assert event["output_index"] == len(self._items)
                self._open.add(event["output_index"])
                self._items.append(event["item"])
            case "output_item.done":
                self._end_item(event["output_index"], event["item"])
            case "content_part.added" | "reasoning_summary_part.added":
                place = _place(event)
                assert place not in self._parts
                self._parts[place] = {**event["part"]}
            case "output_text.delta" | "refusal.delta":
                self.text += event["delta"]
                self._grow(event)
            case "reasoning_summary_text.delta":
                self._grow(event)
            case "output_text.done" | "reasoning_summary_text.done":
                assert event["text"] == self._parts[_place(event)]["text"]
            case "refusal.done":
                assert event["refusal"] == self._parts[_place(event)]["refusal"]
            case "content_part.done" | "reasoning_summary_part.done":
                said = self._parts.pop(_place(event))
                member = "refusal" if "refusal" in said else "text"
                assert event["part"][member] == said[member]
            case "function_call_arguments.delta":
                index = event["output_index"]
                self._arguments[index] = self._arguments.get(index, "") + event["delta"]
            case "function_call_arguments.done":
                assert event["arguments"] == self._arguments[event["output_index"]]
                assert event["name"] == self._items[event["output_index"]]["name"]
            case "completed" | "incomplete" as status:
                assert not self._open
                assert event["response"]["status"] == status
                self._response = event["response"]
            case other:
                raise AssertionError(f"no such event: {other}")

    def whole(self) -> Json:
        """The response; what came item by item is what it holds."""
        assert self._response is not None
        assert self._response["output"] == self._items
        return self._response

    def _grow(self, event: Json) -> None:
        part = self._parts[_place(event)]
        part["refusal" if "refusal" in part else "text"] += event["delta"]

    def _end_item(self, index: int, item: Json) -> None:
        self._open.remove(index)
        begun = self._items[index]
        assert (item["id"], item["type"]) == (begun["id"], begun["type"])
        assert not [place for place in self._parts if place[0] == index], "a part has not ended"
        if item["type"] == "function_call":
            assert item["arguments"] == self._arguments[index]
        self._items[index] = item


def _place(event: Json) -> tuple[int, str, int]:
    kind = "content" if "content_index" in event else "summary"
    return event["output_index"], kind, event[f"{kind}_index"]
