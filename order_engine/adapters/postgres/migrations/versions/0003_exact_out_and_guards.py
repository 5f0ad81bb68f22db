"""Orders for an exact amount of token_out, and bounds that an order sets beside slippage.

And no order waits for an attempt that it does not have: it would stand first in the queue for ever. And workers of a
release that knows nothing of all this are fenced off: they finish what they hold, and can claim nothing more.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Constants: no row is rewritten. NOT VALID and then VALIDATE: no long lock.
COLUMNS = """
ALTER TABLE orders
    ADD COLUMN swap_mode text NOT NULL DEFAULT 'exact_in',
    ADD COLUMN amount_out numeric(20, 0) NOT NULL DEFAULT 0,
    ADD COLUMN guards jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN claim_protocol smallint,
    DROP CONSTRAINT orders_amount_in_check,
    ADD CONSTRAINT one_amount_is_exact CHECK (
        (swap_mode = 'exact_in' AND amount_out = 0 AND amount_in BETWEEN 1 AND 18446744073709551615)
        OR (swap_mode = 'exact_out' AND amount_in = 0 AND amount_out BETWEEN 1 AND 18446744073709551615)
    ) NOT VALID,
    ADD CONSTRAINT guards_are_an_object CHECK (jsonb_typeof(guards) = 'object') NOT VALID,
    ADD CONSTRAINT an_attempt_is_left_while_pending CHECK (status <> 'pending' OR attempt < max_attempts) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT one_amount_is_exact;
ALTER TABLE orders VALIDATE CONSTRAINT guards_are_an_object;
ALTER TABLE orders VALIDATE CONSTRAINT an_attempt_is_left_while_pending;
"""

ORDER_TERMS = """
CREATE FUNCTION guard_order_terms() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM refuse(format('order %s: what was ordered never changes', OLD.order_id));
    RETURN NULL;
END $$
"""

# Whoever claims an order says what it understands; nothing is kept of it.
# This trigger and as_ordered fire before order_change: in the order of their names.
CLAIM_FENCE = """
CREATE FUNCTION guard_claim() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.claim_protocol IS DISTINCT FROM 2 THEN
        PERFORM refuse(format('order %s: claimed by a worker of an older release', OLD.order_id));
    END IF;
    NEW.claim_protocol := NULL;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    op.execute(COLUMNS)
    op.execute(ORDER_TERMS)
    op.execute(
        "CREATE TRIGGER as_ordered BEFORE UPDATE ON orders FOR EACH ROW"
        " WHEN ((NEW.swap_mode, NEW.amount_out, NEW.guards)"
        " IS DISTINCT FROM (OLD.swap_mode, OLD.amount_out, OLD.guards))"
        " EXECUTE FUNCTION guard_order_terms()"
    )
    op.execute(CLAIM_FENCE)
    op.execute(
        "CREATE TRIGGER claim_fence BEFORE UPDATE ON orders FOR EACH ROW"
        " WHEN (NEW.claimed_by IS NOT NULL AND NEW.claimed_by IS DISTINCT FROM OLD.claimed_by)"
        " EXECUTE FUNCTION guard_claim()"
    )
