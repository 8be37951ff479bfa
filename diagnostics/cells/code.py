"""Which code a result comes from: a result counts only for the code that made it."""

import hashlib
from functools import cache
from pathlib import Path

import attn

ATTN, DIAGNOSTICS = Path(attn.__file__).parent, Path(__file__).parents[1]


@cache
def fingerprint(*roots: Path) -> str:
    """A digest of all code and weights under `roots`, or of both packages: what results depend on."""
    digest = hashlib.sha256()
    for root in roots or (DIAGNOSTICS, ATTN):
        for path in sorted([*root.rglob("*.py"), *root.rglob("*.safetensors")]):
            digest.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]
