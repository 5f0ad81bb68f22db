"""Where each field of a state lies: a state of the model is a row of bytes.

Heights are relative. `LIFE` is last_valid_block_height minus the tip, `AGE` the tip minus the height of landing, and an
endpoint's lag the tip minus what it has seen; its finalized height is `finality` below that. Slots are heights. All
saturate where they can make no difference any more, so that time never runs out and the states are finitely many.
"""

from typing import Final

# the whole: lags of both endpoints, the one client's cancel, the sweeper
WRONG, LAG, CLIENT_STEP, CLIENT_ORDER, CLIENT_VERSION, CLIENT_STATUS, CLIENT_SAW_CANCEL = 0, 1, 3, 4, 5, 6, 7
CANCELS_LEFT, ASLEEP, HEAD_SIZE = 8, 9, 10
# of an order, from its offset
STATUS, SEQUENCE, ATTEMPT, WAITS, CANCEL_ASKED, OWNER, LEASE_PASSED, TAKEOVERS, HINTED, VERDICTS = range(10)
ORDER_SIZE: Final = 10
# of a signature, from its offset. SHIFT: by how much the recorded last valid height is wrong
RECORD, SIGNED, SENT, LIFE, CHAIN, AGE, SHIFT = range(7)
SIGNATURE_SIZE: Final = 7
NO_SHIFT: Final = 8
# of a worker, from its offset. PAST: the height it read is past the margin; SINCE: slots since then
STEP, ORDER, VERSION, ON_ATTEMPT, SAW_CANCEL, PAST, SINCE, NULLS, DECISION = range(9)
WORKER_SIZE: Final = 9

ENDPOINTS: Final = (0, 1)
