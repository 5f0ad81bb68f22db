"""The replies we read, as strict types: what does not fit is no answer."""

import binascii
from typing import Annotated, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from solders.pubkey import Pubkey

from order_engine.domain.pool import Account

T = TypeVar("T")
U64 = Annotated[int, Field(ge=0, lt=2**64, strict=True)]
JsonValue = object


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Context(_Reply):
    slot: U64


class WithContext(_Reply, Generic[T]):
    context: Context
    value: T


class RawAccount(_Reply):
    owner: str
    lamports: U64
    data: tuple[str, str]

    def decode(self) -> Account:
        """Raises ValueError for bytes that are not base64 or an owner that is no address."""
        data = binascii.a2b_base64(self.data[0], strict_mode=True)
        return Account(owner=Pubkey.from_string(self.owner), lamports=self.lamports, data=data)


class KeyedAccount(_Reply):
    pubkey: str
    account: RawAccount


class LatestBlockhash(_Reply):
    blockhash: str
    last_valid_block_height: U64 = Field(alias="lastValidBlockHeight")


class EpochInfo(_Reply):
    absolute_slot: U64 = Field(alias="absoluteSlot")
    block_height: U64 = Field(alias="blockHeight")


class SignatureStatus(_Reply):
    slot: U64
    err: JsonValue
    confirmation_status: str | None = Field(alias="confirmationStatus")


class SimulationResult(_Reply):
    err: JsonValue
    logs: list[str] | None = None


class UiTokenAmount(_Reply):
    amount: str


class TokenBalance(_Reply):
    account_index: U64 = Field(alias="accountIndex")
    mint: str
    owner: str | None = None
    ui_token_amount: UiTokenAmount = Field(alias="uiTokenAmount")


class TransactionMeta(_Reply):
    err: JsonValue
    fee: U64
    pre_balances: list[U64] = Field(alias="preBalances")
    post_balances: list[U64] = Field(alias="postBalances")
    pre_token_balances: list[TokenBalance] = Field(alias="preTokenBalances")
    post_token_balances: list[TokenBalance] = Field(alias="postTokenBalances")


class TransactionBody(_Reply):
    class Message(_Reply):
        account_keys: list[str] = Field(alias="accountKeys")

    message: Message


class ConfirmedTransaction(_Reply):
    slot: U64
    meta: TransactionMeta
    transaction: TransactionBody


TEXT: Final = TypeAdapter(str)
EPOCH_INFO: Final = TypeAdapter(EpochInfo)
BLOCKHASH: Final = TypeAdapter(WithContext[LatestBlockhash])
ACCOUNTS: Final = TypeAdapter(WithContext[list[RawAccount | None]])
PROGRAM_ACCOUNTS: Final = TypeAdapter(list[KeyedAccount])
STATUSES: Final = TypeAdapter(WithContext[list[SignatureStatus | None]])
SIMULATION: Final = TypeAdapter(WithContext[SimulationResult])
TRANSACTION: Final = TypeAdapter(ConfirmedTransaction | None)
