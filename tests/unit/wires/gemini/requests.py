"""Chat requests and what they are for Gemini: by name, for the tests of this folder.

``chat``, ``model`` and ``body``: the body is also what Google's own client makes of the same request (test_oracle.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

Json = dict[str, Any]

PNG = "iVBORw0KGgo="
SIGNATURE = "c2lnbmF0dXJl"
USER: Json = {"role": "user", "content": "What is the weather in Köln?"}
ASKED: Json = {"role": "user", "parts": [{"text": "What is the weather in Köln?"}]}
WEATHER: Json = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Where"}, "unit": {"type": "string", "enum": ["C", "F"]}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER_TOOL: Json = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells", "parameters": WEATHER},
}
WEATHER_DECLARED: Json = {"name": "weather", "description": "Tells", "parametersJsonSchema": WEATHER}
CLOCK_TOOL: Json = {"type": "function", "function": {"name": "clock"}}
CLOCK_DECLARED: Json = {"name": "clock"}


class Case(NamedTuple):
    chat: Json
    body: Json
    model: str = "gemini-2.5-flash"


def _config(**members: Any) -> Json:
    return {"contents": [ASKED], "generationConfig": members}


def _called(identity: str, name: str, arguments: str, **more: Any) -> Json:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


CASES: dict[str, Case] = {
    "text": Case({"messages": [USER]}, {"contents": [ASKED]}),
    "system": Case(
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "developer", "content": [{"type": "text", "text": "In German."}]},
                USER,
            ]
        },
        {
            "systemInstruction": {"role": "user", "parts": [{"text": "Be brief."}, {"text": "In German."}]},
            "contents": [ASKED],
        },
    ),
    "turns": Case(
        {"messages": [USER, {"role": "assistant", "content": "Rain."}, {"role": "user", "content": "And then?"}]},
        {
            "contents": [
                ASKED,
                {"role": "model", "parts": [{"text": "Rain."}]},
                {"role": "user", "parts": [{"text": "And then?"}]},
            ]
        },
    ),
    "image in a data URL": Case(
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "What?"},
                        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"}},
                    ],
                }
            ]
        },
        {
            "contents": [
                {"role": "user", "parts": [{"text": "What?"}, {"inlineData": {"mimeType": "image/png", "data": PNG}}]}
            ]
        },
    ),
    "image at an address": Case(
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.b/cat.JPG?size=2"}}],
                }
            ]
        },
        {
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/a.b/cat.JPG?size=2"}}
                    ],
                }
            ]
        },
    ),
    "sound": Case(
        {
            "messages": [
                {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}
            ]
        },
        {"contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}]}]},
    ),
    "document": Case(
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}}
                    ],
                }
            ]
        },
        {"contents": [{"role": "user", "parts": [{"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}]}]},
    ),
    "sampling": Case(
        {
            "messages": [USER],
            "temperature": 0.5,
            "top_p": 0.25,
            "top_k": 3,
            "max_completion_tokens": 5,
            "max_tokens": 9,
            "stop": ["x", "y"],
            "n": 2,
            "seed": 7,
            "presence_penalty": 0.5,
            "frequency_penalty": -0.5,
            "logprobs": True,
            "top_logprobs": 3,
        },
        _config(
            temperature=0.5,
            topP=0.25,
            topK=3,
            maxOutputTokens=5,
            stopSequences=["x", "y"],
            candidateCount=2,
            seed=7,
            presencePenalty=0.5,
            frequencyPenalty=-0.5,
            responseLogprobs=True,
            logprobs=3,
        ),
    ),
    "one stop": Case(
        {"messages": [USER], "max_tokens": 9, "stop": "x"}, _config(maxOutputTokens=9, stopSequences=["x"])
    ),
    "JSON": Case(
        {"messages": [USER], "response_format": {"type": "json_object"}}, _config(responseMimeType="application/json")
    ),
    "JSON by a schema": Case(
        {
            "messages": [USER],
            "response_format": {"type": "json_schema", "json_schema": {"name": "w", "strict": True, "schema": WEATHER}},
        },
        _config(responseMimeType="application/json", responseJsonSchema=WEATHER),
    ),
    "tools": Case(
        {"messages": [USER], "tools": [WEATHER_TOOL, CLOCK_TOOL], "tool_choice": "auto", "parallel_tool_calls": True},
        {
            "contents": [ASKED],
            "tools": [{"functionDeclarations": [WEATHER_DECLARED, CLOCK_DECLARED]}],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        },
    ),
    "no tools": Case(
        {"messages": [USER], "tools": [WEATHER_TOOL], "tool_choice": "none"},
        {
            "contents": [ASKED],
            "tools": [{"functionDeclarations": [WEATHER_DECLARED]}],
            "toolConfig": {"functionCallingConfig": {"mode": "NONE"}},
        },
    ),
    "some tool": Case(
        {"messages": [USER], "tools": [WEATHER_TOOL], "tool_choice": "required"},
        {
            "contents": [ASKED],
            "tools": [{"functionDeclarations": [WEATHER_DECLARED]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        },
    ),
    "this tool": Case(
        {
            "messages": [USER],
            "tools": [WEATHER_TOOL, CLOCK_TOOL],
            "tool_choice": {"type": "function", "function": {"name": "clock"}},
        },
        {
            "contents": [ASKED],
            "tools": [{"functionDeclarations": [WEATHER_DECLARED, CLOCK_DECLARED]}],
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["clock"]}},
        },
    ),
    "some of the tools": Case(
        {
            "messages": [USER],
            "tools": [WEATHER_TOOL, CLOCK_TOOL],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "clock"}}]},
            },
        },
        {
            "contents": [ASKED],
            "tools": [{"functionDeclarations": [CLOCK_DECLARED]}],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        },
    ),
    "calls made together and their results": Case(
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        _called(
                            "c1",
                            "weather",
                            '{"city": "Köln"}',
                            extra_content={"google": {"thought_signature": SIGNATURE}},
                        ),
                        _called("c2", "clock", ""),
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "content": '{"sky": "grey"}'},
                {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "noon"}]},
            ],
            "tools": [WEATHER_TOOL],
        },
        {
            "contents": [
                ASKED,
                {
                    "role": "model",
                    "parts": [
                        {
                            "functionCall": {"id": "c1", "name": "weather", "args": {"city": "Köln"}},
                            "thoughtSignature": SIGNATURE,
                        },
                        {"functionCall": {"id": "c2", "name": "clock", "args": {}}},
                    ],
                },
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"id": "c1", "name": "weather", "response": {"sky": "grey"}}},
                        {"functionResponse": {"id": "c2", "name": "clock", "response": {"output": "noon"}}},
                    ],
                },
            ],
            "tools": [{"functionDeclarations": [WEATHER_DECLARED]}],
        },
        "gemini-3-pro-preview",
    ),
    "a signed answer": Case(
        {
            "messages": [
                USER,
                {
                    "role": "assistant",
                    "content": "Rain.",
                    "extra_content": {"google": {"thought_signature": SIGNATURE}},
                },
                USER,
            ]
        },
        {"contents": [ASKED, {"role": "model", "parts": [{"text": "Rain.", "thoughtSignature": SIGNATURE}]}, ASKED]},
    ),
    "thinking by budget": Case(
        {"messages": [USER], "reasoning_effort": "low"},
        _config(thinkingConfig={"thinkingBudget": 1024, "includeThoughts": True}),
    ),
    "no thinking": Case(
        {"messages": [USER], "reasoning_effort": "none"}, _config(thinkingConfig={"thinkingBudget": 0})
    ),
    "thinking by level": Case(
        {"messages": [USER], "reasoning_effort": "xhigh"},
        _config(thinkingConfig={"thinkingLevel": "HIGH", "includeThoughts": True}),
        "gemini-3-flash-preview",
    ),
    "thinking in Google's words": Case(
        {
            "messages": [USER],
            "extra_body": {"google": {"thinking_config": {"thinking_level": "low", "include_thoughts": False}}},
        },
        _config(thinkingConfig={"thinkingLevel": "LOW", "includeThoughts": False}),
        "gemini-flash-latest",
    ),
    "what changes no answer": Case(
        {
            "model": "x",
            "messages": [USER],
            "stream": True,
            "stream_options": {"include_usage": True},
            "user": "u",
            "metadata": {"a": "b"},
            "store": False,
            "logit_bias": {},
            "n": None,
            "verbosity": "medium",
        },
        {"contents": [ASKED]},
    ),
}
