"""Methods about the network, its heights and its blockhashes."""

from order_engine.papernet.genesis import (
    BLOCKHASH_VALID_BLOCKS,
    SLOT_OFFSET,
    SLOTS_PER_EPOCH,
)
from order_engine.papernet.rpc.params import Params
from order_engine.papernet.rpc.view import API_VERSION, Node


def get_latest_blockhash(node: Node, params: Params) -> object:
    view = node.view(params.options(0))
    blockhash = node.network.heights.blockhash(view.height)
    return view.wrap({"blockhash": str(blockhash), "lastValidBlockHeight": view.height + BLOCKHASH_VALID_BLOCKS})


def is_blockhash_valid(node: Node, params: Params) -> object:
    blockhash, view = params.hash(0), node.view(params.options(1))
    return view.wrap(node.network.heights.is_valid(blockhash, view.height))


def get_block_height(node: Node, params: Params) -> object:
    return node.view(params.options(0)).height


def get_slot(node: Node, params: Params) -> object:
    return node.view(params.options(0)).slot


def get_block_time(node: Node, params: Params) -> object:
    height = params.uint(0, "slot") - SLOT_OFFSET
    return node.network.heights.unix_timestamp(height) if 0 <= height <= node.head else None


def get_epoch_info(node: Node, params: Params) -> object:
    view = node.view(params.options(0))
    epoch, index = divmod(view.slot, SLOTS_PER_EPOCH)
    return {
        "absoluteSlot": view.slot,
        "blockHeight": view.height,
        "epoch": epoch,
        "slotIndex": index,
        "slotsInEpoch": SLOTS_PER_EPOCH,
        "transactionCount": node.network.landed.count,
    }


def get_genesis_hash(node: Node, params: Params) -> object:
    return str(node.network.genesis)


def get_health(node: Node, params: Params) -> object:
    return "ok"


def get_version(node: Node, params: Params) -> object:
    return {"solana-core": API_VERSION, "feature-set": 0}
