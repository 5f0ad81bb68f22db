"""Accounts and amounts as JSON-RPC shows them."""

from base64 import b64encode
from dataclasses import dataclass

from base58 import b58encode
from solders.account import Account
from solders.pubkey import Pubkey

from order_engine.domain.tokens import TOKEN_2022_PROGRAM
from order_engine.papernet.images import TokenHolding, token_holding

MAX_BASE58_BYTES = 128


def ui_amount(amount: int, decimals: int) -> dict[str, object]:
    whole, rest = divmod(amount, 10**decimals)
    text = f"{whole}.{rest:0{decimals}d}".rstrip("0").rstrip(".") if decimals else str(amount)
    return {
        "amount": str(amount),
        "decimals": decimals,
        "uiAmount": float(text),  # for display only
        "uiAmountString": text,
    }


@dataclass(frozen=True, slots=True)
class AccountFormat:
    encoding: str  # base64, base58, or jsonParsed
    slice: tuple[int, int] | None = None  # offset, length

    def show(self, account: Account | None, decimals: int | None = None) -> dict[str, object] | None:
        """Return the account; `decimals` of its mint make a token account readable with jsonParsed."""
        if account is None:
            return None
        return {
            "lamports": account.lamports,
            "owner": str(account.owner),
            "data": self._data(account, decimals),
            "executable": account.executable,
            "rentEpoch": account.rent_epoch,
            "space": len(account.data),
        }

    def _data(self, account: Account, decimals: int | None) -> object:
        holding = token_holding(account)
        if self.encoding == "jsonParsed" and holding is not None and decimals is not None:
            return _parsed_token_account(account, holding, decimals)
        data = bytes(account.data)
        if self.slice is not None:
            offset, length = self.slice
            data = data[offset : offset + length]
        if self.encoding == "base58":
            return [b58encode(data).decode(), "base58"]
        return [b64encode(data).decode(), "base64"]


def _parsed_token_account(account: Account, holding: TokenHolding, decimals: int) -> dict[str, object]:
    data = bytes(account.data)
    has_delegate, state, is_native = data[72] == 1, data[108], data[109] == 1
    info: dict[str, object] = {
        "mint": str(holding.mint),
        "owner": str(holding.owner),
        "tokenAmount": ui_amount(holding.amount, decimals),
        "state": ("uninitialized", "initialized", "frozen")[min(state, 2)],
        "isNative": is_native,
    }
    if has_delegate:
        info["delegate"] = str(Pubkey(data[76:108]))
        info["delegatedAmount"] = ui_amount(int.from_bytes(data[121:129], "little"), decimals)
    if is_native:
        info["rentExemptReserve"] = ui_amount(int.from_bytes(data[113:121], "little"), 9)
    program = "spl-token-2022" if account.owner == TOKEN_2022_PROGRAM else "spl-token"
    return {"program": program, "parsed": {"type": "account", "info": info}, "space": len(data)}
