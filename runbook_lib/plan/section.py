"""What all sections of the plan share: their base, the kinds of their values, the check of templates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _compiles(pattern: str) -> str:
    """Refuse what is no regular expression."""
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
    return pattern


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$")]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Ratio = Annotated[float, Field(ge=0, le=1)]
RegularExpression = Annotated[str, AfterValidator(_compiles)]
Environment = dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str]


class Section(BaseModel):
    """Base of the plan's sections: immutable; unknown fields, and numbers that bound nothing, are errors."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )  # fmt: skip


def check_templates(texts: Iterable[str], *names: str) -> None:
    """Refuse, before anything runs, what could not be filled in later."""
    for text in texts:
        try:
            text.format_map(dict.fromkeys(names, ""))
        except (LookupError, ValueError, AttributeError):
            known = " ".join(f"{{{name}}}" for name in names)
            raise ValueError(f"{text!r} is no template of {known}: double every other brace") from None
