"""Tokens: the list known by symbol, mint and token accounts as bytes, and Token-2022 transfer fees."""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from solders.pubkey import Pubkey

from order_engine.domain.amounts import BPS, mul_div_ceil
from order_engine.domain.errors import PoolUnreadable
from order_engine.domain.pool import Account

TOKEN_PROGRAM: Final = Pubkey.from_string("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
TOKEN_2022_PROGRAM: Final = Pubkey.from_string("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")
TOKEN_PROGRAMS: Final = frozenset({TOKEN_PROGRAM, TOKEN_2022_PROGRAM})
ASSOCIATED_TOKEN_PROGRAM: Final = Pubkey.from_string("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
WRAPPED_SOL: Final = Pubkey.from_string("So11111111111111111111111111111111111111112")
TOKEN_ACCOUNT_RENT_LAMPORTS: Final = 2_039_280  # of 165 bytes

_MINT_SIZE, _TOKEN_ACCOUNT_SIZE = 82, 165
_MINT_DECIMALS, _MINT_IS_INITIALIZED, _TOKEN_AMOUNT = 44, 45, 64
_ACCOUNT_TYPE, _TYPE_MINT = 165, 1
_TRANSFER_FEE_CONFIG, _TRANSFER_FEE_CONFIG_SIZE = 1, 108
_NON_TRANSFERABLE, _TRANSFER_HOOK, _PAUSABLE = 9, 14, 26
_OLDER_FEE, _NEWER_FEE = 72, 90  # in the extension's value: two authorities, withheld u64, then the two fees
_EXTENSION_HEADER = 4  # type u16, length u16
# What a mint's extension adds to each of its token accounts, beside the header: the amount withheld, a flag, nothing.
_ADDED_TO_ACCOUNTS = {_TRANSFER_FEE_CONFIG: 8, _NON_TRANSFERABLE: 0, _TRANSFER_HOOK: 1, _PAUSABLE: 0}
_RENT_LAMPORTS_PER_BYTE, _ACCOUNT_OVERHEAD = 6_960, 128


@dataclass(frozen=True, slots=True)
class Token:
    mint: Pubkey
    symbol: str  # "" when the list does not know it
    decimals: int
    token_program: Pubkey


def _known(symbol: str, mint: str, decimals: int, token_program: Pubkey = TOKEN_PROGRAM) -> Token:
    return Token(Pubkey.from_string(mint), symbol, decimals, token_program)


KNOWN_TOKENS: Final = (
    _known("SOL", "So11111111111111111111111111111111111111112", 9),
    _known("USDC", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", 6),
    _known("USDT", "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB", 6),
    _known("JUP", "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN", 6),
    _known("BONK", "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263", 5),
    _known("RAY", "4k3Dyjzvzp8eMZWUXbBCjEvwSkkk59S5iCNLY3QrkX6R", 6),
    _known("mSOL", "mSoLzYCxHdYgdzU16g5QSh3i5K3z3KZK7ytfqcJm7So", 9),
    _known("PYUSD", "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo", 6, TOKEN_2022_PROGRAM),
)
TOKENS_BY_SYMBOL: Final[Mapping[str, Token]] = MappingProxyType({token.symbol: token for token in KNOWN_TOKENS})
TOKENS_BY_MINT: Final[Mapping[Pubkey, Token]] = MappingProxyType({token.mint: token for token in KNOWN_TOKENS})


def associated_token_address(owner: Pubkey, mint: Pubkey, token_program: Pubkey) -> Pubkey:
    seeds = [bytes(owner), bytes(token_program), bytes(mint)]
    return Pubkey.find_program_address(seeds, ASSOCIATED_TOKEN_PROGRAM)[0]


@dataclass(frozen=True, slots=True)
class TransferFee:
    """What Token-2022 withholds from a transfer at one epoch."""

    maximum_fee: int
    basis_points: int

    def on(self, amount: int) -> int:
        """Return the fee withheld when `amount` is sent. Rounds up."""
        if self.basis_points == 0 or amount == 0:
            return 0
        return min(self.maximum_fee, mul_div_ceil(amount, self.basis_points, BPS))

    def amount_before(self, received: int) -> int:
        """Return what must be sent so that `received` arrives.

        Source: solana-program/token-2022, interface/src/extension/transfer_fee/mod.rs, calculate_pre_fee_amount.
        """
        if self.basis_points == 0 or received == 0:
            return received
        if self.basis_points == BPS:
            return received + self.maximum_fee
        sent = mul_div_ceil(received, BPS, BPS - self.basis_points)
        return received + self.maximum_fee if sent - received >= self.maximum_fee else sent


NO_TRANSFER_FEE: Final = TransferFee(0, 0)


@dataclass(frozen=True, slots=True)
class Mint:
    decimals: int
    token_program: Pubkey
    transfer_fee: TransferFee
    account_size: int = _TOKEN_ACCOUNT_SIZE  # bytes of an associated token account


def decode_mint(address: Pubkey, account: Account, epoch: int) -> Mint:
    """Read a mint with the transfer fee in force at `epoch`.

    Raises:
        PoolUnreadable: the account is not a mint of a token program.
    """
    data = account.data
    extended = len(data) > _ACCOUNT_TYPE and data[_ACCOUNT_TYPE] == _TYPE_MINT
    is_mint = len(data) == _MINT_SIZE or (account.owner == TOKEN_2022_PROGRAM and extended)
    if account.owner not in TOKEN_PROGRAMS or not is_mint or data[_MINT_IS_INITIALIZED] != 1:
        raise PoolUnreadable(f"account {address} is not a mint")
    if account.owner == TOKEN_PROGRAM:
        return Mint(data[_MINT_DECIMALS], account.owner, NO_TRANSFER_FEE)
    extensions = dict(_extensions(data))
    return Mint(
        data[_MINT_DECIMALS],
        account.owner,
        _transfer_fee(extensions.get(_TRANSFER_FEE_CONFIG, b""), epoch),
        _account_size(extensions),
    )


def token_account_rent_lamports(mint: Mint) -> int:
    """Return what opening an associated token account of this mint locks away."""
    return (_ACCOUNT_OVERHEAD + mint.account_size) * _RENT_LAMPORTS_PER_BYTE


def token_mint(account: Account) -> Pubkey | None:
    """Return the mint of a token account, None when it is none."""
    is_one = account.owner in TOKEN_PROGRAMS and len(account.data) >= _TOKEN_ACCOUNT_SIZE
    return Pubkey(account.data[:32]) if is_one else None


def token_amount(address: Pubkey, account: Account) -> int:
    """Return the balance of a token account.

    Raises:
        PoolUnreadable: the account is not a token account.
    """
    if account.owner not in TOKEN_PROGRAMS or len(account.data) < _TOKEN_ACCOUNT_SIZE:
        raise PoolUnreadable(f"account {address} is not a token account")
    return int.from_bytes(account.data[_TOKEN_AMOUNT : _TOKEN_AMOUNT + 8], "little")


def _extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and value of each extension of a mint.

    Raises:
        PoolUnreadable: one ends beyond the account.
    """
    offset = _ACCOUNT_TYPE + 1
    while offset + _EXTENSION_HEADER <= len(data):
        kind, size = struct.unpack_from("<HH", data, offset)
        if kind == 0:
            return
        value, offset = offset + _EXTENSION_HEADER, offset + _EXTENSION_HEADER + size
        if offset > len(data):
            raise PoolUnreadable("a mint whose extensions are cut off")
        yield kind, data[value:offset]


def _transfer_fee(config: bytes, epoch: int) -> TransferFee:
    if len(config) < _TRANSFER_FEE_CONFIG_SIZE:
        return NO_TRANSFER_FEE
    newer_epoch, newer_maximum, newer_bps = struct.unpack_from("<QQH", config, _NEWER_FEE)
    if epoch >= newer_epoch:
        return TransferFee(newer_maximum, newer_bps)
    _, maximum, bps = struct.unpack_from("<QQH", config, _OLDER_FEE)
    return TransferFee(maximum, bps)


def _account_size(mint_extensions: Mapping[int, bytes]) -> int:
    """Return the bytes of a token account: its type, that its owner never changes, and what its mint asks for.

    Source: solana-program/token-2022, interface/src/extension/mod.rs, get_required_init_account_extensions.
    """
    added = [size for kind, size in _ADDED_TO_ACCOUNTS.items() if kind in mint_extensions]
    return _TOKEN_ACCOUNT_SIZE + 1 + _EXTENSION_HEADER + sum(_EXTENSION_HEADER + size for size in added)
