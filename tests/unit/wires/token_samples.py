"""Texts of the kinds that models write, with what two vocabularies make of them.

Counted once with gpt-tokenizer, whose vocabularies are OpenAI's ``o200k_base`` (gpt-4o and later) and ``cl100k_base`` (gpt-4,
and near to what Llama 3 and Qwen have); the texts are our own.
"""

# ruff: noqa: E501 - texts: one paragraph, one line, in their own scripts

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """``tokens`` in o200k_base, ``older_tokens`` in cl100k_base."""

    kind: str
    text: str
    tokens: int
    older_tokens: int


ENGLISH = """The harbour was quiet in the morning, long before the first ferry came in. Two men were mending nets on the quay, and a dog lay in the sun between them as though it had been told to guard the place. Nobody spoke. Every few minutes the wind turned, and with it came the smell of diesel and bread from the street behind the warehouse.

"You could have written," she said at last. He put down the suitcase and looked at the water. There were a dozen things he might have answered, and all of them had sounded better on the train. In the end he shrugged, which was what he had always done, and they walked up the hill together without another word.

Later that week the council met to decide about the lighthouse. It had cost the town $48,000 in 2019 alone, and the roof still leaked; on the other hand, as the mayor pointed out, it was the only building that anybody ever came to photograph."""

ANSWER = """To undo the last commit but keep your changes, use a soft reset:

1. **Check what you have.** Run `git status` and `git log --oneline -3` first, so that you know which commit is the last one.
2. **Reset.** `git reset --soft HEAD~1` moves the branch back by one commit; the changes stay staged.
3. **Commit again**, or unstage single files with `git restore --staged <file>`.

If the commit has already been pushed, prefer `git revert <sha>`: it adds a new commit that takes the old one back, and nobody else's history is rewritten.

| command | keeps changes | rewrites history |
|---|---|---|
| `reset --soft` | yes, staged | yes |
| `reset --hard` | **no** | yes |
| `revert` | – | no |
"""

GERMAN = """Die Bibliothek öffnet an Werktagen um neun Uhr und schließt erst am späten Abend. Wer ein Buch ausleihen möchte, braucht einen gültigen Ausweis; die Ausleihfrist beträgt vier Wochen und lässt sich zweimal verlängern, sofern niemand anders das Buch vorbestellt hat. Für überfällige Bücher wird eine Gebühr von fünfzig Cent pro Tag erhoben. Im Lesesaal stehen Arbeitsplätze mit Steckdosen zur Verfügung, und im Untergeschoss gibt es ein kleines Café, in dem man sich auch laut unterhalten darf."""

PYTHON = '''def merge_intervals(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join intervals that touch or overlap, in ascending order."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            last_start, last_end = merged.pop()
            merged.append((last_start, max(last_end, end)))
        else:
            merged.append((start, end))
    return merged


class Cache:
    def __init__(self, limit: int = 128) -> None:
        self._limit = limit
        self._values: OrderedDict[str, bytes] = OrderedDict()

    def get(self, key: str) -> bytes | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: str, value: bytes) -> None:
        self._values[key] = value
        if len(self._values) > self._limit:
            self._values.popitem(last=False)
'''

JAVASCRIPT = """export async function fetchUsers(page = 1, { signal } = {}) {
  const url = new URL("/api/users", window.location.origin);
  url.searchParams.set("page", String(page));
  const response = await fetch(url, { headers: { accept: "application/json" }, signal });
  if (!response.ok) {
    throw new Error(`HTTP ${response.status}: ${await response.text()}`);
  }
  const { users, total } = await response.json();
  return { users: users.map((u) => ({ ...u, name: `${u.first} ${u.last}`.trim() })), total };
}

document.querySelector("#more")?.addEventListener("click", async () => {
  const { users } = await fetchUsers(++state.page);
  list.append(...users.map(renderUser));
});
"""

JSON = """{"order":{"id":"ord_20481","status":"shipped","customer":{"name":"Maria Lopes","email":"maria@example.com","address":{"street":"Rua das Flores 12","city":"Porto","postal_code":"4050-262","country":"PT"}},"items":[{"sku":"TB-114","title":"Tea pot, blue","quantity":1,"unit_price":34.9},{"sku":"CP-020","title":"Cup, white","quantity":6,"unit_price":4.5}],"total":61.9,"currency":"EUR","shipped_at":"2025-03-14T09:26:53Z","tracking":null,"gift":false}}"""

INDENTED_JSON = """{
  "city": "Lisbon",
  "days": [
    {
      "date": "2025-06-01",
      "temperature": { "low": 16.5, "high": 24.1 },
      "rain": false
    },
    {
      "date": "2025-06-02",
      "temperature": { "low": 17.0, "high": 26.8 },
      "rain": true
    }
  ],
  "source": "weather-service"
}
"""

CHINESE = """清晨的港口很安静，第一班渡轮还没有到。两个男人在码头上修补渔网，一条狗躺在他们中间晒太阳，好像有人吩咐它看守这个地方。没有人说话。每隔几分钟风向就会改变，仓库后面那条街上的柴油味和面包味也随之飘来。要撤销最近一次提交但保留修改，可以使用软重置：先查看当前状态，确认哪一次提交是最新的，然后把分支退回一步，修改仍然保留在暂存区。如果这次提交已经推送到远程仓库，最好使用反向提交，这样就不会改写其他人的历史记录。"""

JAPANESE = """朝の港は静かで、最初のフェリーはまだ着いていなかった。二人の男が岸壁で網を繕い、その間で犬が日なたぼっこをしていた。誰も口をきかなかった。数分ごとに風向きが変わり、倉庫の裏の通りからディーゼルとパンの匂いが漂ってくる。直前のコミットを取り消して変更を残したい場合は、ソフトリセットを使います。まず現在の状態を確認し、どのコミットが最新かを調べてから、ブランチを一つ前に戻してください。すでにプッシュした場合は、打ち消しのコミットを作る方が安全です。"""

RUSSIAN = """Утром в гавани было тихо, первый паром ещё не пришёл. Двое мужчин чинили сети на причале, а между ними на солнце лежала собака, словно ей велели сторожить это место. Никто не разговаривал. Каждые несколько минут ветер менялся, и с улицы за складом доносился запах солярки и свежего хлеба."""

SAMPLES = (
    Sample("English prose", ENGLISH, 196, 198),
    Sample("English answer, Markdown", ANSWER, 190, 191),
    Sample("German", GERMAN, 114, 138),
    Sample("Python", PYTHON, 238, 235),
    Sample("JavaScript", JAVASCRIPT, 172, 169),
    Sample("JSON", JSON, 144, 146),
    Sample("JSON, indented", INDENTED_JSON, 111, 112),
    Sample("Chinese", CHINESE, 162, 228),
    Sample("Japanese", JAPANESE, 175, 241),
    Sample("Russian", RUSSIAN, 87, 140),
)
