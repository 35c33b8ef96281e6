"""What the demo provider says: prose about the request it got, of a length that differs from request to request.

The same seed gives the same words, so that a repeated request gets the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Prompt:
    """What can be said about a conversation without understanding it."""

    model: str
    messages: int
    tokens: int
    words: int
    """Words in the last message."""
    last: str
    """The last message's text."""
    last_role: str
    system: bool
    tool_result: str | None = None


_OPENINGS = (
    "Hello from {model}, the model that runs inside your gateway.",
    "This is {model}: no key, no network, and no bill.",
    "You have reached {model}, which is a few hundred lines of Python and no intelligence at all.",
    "Greetings from {model}. I do not think, but I do count.",
)
_FACTS = (
    "Your last message has {words} words; the whole prompt came to {tokens} tokens in {messages}.",
    "I counted {tokens} tokens of prompt, {messages} in all, and {words} words in the last one.",
    "What you sent is {messages}, {tokens} tokens together, and it ends with {words} words of yours.",
)
_ECHOES = ("It begins “{head}”.", "I read “{head}”, and liked the sound of it.", "“{head}”, you write.")
_SYSTEM = (
    "There was a system prompt too, which I followed as well as a random number generator can.",
    "Your system prompt arrived as well; a real provider would have cached it, so I report it as cached.",
)
_TOOL = (
    "The tool answered “{result}”, and I have nothing to add to that.",
    "Thank you for running the tool: it said “{result}”.",
)
_MORE = (
    "Every token of this answer is counted, and you will find the sum in the metrics a few seconds from now.",
    "The trace of this request has two spans: one for you asking the gateway, and one for the gateway asking me.",
    "If this came in pieces, each piece was one server-sent event, and the gateway passed it on without looking twice.",
    "Ask me again in the same words and I shall say the same; change a letter and you will hear something else.",
    "The log line that ends this request carries the same trace id as the spans, so you can walk from one to the other.",
    "Point the SDK at another provider and nothing else has to change: the name before the slash picks who answers.",
    "My sibling flaky fails about one time in three, in every way a provider can; it is there to be watched.",
    "My sibling slow takes a second and a half to begin, which is what a percentile is for.",
    "Nothing of what you wrote is kept, and none of it is in the telemetry, unless you switch that on.",
    "A gauge somewhere went up by one when you called and will go down by one when this sentence ends.",
    "Prices do not apply to me, so the cost of this answer is exactly nothing, which is also a thing worth counting.",
    "When I am cut off in the middle you will be told so, in an event of its own, and never by a false happy end.",
    "The shortest answer I give is three sentences and the longest about a dozen; a histogram wants some variety.",
    "Somewhere a dashboard just moved by one pixel because of you.",
)
_CLOSINGS = (
    "That is all.",
    "Ask me anything; I shall count it.",
    "Over to you.",
    "Have a look at the trace.",
    "Good day.",
)
_THOUGHTS = (
    "The user wrote {words} words.",
    "There is nothing to reason about, but reasoning is what this model shows.",
    "Counting the tokens: {tokens}.",
    "An answer of a few sentences will do.",
    "Better to say who is speaking first.",
)

HEAD_WORDS = 12


def answer_text(prompt: Prompt, seed: int) -> str:
    random = Random(seed)  # noqa: S311 (nothing secret: the same words again for the same request)
    sentences = [random.choice(_OPENINGS), random.choice(_FACTS)]
    if prompt.tool_result is not None:
        sentences.insert(0, random.choice(_TOOL))
    elif prompt.words:
        sentences.append(random.choice(_ECHOES))
    if prompt.system:
        sentences.append(random.choice(_SYSTEM))
    # Squared, so that most answers are short and a few are long, as they are in life.
    sentences += random.sample(_MORE, k=int(random.random() ** 2 * 9))
    sentences.append(random.choice(_CLOSINGS))
    return _say(" ".join(sentences), prompt)


def thought_text(prompt: Prompt, seed: int) -> str:
    random = Random(seed)  # noqa: S311 (as above)
    return _say(" ".join(random.sample(_THOUGHTS, k=random.randint(2, len(_THOUGHTS)))), prompt)


def _say(text: str, prompt: Prompt) -> str:
    words = prompt.last.split()
    head = " ".join(words[:HEAD_WORDS])[:120] + (" …" if len(words) > HEAD_WORDS else "")
    return text.format(
        model=f"demo/{prompt.model}",
        words=prompt.words,
        tokens=prompt.tokens,
        messages="one message" if prompt.messages == 1 else f"{prompt.messages} messages",
        head=head,
        result=(prompt.tool_result or "")[:200],
    )
