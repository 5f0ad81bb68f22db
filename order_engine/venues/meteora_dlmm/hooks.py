"""Token-2022 mints whose transfers call another program: the accounts that program wants are not known here."""

import struct
from typing import Final

_EXTENSIONS_AT: Final = 166
_TRANSFER_HOOK: Final = 14
_HOOK_PROGRAM: Final = slice(32, 64)  # of the extension's value; zeros: none


def has_transfer_hook(mint_data: bytes) -> bool:
    """Say whether transfers of the mint call a program."""
    offset = _EXTENSIONS_AT
    while offset + 4 <= len(mint_data):
        kind, size = struct.unpack_from("<HH", mint_data, offset)
        value = mint_data[offset + 4 : offset + 4 + size]
        if kind == _TRANSFER_HOOK:
            return any(value[_HOOK_PROGRAM])
        offset += 4 + size
    return False
