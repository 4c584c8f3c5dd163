"""Make bad input of good input, and see that a reader answers with nothing but the errors it names."""

from __future__ import annotations

import random
from collections.abc import Iterator

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from parsers import Parser

MUTANTS = 50
"""Cases of each of hypothesis' examples: it draws what is put in and a seed, these go on from there."""
_NASTY = (
    b"", b"\0", b"\xff\xfe", b"{", b"}", b"[" * 2000, b"null", b"-1", b"1e999", b"NaN", b'"', b"\\", b"\n",
    b"\n\n", b"\xe2\x80\xae", b"99999999999999999999", b"0000-00-00T99:99:99Z", b"&a;", b"<![CDATA[",
    b"!!python/object:os.x", b"*a", b"&a [*a]", b"<<: *a", b"\x80" * 10, b"true", b"\t", b": ",
    b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
)  # fmt: skip


def fuzz(parser: Parser, cases: int) -> int:
    """Let a parser read that many cases; return how many it has refused.

    Raises:
        AssertionError: With the input, if it answered with another error than it names.
    """
    refused = 0

    @settings(
        max_examples=-(-cases // MUTANTS), database=None, deadline=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck), derandomize=cases < 100_000,
    )  # fmt: skip
    @given(st.sampled_from(parser.good), st.binary(max_size=200) | _TEXTS, st.integers(0, 2**32))
    def examples(good: bytes, given: bytes, seed: int) -> None:
        nonlocal refused
        for data in _mutants(parser, good, given, random.Random(seed)):
            refused += _is_refused(parser, data)

    examples()
    return refused


def _is_refused(parser: Parser, data: bytes) -> bool:
    try:
        parser.read(data)
    except parser.refuses:
        return True
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise AssertionError(f"{parser.name} answered {data!r} with {said}") from error
    return False


_TEXTS = st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass"))


def _mutants(parser: Parser, good: bytes, given: bytes, rng: random.Random) -> Iterator[bytes]:
    """Yield the drawn bytes themselves, then good input spoilt in more and more places."""
    yield given
    data = good
    for number in range(MUTANTS - 1):
        if number % (2 if parser.binary else 7) == 0:
            data = good
        data = _flipped(data, rng) if parser.binary else _spoilt(data, given, rng)
        yield data


def _flipped(data: bytes, rng: random.Random) -> bytes:
    """Change one byte: whatever changes a length makes the rest of a binary message unreadable at once."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _spoilt(data: bytes, given: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.choice((0, 1, 1, 2, 8, 40)))
    other = rng.randrange(len(data) + 1)
    put = rng.choice((b"", given, rng.choice(_NASTY), bytes([rng.randrange(256)]), data[other : other + 30]))
    return (data[:start] + put + data[end:])[:20_000]
