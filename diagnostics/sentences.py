"""Text from outside, made fit for a sentence."""


def one_line(text: str) -> str:
    """Text that any file can hold: one line, and no half of a surrogate pair."""
    return " ".join(text.encode("utf-8", "replace").decode().split())


def said(error: BaseException) -> str:
    """The first line of an error's message, even where the message itself is broken."""
    try:
        return (str(error).strip().splitlines() or ["no message"])[0][:200]
    except Exception:
        return "a message that cannot be read"
