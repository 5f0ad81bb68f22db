"""Recorded instructions, built again from their arguments: by the engine's own builders wherever it has one."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel
from solders.compute_budget import set_compute_unit_limit, set_compute_unit_price
from solders.instruction import Instruction
from solders.system_program import TransferParams, transfer

from order_engine.domain.token_accounts import close_account, create_token_account, sync_native
from order_engine.domain.tokens import TOKEN_2022_PROGRAM, associated_token_address
from order_engine.papernet.recorded_swaps import SWAPS
from order_engine.papernet.replay_check import Arguments, instruction_differences
from order_engine.papernet.token_instructions import transfer_checked, transfer_checked_with_fee
from order_engine.papernet.vector_file import InstructionDump


class InstructionRecord(BaseModel):
    type: str
    args: dict[str, object]
    instruction: InstructionDump


def _create_idempotent(args: Arguments) -> Instruction:
    owner, mint, program = args.key("owner"), args.key("mint"), args.key("token_program")
    account = associated_token_address(owner, mint, program)
    args.require("ata", account)
    return create_token_account(args.key("payer"), owner, account, mint, program)


def _sync_native(args: Arguments) -> Instruction:
    return sync_native(args.key("account"))


def _close_account(args: Arguments) -> Instruction:
    return close_account(args.key("account"), args.key("destination"), args.key("owner"), args.key("token_program"))


def _transfer_checked(args: Arguments) -> Instruction:
    return transfer_checked(
        token_program=args.key("token_program"),
        source=args.key("source"),
        mint=args.key("mint"),
        destination=args.key("destination"),
        owner=args.key("owner"),
        amount=args.integer("amount"),
        decimals=args.integer("decimals"),
    )


def _transfer_checked_with_fee(args: Arguments) -> Instruction:
    plain = _transfer_checked(Arguments({**args.values, "token_program": str(TOKEN_2022_PROGRAM)}))
    return transfer_checked_with_fee(plain, fee=args.integer("fee"))


def _compute_unit_limit(args: Arguments) -> Instruction:
    return set_compute_unit_limit(args.integer("units"))


def _compute_unit_price(args: Arguments) -> Instruction:
    return set_compute_unit_price(args.integer("micro_lamports"))


def _system_transfer(args: Arguments) -> Instruction:
    source, target = args.key("from"), args.key("to")
    return transfer(TransferParams(from_pubkey=source, to_pubkey=target, lamports=args.integer("lamports")))


_BUILDERS: Final[Mapping[str, Callable[[Arguments], Instruction]]] = MappingProxyType(
    {
        **SWAPS,
        "ata.create_idempotent": _create_idempotent,
        "spl_token.sync_native": _sync_native,
        "spl_token.close_account": _close_account,
        "spl_token.transfer_checked": _transfer_checked,
        "spl_token_2022.transfer_checked_with_fee": _transfer_checked_with_fee,
        "compute_budget.set_compute_unit_limit": _compute_unit_limit,
        "compute_budget.set_compute_unit_price": _compute_unit_price,
        "system.transfer": _system_transfer,
    }
)


def instruction_record_differences(record: Mapping[str, object]) -> Iterator[str]:
    """Yield what is otherwise than recorded.

    Raises:
        ValueError: the record cannot be read, or is of an instruction that is not known here.
    """
    recorded = InstructionRecord.model_validate(record)
    build = _BUILDERS.get(recorded.type)
    if build is None:
        raise ValueError(f"unknown kind of instruction {recorded.type}")
    yield from instruction_differences(recorded.instruction.to_instruction(), build(Arguments(recorded.args)))
