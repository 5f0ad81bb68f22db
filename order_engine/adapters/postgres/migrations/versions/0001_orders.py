"""Orders, their events, attempts and transactions, and the indexes for every query the API offers."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ORDERS = """
CREATE TABLE orders (
    order_id uuid PRIMARY KEY,
    owner text NOT NULL CHECK (char_length(owner) BETWEEN 1 AND 128),
    request_id text NOT NULL CHECK (char_length(request_id) <= 64),
    client_order_id text NOT NULL CHECK (char_length(client_order_id) <= 64),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    order_type text NOT NULL,
    token_in text NOT NULL CHECK (char_length(token_in) BETWEEN 32 AND 44),
    token_out text NOT NULL CHECK (char_length(token_out) BETWEEN 32 AND 44 AND token_out <> token_in),
    amount_in numeric(20, 0) NOT NULL CHECK (amount_in BETWEEN 1 AND 18446744073709551615),
    slippage_bps integer NOT NULL CHECK (slippage_bps BETWEEN 0 AND 10000),
    max_attempts integer NOT NULL CHECK (max_attempts >= 1),
    create_time timestamptz NOT NULL,
    update_time timestamptz NOT NULL,
    status text NOT NULL CHECK (status IN
        ('pending', 'routing', 'building', 'submitted', 'confirmed', 'failed', 'cancelled', 'expired')),
    sequence bigint NOT NULL CHECK (sequence >= 1),
    attempt integer NOT NULL CHECK (attempt BETWEEN 0 AND max_attempts),
    route jsonb,
    fill jsonb,
    failure jsonb,
    signature text,
    last_valid_block_height numeric(20, 0) NOT NULL DEFAULT 0,
    cancel_requested boolean NOT NULL DEFAULT false,
    next_attempt_at timestamptz,
    claimed_by uuid,
    claimed_until timestamptz,
    takeovers integer NOT NULL DEFAULT 0 CHECK (takeovers >= 0),
    CONSTRAINT due_while_pending CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL)),
    CONSTRAINT leased_while_in_flight
        CHECK ((status IN ('routing', 'building', 'submitted')) = (claimed_until IS NOT NULL)),
    CONSTRAINT claimed_with_a_lease CHECK (claimed_by IS NULL OR claimed_until IS NOT NULL)
) WITH (fillfactor = 85)
"""

# claimed_until is in no index, so that renewing a lease touches none of them (a heap-only update).
ORDER_INDEXES = """
CREATE UNIQUE INDEX orders_request ON orders (owner, request_id) WHERE request_id <> '';
CREATE INDEX orders_newest ON orders (owner, create_time DESC, order_id DESC);
CREATE INDEX orders_by_status ON orders (owner, status, create_time DESC, order_id DESC);
CREATE INDEX orders_by_client_order_id ON orders (owner, client_order_id, create_time DESC, order_id DESC)
    WHERE client_order_id <> '';
CREATE INDEX orders_by_token_in ON orders (owner, token_in, create_time DESC, order_id DESC);
CREATE INDEX orders_by_token_out ON orders (owner, token_out, create_time DESC, order_id DESC);
CREATE INDEX orders_due ON orders (next_attempt_at, create_time, order_id) WHERE status = 'pending';
CREATE INDEX orders_in_flight ON orders (claimed_by) WHERE status IN ('routing', 'building', 'submitted');
"""

# The venues of every route that an order chose. A table of its own: an index of route cannot be read newest first.
ORDER_VENUES = """
CREATE TABLE order_venues (
    owner text NOT NULL,
    venue text NOT NULL,
    create_time timestamptz NOT NULL,
    order_id uuid NOT NULL REFERENCES orders,
    PRIMARY KEY (owner, venue, create_time, order_id)
)
"""

EVENTS = """
CREATE TABLE order_events (
    order_id uuid NOT NULL REFERENCES orders,
    sequence bigint NOT NULL CHECK (sequence >= 1),
    event_id uuid NOT NULL UNIQUE,
    status text NOT NULL,
    attempt integer NOT NULL,
    event_time timestamptz NOT NULL,
    kind text NOT NULL,
    detail jsonb NOT NULL,
    PRIMARY KEY (order_id, sequence)
);
CREATE UNIQUE INDEX one_cancel_request ON order_events (order_id) WHERE kind = 'CancelRequested';
"""

ATTEMPTS = """
CREATE TABLE attempts (
    order_id uuid NOT NULL REFERENCES orders,
    number integer NOT NULL CHECK (number >= 1),
    started_at timestamptz NOT NULL,
    candidates jsonb NOT NULL DEFAULT '[]',
    failure jsonb,
    PRIMARY KEY (order_id, number)
);
CREATE INDEX attempts_started ON attempts (started_at);

CREATE TABLE transactions (
    order_id uuid NOT NULL,
    attempt integer NOT NULL,
    signature text NOT NULL UNIQUE,
    raw bytea NOT NULL CHECK (octet_length(raw) BETWEEN 1 AND 1232),
    last_valid_block_height numeric(20, 0) NOT NULL,
    outcome text CHECK (outcome IN ('landed', 'failed', 'dead')),
    slot numeric(20, 0),
    error text,
    fee_lamports numeric(20, 0),
    resolved_at timestamptz,
    PRIMARY KEY (order_id, attempt),
    FOREIGN KEY (order_id, attempt) REFERENCES attempts,
    CONSTRAINT resolved_with_a_time CHECK ((outcome IS NULL) = (resolved_at IS NULL))
);
CREATE UNIQUE INDEX one_live_transaction ON transactions (order_id) WHERE outcome IS NULL OR outcome = 'landed';
"""

REST = """
CREATE TABLE post_mortems (
    order_id uuid PRIMARY KEY REFERENCES orders,
    reason text NOT NULL,
    message text NOT NULL,
    report jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE TABLE admission (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row));
INSERT INTO admission DEFAULT VALUES;
"""


def upgrade() -> None:
    for script in (ORDERS, ORDER_INDEXES, ORDER_VENUES, EVENTS, ATTEMPTS, REST):
        for statement in script.split(";\n"):
            if statement.strip():
                op.execute(statement)
