"""Text from outside inside Markdown: shown as it is, never read as markup."""

import re

from markupsafe import Markup

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#!|~&$])")


def escape(value: object) -> str:
    """One line of text with every character that Markdown or HTML would read escaped.

    What is `Markup` already is left alone.
    """
    if isinstance(value, Markup):
        return str(value)
    line = _printable(" ".join(str(value).split()))
    # parentheses stay: without brackets before them they make no link
    return _SPECIAL.sub(r"\\\1", line)


def _printable(text: str) -> str:
    """Text without what could steer the terminal in which the file is shown."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def fenced(text: str) -> Markup:
    """A block of code that holds `text`, whatever it holds."""
    text = _printable(text)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markup(f"{fence}\n{text}\n{fence}")
